"""The page of a checking as text: what comes first, that nothing refers outside, that no text becomes markup."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

import sample_checking as sample
from dure.quality.catalogue import Severity, rows
from dure.quality.evidence.report.charts import percent
from dure.quality.evidence.report.data_block import data_block
from dure.quality.evidence.report.flow import flow_of
from dure.quality.evidence.report.gathered import Gathered, gathered
from dure.quality.evidence.report.page import report_html
from dure.quality.evidence.report.words import LANGUAGES, Language, Words
from dure.quality.gate.policy import read_policy
from dure.quality.gate.verdict import decide
from dure.quality.own_catalogue import catalogue
from dure.quality.results import Result, Status

NOTHING = Gathered(None, None, None, None, (), frozenset())


class Page(HTMLParser):
    """Elements with their attributes, and the text of the page outside scripts and styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.data = ""
        self._inside = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.append((tag, given))
        self._inside = (given.get("id") or tag) if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "data":
            self.data += data
        elif not self._inside and data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join(self.words)


pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "reports" / "bada" / sample.SNAPSHOT
    sample.write_evidence_of_run(folder)
    sample.write_earlier(folder)
    return folder


@cache
def written(reports: Path, language: Language) -> bytes:
    return report_html(sample.checking(), gathered(reports), language)


def page(reports: Path, language: Language = "en") -> Page:
    return Page(written(reports, language))


