"""The demonstration's hospitals on second thoughts: equal for a sample and for everybody, and no patient in what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dure.cli import main
from dure.demo.consortium import SITES, Demonstration
from dure.engine import EngineOptions
from dure.progress import SilentProgress
from dure.snapshot.lake import Lake

pytestmark = [pytest.mark.together, pytest.mark.slow]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    Demonstration(out, 90, 1, (), None, EngineOptions(threads=2)).run(SilentProgress())
    return out / "lake"


def persons_of(lake: Path, site: str) -> set[str]:
    """The numbers of the patients, as sources have them and as ids."""
    own = Lake(lake).site(site)
    rows = pq.read_table(own.latest() / "person", columns=["person_id", "person_source_value"])
    return {str(value) for name in rows.schema.names for value in rows[name].to_pylist() if value is not None}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("sample", ["0.1", "1"])
def test_a_hospital_is_equal(lake: Path, site: str, sample: str, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", site, "--lake", str(lake), "--latest", "--engine", "sail", "--threads", "2"]
    assert main([*arguments, "--sample", sample]) == 0
    out, err = capfd.readouterr()
    reports = sorted(Lake(lake).site(site).reports(Lake(lake).site(site).latest().name).glob("verify-*"))
    report = json.loads(reports[-1].with_suffix(".json").read_bytes())
    persons = {table["table"]: table["rows"] for table in report["tables"]}["person"]
    assert (persons < len(persons_of(lake, site)) / 4) == (sample == "0.1")
    assert persons > 0
    said = "\n".join([out, err, *(path.read_text("utf-8") for path in reports)])
    assert [value for value in persons_of(lake, site) if len(value) > 4 and value in said] == []


@pytest.mark.spark
def test_the_other_engine_is_chosen_by_itself_and_agrees(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "bada", "--lake", str(lake), "--latest", "--sample", "0.3", "--threads", "2"]) == 0
    assert "against spark " in capfd.readouterr().out
