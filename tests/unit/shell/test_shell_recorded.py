"""`dure run` with a stand-in for the run: what reaches the ledger, the metrics and the options of watching."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dure.cli import main
from dure.errors import DeadlineError, ExtractNotReadyError, Problem, SourceError
from dure.progress import Reporter
from dure.run.options import RunOptions

SITE = "바다병원"
GIVEN = ["run", SITE, "--source", "자료/{site}", "--vocab", "athena", "--lake", "호수"]
EMPTY = Problem("환자.csv", "is empty", "export it again")


@dataclass
class Result:
    lines: list[str] = field(default_factory=lambda: ["person 27"])
    warnings: list[Problem] = field(default_factory=list)
    gate_open: bool | None = None
    snapshot: Path | None = None


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[Reporter], Result]]:
    """What the run does, as its one item; the working folder has an extract, a vocabulary and a lake."""
    monkeypatch.chdir(tmp_path)
    for name in (f"자료/{SITE}", "athena", "호수", "metrics"):
        (tmp_path / name).mkdir(parents=True)
    does: list[Callable[[Reporter], Result]] = [lambda progress: Result()]

    def run_site(options: RunOptions, progress: Reporter, *, prove: object) -> Result:
        assert options.source == Path("자료") / SITE
        return does[0](progress)

    module: Any = ModuleType("dure.run")
    module.RunOptions, module.run_site, module.proving = RunOptions, run_site, lambda today, progress: None
    monkeypatch.setitem(sys.modules, "dure.run", module)
    return does


def rows(table: str, columns: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect("호수/ledger.sqlite")) as ledger:
        return ledger.execute(f"SELECT {columns} FROM {table}").fetchall()


def raises(error: Exception) -> Callable[[Reporter], Result]:
    def fail(progress: Reporter) -> Result:
        progress.stage("land")
        raise error

    return fail


@pytest.mark.parametrize(
    ("does", "code", "outcome"),
    [
        (lambda progress: Result(), 0, "done"),
        (lambda progress: Result(gate_open=True), 0, "passed"),
        (lambda progress: Result(gate_open=False), 1, "gate closed"),
        (raises(SourceError(EMPTY)), 3, "failed"),
        (raises(ExtractNotReadyError(EMPTY)), 5, "failed"),
        (raises(DeadlineError("the time is up")), 6, "stopped"),
        (raises(ValueError("800101-1234567")), 70, "failed"),
        (raises(KeyboardInterrupt()), 130, "interrupted"),
    ],
)
def test_every_way_to_end_is_in_the_ledger(
    act: list[Callable[[Reporter], Result]], does: Callable[[Reporter], Result], code: int, outcome: str
) -> None:
    act[0] = does
    assert main(GIVEN) == code
    assert rows("dure_run", "command, site, exit_code, outcome, engine") == [("run", SITE, code, outcome, "sail")]
    assert "800101" not in str(rows("dure_run_problem", "place, found, advice"))


def test_an_option_that_is_wrong_is_in_the_ledger_too(act: list[Callable[[Reporter], Result]]) -> None:
    """A night that fails before it begins is a night that failed."""
    assert main([*GIVEN, "--vocab", "없음"]) == 2
    assert rows("dure_run", "exit_code") == [(2,)]
    assert rows("dure_run_problem", "level, place, found") == [("error", "--vocab", "없음 is not there")]


def test_stages_tables_and_warnings(act: list[Callable[[Reporter], Result]]) -> None:
    def does(progress: Reporter) -> Result:
        progress.stage("land")
        progress.table("환자", 27, 0.5)
        progress.warn(EMPTY)
        progress.stage("map")
        return Result(warnings=[EMPTY, Problem("site.yaml:4", "twice")])

    act[0] = does
    assert main(GIVEN) == 0
    assert rows("dure_run_stage", "position, name, seconds IS NULL") == [(0, "land", 0), (1, "map", 0)]
    assert rows("dure_run_written", "stage, name, row_count, seconds") == [("land", "환자", 27, 0.5)]
    assert rows("dure_run_problem", "level, place") == [("warning", "환자.csv"), ("warning", "site.yaml:4")]


def test_no_ledger_where_none_is_wanted(act: list[Callable[[Reporter], Result]]) -> None:
    assert main([*GIVEN, "--ledger", "none"]) == 0
    assert list(Path("호수").iterdir()) == []


def test_a_ledger_that_cannot_be_one_stops_the_command_before_it_begins(
    act: list[Callable[[Reporter], Result]], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*GIVEN, "--ledger", "postgresql://dure:s3cret@db/ledger"]) == 2
    assert main([*GIVEN, "--webhook", "ftp://host/t0ken"]) == 2
    monkeypatch.setenv("DURE_LEDGER", "env:NOWHERE")
    assert main(GIVEN) == 2
    err = capfd.readouterr().err
    assert "s3cret" not in err and "t0ken" not in err
    assert "the environment variable NOWHERE is not set" in err
    assert not Path("호수/ledger.sqlite").exists()


def test_a_ledger_without_its_folder_is_warned_of_and_the_run_goes_on(
    act: list[Callable[[Reporter], Result]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*GIVEN, "--ledger", "sqlite:////nowhere/at/all.sqlite"]) == 0
    out, err = capfd.readouterr()
    assert out == "person 27\n"
    assert "Warning: ledger /nowhere/at/all.sqlite: cannot be used: no such folder" in err
    assert main(GIVEN) == 0
    assert rows("dure_run", "exit_code") == [(0,), (0,)]
    assert not Path("호수/ledger-pending.jsonl").exists()


def test_metrics_and_a_webhook_that_nobody_answers_harm_nothing(
    act: list[Callable[[Reporter], Result]], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURE_WEBHOOK", "http://127.0.0.1:9/t0ken")
    monkeypatch.setenv("DURE_METRICS", "metrics")
    monkeypatch.setenv("DURE_WEBHOOK_SECRET", "비밀")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert main([*GIVEN, "--log-format", "json"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["warning", "ended"]
    assert lines[0]["where"] == "--webhook http://127.0.0.1:9"
    (run,) = {line["run"] for line in lines}
    assert rows("dure_run_problem", "run_id, level, place") == [(run, "warning", "--webhook http://127.0.0.1:9")]
    assert 'dure_run_exit_code{site="바다병원"} 0' in Path(f"metrics/dure-{SITE}.prom").read_text("utf-8")


def test_the_facts_can_be_printed(act: list[Callable[[Reporter], Result]], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN, "--json", "--quiet"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert [(facts["id"], facts["exit_code"])] == rows("dure_run", "id, exit_code")
