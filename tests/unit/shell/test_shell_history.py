"""`dure history` and `dure show`: what they print of runs that the ledger knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from dure.cli import main
from dure.cli.columns import age, columns
from dure.ledger.address import address_of
from dure.ledger.facts import Outcome, ProblemFacts
from dure.ledger.store import Ledger
from sample_run import sample_run


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake whose ledger has two runs of 바다병원 and one of gangsan."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    lake = tmp_path / "호수"
    lake.mkdir()
    address = address_of(None, lake)
    assert address is not None
    ledger = Ledger(address)
    ledger.prepare()
    reason = ProblemFacts(level="error", where="환자.csv", found="is empty", do="export it again")
    failed = {"outcome": Outcome.FAILED, "exit_code": 3, "gate": None, "score": None, "snapshot": None}
    ledger.save(
        [
            sample_run(1, lake=str(lake)),
            sample_run(2, lake=str(lake), rows_read=None, problems=[reason], **failed),
            sample_run(3, lake=str(lake), site="gangsan", name="강산병원", seconds=7.04),
        ]
    )
    return lake


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main([*arguments]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out.splitlines()


def test_runs_the_newest_first_in_columns_that_meet(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    head, *rows = said(capfd, "history", "--lake", "호수")
    assert [row.split()[0] for row in rows] == [sample_run(n).id for n in (3, 2, 1)]
    for name in ("site", "started", "outcome", "snapshot"):
        place = cell_len(head[: head.index(name)])
        for row in rows:
            before = next(n for n in range(len(row) + 1) if cell_len(row[:n]) >= place)
            assert cell_len(row[:before]) == place
            assert row[before - 1] == " "
    assert rows[1].split()[2] == "바다병원"
    assert rows[1].split()[5:] == ["90.2", "failed", "3", "-", "-", "-", "-"]
    assert rows[2].split()[5:] == ["90.2", "passed", "0", "open", "99.1%", "10,000,000,000", "20260315T023000Z"]


@pytest.mark.parametrize(
    ("more", "numbers"),
    [
        (["바다병원"], [2, 1]),
        (["강산병원"], [3]),
        (["--limit", "1"], [3]),
        (["--since", "2026-03-16"], [3, 2]),
        (["바다병원", "--since", "2026-03-16T00:00"], [2]),
    ],
)
def test_runs_can_be_chosen(lake: Path, more: list[str], numbers: list[int], capfd: pytest.CaptureFixture[str]) -> None:
    (document,) = [json.loads("\n".join(said(capfd, "history", "--lake", "호수", "--json", *more)))]
    assert [run["id"] for run in document] == [sample_run(n).id for n in numbers]
    assert all("stages" not in run and "outcome" in run for run in document)


def test_no_run_is_no_error(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "haneul", "--lake", "호수"]) == 0
    assert capfd.readouterr() == ("", "no run\n")


def test_a_run_with_all_that_is_known_of_it(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = said(capfd, "show", "20260315T", "--lake", "호수")
    text = "\n".join(lines)
    for part in (
        "outcome     passed, exit code 0",
        "gate        open, score 99.1%",
        "engine      sail 0.7.2",
        "vocabulary  v5.0 29-FEB-24 (cccc",
        "ran on      병원서버 as dure, process 4711",
        "warning: 검사.csv: a new column 'RESLT2'\n    name it",
        "person   365  4,096        -",
        "d" * 64,
        "maps/검사.csv  " + "b" * 64,
    ):
        assert part in text
    (stage,) = [line for line in lines if line.startswith("land  ") and line.split()[1] == "6.5"]
    assert stage == "land       6.5"


def test_a_run_as_json_is_all_its_facts(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = sample_run(1, lake=str(lake))
    assert json.loads("\n".join(said(capfd, "show", run.id, "--lake", "호수", "--json"))) == run.model_dump(mode="json")


@pytest.mark.parametrize(
    ("run", "found"),
    [("2027", "no run of this lake has that id"), ("2026031", "3 runs begin so"), ("%", "no run of this lake")],
)
def test_a_run_must_be_one(lake: Path, run: str, found: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["show", run, "--lake", "호수"]) == 2
    assert f"Error: RUN {run}: {found}" in capfd.readouterr().err


def test_a_time_that_is_none_is_refused(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "--lake", "호수", "--since", "어제"]) == 2
    assert "'어제' is neither a day such as 2026-03-15 nor a time ago" in capfd.readouterr().err


def test_a_ledger_that_cannot_be_read_is_told_and_the_rest_is_shown(
    lake: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (lake / "ledger.sqlite").write_text("원장이 아니다" * 100, "utf-8")
    assert main(["history", "--lake", "호수"]) == 0
    assert "ledger.sqlite: is broken: file is not a database" in capfd.readouterr().err


def test_columns_count_what_a_terminal_shows() -> None:
    assert list(columns(("a", "수"), [("바다", "1"), ("b", "1,000")], frozenset({"수"}))) == [
        "a        수",
        "바다      1",
        "b     1,000",
    ]


def test_an_age_in_its_largest_unit() -> None:
    now = sample_run(40).started
    assert [age(sample_run(n).started, now) for n in (40, 39, 38, 1)] == ["0 min", "24 h", "2 d", "39 d"]
    assert age(sample_run(41).started, now) == "0 min"  # made where the clock goes ahead
