"""A snapshot checked as a hospital does it: the pages are written, and no patient's value is in any of them."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from dure.progress import SilentProgress
from dure.quality.check import Pages
from dure.quality.command import Checked, CheckOptions, check_site
from dure.run import RunOptions, run_site

pytestmark = [pytest.mark.together, pytest.mark.slow]
DATA = Path(__file__).resolve().parents[1] / "data"
SITES = (Path(__file__).resolve().parents[2] / "vocab_mappings/sites",)
PERSONAL = ("Id", "SSN", "DRIVERS", "PASSPORT", "FIRST", "LAST", "MAIDEN", "ADDRESS", "BIRTHDATE")


@dataclass(frozen=True)
class Written:
    """What came out, and the text of every file by its path."""

    checked: Checked
    docs: Path
    texts: dict[str, str]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root, docs = tmp_path_factory.mktemp("lake"), tmp_path_factory.mktemp("docs")
    options = RunOptions(site="synthea", source=DATA / "extract", vocab=DATA / "vocabulary", lake=root, sites=SITES)
    made = run_site(options, SilentProgress())
    asked = CheckOptions("synthea", root, SITES, date(2026, 3, 15), pages=Pages("ko", docs))
    checked = check_site(asked, SilentProgress())
    files = [*(made.reports / name for name in ("report.html", "dqd-results.json", "results.json", "junit.xml"))]
    files += [*docs.rglob("*.html")]
    return Written(checked, docs, {str(path): path.read_text("utf-8") for path in files})


def test_no_value_of_a_patient_is_in_them(written: Written) -> None:
    with (DATA / "extract" / "patients.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    values = {row[name] for row in rows for name in PERSONAL if name in row and len(row[name]) > 3}
    assert len(values) > len(rows)
    found = {
        (Path(name).name, value)
        for name, text in written.texts.items()
        for value in values
        if value in text and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)
    }
    assert found == set()


def test_data_docs_has_a_suite_and_results_of_each_table(written: Written) -> None:
    suites = {path.stem for path in written.docs.glob("expectations/*.html")}
    assert {"person", "measurement", "visit_occurrence"} < suites
    assert {path.name for path in (written.docs / "validations").iterdir()} == suites
    (person,) = written.docs.glob("validations/person/**/*.html")
    shown = re.sub(r"<[^>]*>|\s+", " ", person.read_text("utf-8"))
    assert "field_isrequired_person_year_of_birth: at most 0 % of its rows may be violated." in shown


def test_the_report_names_the_site_in_korean(written: Written) -> None:
    (report,) = [text for name, text in written.texts.items() if name.endswith("report.html")]
    assert "<title>synthea 품질 보고서" in report