def test_the_verdict_and_its_reasons_come_first(reports: Path) -> None:
    words = page(reports).words
    of_the_content = words[words.index("Files beside this report") + 1 :]
    assert of_the_content[1] == "Gate closed"
    first = "\n".join(of_the_content[: of_the_content.index("Scores")])
    assert first.index("What closes the gate (2)") < first.index("Let through by a waiver (1)")
    assert sample.CLOSING in first and "3 of 120 (2.5%)" in first and sample.BROKEN in first and sample.WAIVED in first


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_in_the_page_refers_outside(reports: Path, language: Language) -> None:
    elements = page(reports, language).elements
    references = [
        value
        for tag, given in elements
        for name, value in given.items()
        if name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster")
    ]
    assert {str(reference)[0] for reference in references} <= {"#", "d"}
    assert [value for value in references if str(value)[0] == "d"] == ["data:,"]
    policy = next(str(given["content"]) for tag, given in elements if given.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert dict(elements)["html"]["lang"] == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_of_the_extract_stays_text(reports: Path, language: Language) -> None:
    read = page(reports, language)
    assert sample.HOSTILE in read.text
    assert f"{sample.LAB} → {Words(language)('outcome.mapped')}: 2,800" in read.text
    assert "img" not in {tag for tag, _ in read.elements}
    assert "통화 <b>원</b>" in read.text
    assert sorted(given.get("type", "") or "" for tag, given in read.elements if tag == "script") == [
        "",
        "application/json",
    ]


def test_json_inside_a_script_element_cannot_end_it() -> None:
    block = data_block({"code": "</script><!--<script>&"})
    assert not set("<>&") & set(block) and json.loads(block) == {"code": "</script><!--<script>&"}


def test_the_data_of_the_table_are_the_results(reports: Path) -> None:
    data = json.loads(page(reports).data)
    assert len(data["rows"]) == 2002
    row = next(row for row in data["rows"] if row[0] == sample.CLOSING)
    assert row[1:10] == ["isRequired", "person", "year_of_birth", "failed", "fatal", "Conformance", 3, 120, 0.0]
    assert "year_of_birth IS NULL" in row[12]
    assert data["types"]["isRequired"]["means"] == "Rows where a required field is empty, of all rows."


def test_few_records_of_a_code_are_not_told(reports: Path) -> None:
    unmapped = gathered(reports).unmapped
    assert unmapped is not None
    assert [(each.code, each.records) for each in unmapped] == [(sample.HOSTILE, 1200), ("상병9", None)]
    assert "<10" in page(reports).text


def test_coverage_by_domain(reports: Path) -> None:
    found = gathered(reports)
    assert found.coverage is not None
    assert [(row.domain, row.codes, row.codes_mapped, row.records, row.records_mapped) for row in found.coverage] == [
        ("Condition", 2, 0.5, 4007, 0.9983),
        ("Measurement", 2, 0.5, 4000, 0.7),
    ]
    assert found.mapped == pytest.approx(6800 / 8007, abs=1e-4)


def test_earlier_checkings_make_the_trend(reports: Path) -> None:
    (earlier,) = gathered(reports).earlier
    assert (earlier.snapshot, earlier.open, earlier.rows["person"]) == (sample.BEFORE, False, 100)
    assert "+20.0 %" in page(reports).text


def test_a_neighbour_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    reports = tmp_path / sample.SNAPSHOT
    sample.write_evidence_of_run(reports)
    sample.write_earlier(reports)
    sample.broken_earlier(reports, [1])
    (reports.parent / ".20260316T000000Z").mkdir()
    assert [earlier.snapshot for earlier in gathered(reports).earlier] == [sample.BEFORE]


def test_the_flow_counts_every_row_once(reports: Path) -> None:
    found = gathered(reports).reconciliation
    assert found is not None
    flow = flow_of(found)
    assert flow.rows == {
        ("진단", "mapped"): 4000,
        ("진단", "unmapped"): 7,
        ("진단", "rejected"): 20,
        ("진단", "unreadable"): 3,
        (sample.LAB, "mapped"): 2800,
        (sample.LAB, "unmapped"): 1200,
    }
    assert sum(flow.rows.values()) == sum(source.read for source in found.sources)
    assert flow.records == {
        ("mapped", "condition_occurrence"): 4100,
        ("unmapped", "condition_occurrence"): 7,
        ("mapped", "measurement"): 2800,
        ("unmapped", "measurement"): 1200,
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_snapshot_without_other_evidence_still_has_a_page(language: Language) -> None:
    text = Page(report_html(sample.passing(), NOTHING, language)).text
    words = Words(language)
    for key in ("gate_open", "trend_first", "coverage_none", "unmapped_missing", "reconciliation_none", "waivers_none"):
        assert words(key) in text


def test_days_left_are_counted_from_the_day_of_the_checking(reports: Path) -> None:
    assert {"9 days", "400 days"} <= set(page(reports).words)


def test_each_table_has_headings_with_a_scope_and_a_name(reports: Path) -> None:
    read = page(reports)
    assert {given.get("scope") for tag, given in read.elements if tag == "th"} == {"col", "row"}
    names = [given["id"] for _, given in read.elements if "id" in given]
    assert len(names) == len(set(names))
    drawings = [given for tag, given in read.elements if tag == "svg"]
    assert len(drawings) == 6
    assert all(given["role"] == "img" and given["aria-label"] for given in drawings)


def test_the_page_stays_small(reports: Path) -> None:
    assert len(written(reports, "ko")) < 2_000_000


def test_every_word_has_both_languages_with_the_same_slots() -> None:
    for name in ("words", "check_names", "sentences"):
        for row in rows(f"report/{name}.csv"):
            assert row["en"] and row["ko"], row
            assert sorted(re.findall(r"{\w+}", row["en"])) == sorted(re.findall(r"{\w+}", row["ko"])), row


def test_every_check_type_has_a_name() -> None:
    named = {row["check"] for row in rows("report/check_names.csv")}
    assert {check.type.name for check in catalogue()} - named == set()


def test_every_sentence_of_the_gate_can_be_said_in_korean() -> None:
    checks = {severity: next(c for c in catalogue() if c.type.severity is severity) for severity in Severity}
    results = [Result(check, Status.FAILED, 1, 100) for check in checks.values()]
    results += [Result(check, Status.FAILED, 99, 100) for check in checks.values()]
    verdict = decide(results, {"person": 0}, read_policy(None), sample.waivers(), "bada", sample.TODAY)
    words = Words("ko")
    said = [text for reason in (*verdict.closing, *verdict.warnings) for text in (reason.found, reason.why)]
    assert [text for text in said if words.sentence(text) == text] == []
    assert words.sentence("fatal; its waiver expired on 2026-03-14") == "치명 등급, 면제가 2026-03-14에 만료됨"
    assert words.sentence("a sentence of the engine") == "a sentence of the engine"


@pytest.mark.parametrize(("share", "said"), [(1, "100 %"), (0.9999, "99.9 %"), (0, "0 %"), (0.5, "50.0 %")])
def test_a_percentage_is_100_only_where_nothing_is_missing(share: float, said: str) -> None:
    assert percent(share) == said
