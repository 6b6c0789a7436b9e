"""Records whose ids collide: found before anything is written, told apart, remembered, and the old one keeps its id."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dure.engine import EngineOptions
from dure.errors import IntegrityError
from dure.progress import SilentProgress
from dure.run import RunOptions, RunResult, run_site
from dure.snapshot.lake import Lake

pytestmark = pytest.mark.together

SITE = """
spec_version: 1
site: {id: narrow, name: 좁은 병원, holder: 두레, timezone: Asia/Seoul, extract_date: 2024-01-01}
defaults: {formats: [yyyyMMdd], type_concept_id: 32817}
sources:
  patient: {path: 환자.csv, key: [환자번호]}
maps:
  sex: {M: 8507, F: 8532}
tables:
  person:
    - {from: patient, birth: 생년월일, gender: {column: 성별, map: sex}}
"""


@pytest.fixture
def hospital(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hospital of 40 patients whose ids have 8 bits, so that some meet."""
    monkeypatch.setattr("dure.tables.rule.id_bits", lambda table: 8)
    site = tmp_path / "sites/narrow"
    site.mkdir(parents=True)
    (site / "site.yaml").write_text(SITE, "utf-8")
    shutil.copytree(repository / "tests/data/vocabulary", tmp_path / "vocabulary")
    write_patients(tmp_path, range(100, 140))
    return tmp_path


def write_patients(folder: Path, numbers: range) -> None:
    (folder / "extract").mkdir(exist_ok=True)
    lines = ["환자번호,생년월일,성별", *[f"{n},19700101,M" for n in numbers]]
    (folder / "extract/환자.csv").write_text("\n".join(lines) + "\n", "utf-8")


def run(folder: Path) -> tuple[RunResult, dict[str, int]]:
    """A run, and person source value -> id."""
    options = RunOptions(
        "narrow", folder / "extract", folder / "vocabulary", folder / "lake 두레", (folder / "sites",), EngineOptions(),
        date(2024, 1, 1),
    )  # fmt: skip
    result = run_site(options, SilentProgress())
    rows = pq.read_table(result.snapshot / "person").to_pylist()
    return result, {row["person_source_value"]: row["person_id"] for row in rows}


def test_newcomers_are_salted_and_ids_given_before_stay(hospital: Path) -> None:
    result, first = run(hospital)
    assert len(first) == 40
    assert len(set(first.values())) == 40
    assert any("met the id of another" in str(warning) for warning in result.warnings)
    salts = Lake(hospital / "lake 두레").site("narrow").salts()
    assert set(salts) == {"person"}
    assert all(len(sha) == 64 for sha in salts["person"]), "no key of a patient is in the file"

    assert run(hospital)[1] == first

    write_patients(hospital, range(100, 160))
    _, grown = run(hospital)
    assert len(set(grown.values())) == 60
    assert {number: grown[number] for number in first} == first


def test_ids_that_no_salt_can_part_stop_the_run(hospital: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.tables.rule.id_bits", lambda table: 2)
    with pytest.raises(IntegrityError, match=r"table person: .* records share their id with another"):
        run(hospital)
    assert Lake(hospital / "lake 두레").site("narrow").snapshots() == ()
