"""`dure run --all` over three tiny hospitals, of which one has no extract and one is killed amid its run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dure.cli import main
from dure.snapshot.lake import Lake
from dure.vocab import load_athena

SPEC = """spec_version: 1
site: {{id: {id}, name: {name}, holder: 바다의료재단, timezone: Asia/Seoul, extract_date: 2024-12-31}}
defaults: {{formats: [yyyyMMdd]}}
sources:
  patients: {{path: 환자.csv, key: [환자번호]}}
tables:
  person:
    - {{from: patients, birth: 생년월일, gender: {{column: 성별, map: {{남: 8507, 여: 8532}}}}}}
"""
PATIENTS = "환자번호,생년월일,성별\nP1,19800301,남\nP2,19651224,여\n"
# Folder -> id.
SITES = {"강산병원": "gangsan", "bada": "bada", "haneul": "haneul"}


@pytest.fixture
def here(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with three sites; bada's extract is missing."""
    load_athena(repository / "tests/scenarios/vocabulary", tmp_path / "stores")
    for name, site in SITES.items():
        (tmp_path / "sites" / name).mkdir(parents=True)
        (tmp_path / "sites" / name / "site.yaml").write_text(SPEC.format(name=name, id=site), "utf-8")
        (tmp_path / "extracts" / name).mkdir(parents=True)
        if name != "bada":
            (tmp_path / "extracts" / name / "환자.csv").write_text(PATIENTS, "utf-8")
    (tmp_path / "metrics").mkdir()
    (store,) = (tmp_path / "stores").iterdir()
    (tmp_path / "dure.yaml").write_text(
        f"vocab: {store}\nlake: 호수\nsource: extracts/{{site}}\nmetrics: metrics\nsite: 강산병원\n", "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dure(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dure.cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def exit_code_metric(here: Path, site: str) -> dict[str, float]:
    text = (here / "metrics" / f"dure-{site}.prom").read_text("utf-8")
    return {
        family.name: family.samples[0].value
        for family in text_string_to_metric_families(text)
        if family.name in ("dure_run_exit_code", "dure_snapshot_persons", "dure_run_success")
    }


@pytest.mark.slow
def test_a_failed_and_a_killed_site_harm_no_other(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    process = dure("run", "--all", "--no-check", "--json", "--jobs", "2", "--threads", "1")
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line == "haneul | land ...\n":
            with closing(sqlite3.connect(here / "호수" / "ledger.sqlite")) as ledger:
                asked = "SELECT pid FROM dure_run WHERE site = 'haneul' AND outcome IS NULL"
                os.kill(ledger.execute(asked).fetchone()[0], signal.SIGKILL)
    out = process.communicate()[0]
    assert process.returncode == 137, "".join(said)
    runs: dict[str, Any] = {entry["name"]: entry for entry in json.loads(out)}
    assert {name: entry["exit_code"] for name, entry in runs.items()} == {"bada": 5, "haneul": 137, "강산병원": 0}
    assert {name: entry["run"]["outcome"] for name, entry in runs.items()} == {
        "bada": "failed", "haneul": "died", "강산병원": "built"
    }  # fmt: skip
    assert runs["강산병원"]["run"]["persons"] == 2
    assert runs["haneul"]["run"]["problems"][-1]["found"] == "its process ended by signal 9, without a word"

    lake = Lake(here / "호수")
    assert lake.site("gangsan").latest_manifest().run == runs["강산병원"]["run"]["id"]  # type: ignore[union-attr]
    assert lake.site("haneul").latest_manifest() is None
    assert exit_code_metric(here, "gangsan") == {
        "dure_run_exit_code": 0.0, "dure_run_success": 1.0, "dure_snapshot_persons": 2.0
    }  # fmt: skip
    assert exit_code_metric(here, "haneul") == {"dure_run_exit_code": 137.0, "dure_run_success": 0.0}

    assert main(["status"]) == 0
    table = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["bada", "idle"], ["gangsan", "idle"], ["haneul", "died"]]

    # The next night: the extract is there, and nobody is killed.
    (here / "extracts" / "bada" / "환자.csv").write_text(PATIENTS, "utf-8")
    again = dure("run", "--all", "--no-check", "--jobs", "2", "--threads", "1")
    out, err = again.communicate()
    assert again.returncode == 0, err
    head, *rows = out.splitlines()
    assert head.split()[:3] == ["site", "outcome", "exit"]
    assert [row.split()[:3] for row in rows] == [[name, "built", "0"] for name in ("bada", "haneul", "강산병원")]
    with closing(sqlite3.connect(here / "호수" / "ledger.sqlite")) as ledger:
        asked = "SELECT site, outcome, exit_code FROM dure_run ORDER BY site, started"
        assert ledger.execute(asked).fetchall() == [
            ("bada", "failed", 5),
            ("bada", "built", 0),
            ("gangsan", "built", 0),
            ("gangsan", "built", 0),
            ("haneul", "died", 137),
            ("haneul", "built", 0),
        ]


@pytest.mark.slow
def test_ctrl_c_ends_every_site_and_keeps_the_lake(here: Path) -> None:
    process = dure("run", "--all", "--no-check", "--jobs", "1", "--threads", "1")
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line == "haneul | land ...\n":
            process.send_signal(signal.SIGINT)
    out = process.communicate()[0]
    assert process.returncode == 130, "".join(said)
    rows = [line.split()[:4] for line in out.splitlines()[1:]]
    assert rows == [
        ["bada", "failed", "5", "-"], ["haneul", "interrupted", "143", "-"], ["강산병원", "not", "begun", "-"]
    ]  # fmt: skip
    with Lake(here / "호수").site("haneul").lock():
        pass  # free again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "bada", "--all"], "--all: is given together with a SITE"),
        (["run", "--all", "--source", "extracts"], "is one folder for all sites"),
        (["run", "--all", "--metrics", "x.prom"], "is one file for all sites"),
        (["run", "--all", "--sites", "extracts"], "no site in extracts"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    here: Path, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capfd.readouterr().err
    assert not (here / "호수").exists()
