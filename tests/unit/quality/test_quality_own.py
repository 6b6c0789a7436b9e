"""Our own checks apart from a snapshot: shapes of numbers, ranges of drift, which snapshot is compared, the command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dure.cli import main
from dure.quality.catalogue import Check
from dure.quality.counting.own_rows import RESIDENT_NUMBER
from dure.quality.counting.profile import Median, Profile, left_range, read_profile
from dure.quality.history import last_passed
from dure.quality.own_catalogue import own_checks
from dure.snapshot.lake import Lake


@pytest.mark.parametrize(
    "text",
    [
        "880612-1234567",
        "8806121234567",
        "주민번호:880612-2234567(본인)",
        "000229-3123456",
        "991231–1234567",
        "880612 9234567",
        "등록번호ID880612-1234567",
    ],
)
def test_shapes_of_resident_numbers(text: str) -> None:
    assert re.search(RESIDENT_NUMBER, text)


@pytest.mark.parametrize(
    "text",
    [
        "880612-1******",
        "881312-1234567",
        "880600-1234567",
        "880631-1234567",
        "880230-1234567",
        "880612-123456",
        "880612-12345678",
        "20880612-1234567",
        "880612--1234567",
        "010-1234-5678 02-123-4567",
        "2020-06-12 12:34:56",
        "NT1602291234567",
        "2.16.840.1.113883.6.96",
        "",
    ],
)
def test_shapes_of_other_numbers(text: str) -> None:
    assert not re.search(RESIDENT_NUMBER, text)


def rule(check_id: str) -> Check:
    return next(check for check in own_checks() if check.id == check_id)


@pytest.mark.parametrize(
    ("was", "now", "left"),
    [
        (3, 0, False),
        (20, 5, False),
        (20, 45, False),
        (100, 40, True),
        (1000, 850, False),
        (1000, 790, False),
        (1000, 700, True),
        (1_000_000, 810_000, False),
        (1_000_000, 790_000, True),
        (1_000_000, 1_210_000, True),
        (0, 20, False),
        (0, 30, True),
    ],
)
def test_rows_drift_by_a_share_and_by_more_than_chance(was: int, now: int, left: bool) -> None:
    assert left_range(now, was, rule("dure_driftrows_measurement")) is left


def snapshot_of(lake: Path, name: str, gate: str | None, profile: str | None = None) -> None:
    folder = lake / "cdm" / "bada" / name
    reports = lake / "reports" / "bada" / name
    folder.mkdir(parents=True)
    reports.mkdir(parents=True)
    if gate:
        (reports / "verdict.json").write_text(json.dumps({"gate": gate}))
    if profile is not None:
        (reports / "profile.json").write_text(profile)


def test_the_last_passed_snapshot_before_is_compared(tmp_path: Path) -> None:
    kept = Profile(rows={"person": 7}).as_json().decode()
    snapshot_of(tmp_path, "20260101T000000Z", "open", kept)
    snapshot_of(tmp_path, "20260201T000000Z", "open", '{"profile_version": 1, "of": "a later version"}')
    snapshot_of(tmp_path, "20260301T000000Z", "closed", kept)
    snapshot_of(tmp_path, "20260401T000000Z", None)
    snapshot_of(tmp_path, "20260501T000000Z", "open", kept)
    lake = Lake(tmp_path).site("bada")
    before = last_passed(lake, "20260501T000000Z")
    assert before is not None
    assert (before.snapshot, before.profile.rows) == ("20260101T000000Z", {"person": 7})
    assert last_passed(lake, "20260101T000000Z") is None


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile = Profile(
        rows={"person": 1},
        nulls={"person": {"month_of_birth": 1}},
        concepts={"visit_occurrence.visit_concept_id": {9202: 3}},
        units={"measurement.measurement_concept_id": {3000963: {8713: 4}}},
        medians={"measurement.measurement_concept_id": {"3000963 8713": Median(rows=4, median=13.5, distance=0.5)}},
    )
    (tmp_path / "profile.json").write_bytes(profile.as_json())
    assert read_profile(tmp_path) == profile
    assert read_profile(tmp_path / "none") is None


def test_explain_needs_neither_site_nor_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--explain", "dure_inpatientWithoutDiagnosis_visit_occurrence_visit_concept_id"]) == 0
    out = capfd.readouterr().out
    assert "진단이 하나도 없는 입원입니다." in out
    assert "WHERE t.visit_concept_id IN (9201, 262)" in out
    assert main(["check", "--explain", "dure_inpatient"]) == 2
    assert "dure_inpatientwithoutdiagnosis_visit_occurrence_visit_concept_id" in capfd.readouterr().err


def test_explain_sends_to_the_sites_own_file(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--explain", "site_measurement_1"]) == 2
    assert "expectations.yaml" in capfd.readouterr().err
