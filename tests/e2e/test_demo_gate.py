"""The demonstration at the gate: its counts are DataQualityDashboard's, and it passes by waivers that expire."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from oracle_dqd import counts, database, instances

from dure.cli import main
from dure.demo.consortium import SITES, Demonstration, SiteResult
from dure.engine import EngineOptions
from dure.progress import SilentProgress
from dure.quality.gate.policy import read_waivers

pytestmark = [pytest.mark.together, pytest.mark.slow]
HOSPITALS = Path(__file__).resolve().parents[2] / "vocab_mappings/sites"
TODAY = date(2026, 3, 15)


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SiteResult]:
    out = tmp_path_factory.mktemp("demo")
    asked = Demonstration(out, 300, 1, (), None, EngineOptions(threads=2), TODAY)
    return {result.site: result for result in asked.run(SilentProgress())}


def read(result: SiteResult, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((result.reports / name).read_bytes())
    return found


@pytest.mark.parametrize("site", SITES)
def test_no_count_differs_from_the_dashboards(hospitals: dict[str, SiteResult], site: str) -> None:
    result = hospitals[site]
    store = Path(read_manifest(result)["vocabulary"]["folder"])
    connection = database(result.snapshot, store)
    ours = {each["check"]: (each["violated"], each["denominator"]) for each in read(result, "results.json")["results"]}
    compared = 0
    for check_id, row in instances():
        if check_id in ours and not row["table"].startswith("cohort"):
            compared += 1
            assert ours[check_id] == counts(connection, row, TODAY), check_id
    assert compared == 1956


@pytest.mark.parametrize("site", SITES)
def test_the_gate_is_open_only_by_shipped_waivers(hospitals: dict[str, SiteResult], site: str) -> None:
    verdict = read(hospitals[site], "verdict.json")
    shipped = {waiver.check for waiver in read_waivers(HOSPITALS / site)}
    assert (verdict["gate"], verdict["closing"]) == ("open", [])
    assert {each["check"] for each in verdict["waived"]} <= shipped
    assert len(verdict["waived"]) >= 1
    assert verdict["digest"] == read_manifest(hospitals[site])["digest"]
    page = (hospitals[site].reports / "report.html").read_text("utf-8")
    assert all(each["waiver"]["owner_role"] in page for each in verdict["waived"])


def test_on_a_day_after_the_waivers_the_same_snapshot_is_blocked(
    hospitals: dict[str, SiteResult], capsys: pytest.CaptureFixture[str]
) -> None:
    last = max(waiver.expires for waiver in read_waivers(HOSPITALS / "bada"))
    later = last.replace(year=last.year + 1)
    lake = hospitals["bada"].snapshot.parents[2]
    assert main(["check", "bada", "--lake", str(lake), "--today", str(later), "--threads", "2"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("gate: closed\n")
    assert said.count(f"its waiver expired on {last}") == len(read(hospitals["bada"], "verdict.json")["closing"])


def read_manifest(result: SiteResult) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((result.snapshot / "manifest.json").read_bytes())
    return manifest
