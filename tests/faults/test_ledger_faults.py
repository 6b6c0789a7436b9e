"""A ledger that is broken, locked, full or forbidden: the run goes on, says so, and nothing of it is lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from filled_lake import FIRST, SITE, lake_with_first

from dure.errors import Problem
from dure.ledger import store
from dure.ledger.address import Address, address_of
from dure.ledger.facts import Outcome, RunFacts
from dure.ledger.history import History
from dure.ledger.pending import read_pending
from dure.ledger.recorder import Recorder
from dure.ledger.store import Ledger
from sample_run import sample_run


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with one snapshot, built before there was a ledger."""
    lake_with_first(tmp_path / "호수")
    return tmp_path / "호수"


@pytest.fixture
def warned() -> list[Problem]:
    return []


def own(lake: Path) -> Address:
    found = address_of(None, lake)
    assert found is not None
    return found


def run_of(lake: Path, number: int = 1, **changed: object) -> RunFacts:
    return sample_run(number, lake=str(lake), **changed)


def ids(lake: Path) -> list[str]:
    """What the ledger itself has, without what waits."""
    return [run.id for run in Ledger(own(lake)).runs()]


def of_snapshot() -> str:
    return f"{FIRST}-snapshot-{SITE}"


def pending(lake: Path) -> Path:
    return lake / "ledger-pending.jsonl"


# ---------------------------------------------------------------- a ledger that is whole


def test_a_new_ledger_knows_the_runs_that_made_the_snapshots_of_the_lake(lake: Path, warned: list[Problem]) -> None:
    run = run_of(lake)
    Recorder(own(lake), lake, warned.append).save(run)
    (first,) = Ledger(own(lake)).named(of_snapshot())
    assert ids(lake) == [run.id, first.id]
    assert (first.site, first.snapshot, first.persons, first.outcome) == (SITE, FIRST, 2, Outcome.BUILT)
    assert [(file.source, file.path, file.sha256) for file in first.files] == [("patient", "환자.csv", "d" * 64)]
    assert warned == []


def test_the_ledger_of_a_lake_that_was_moved_is_still_its_own(lake: Path, warned: list[Problem]) -> None:
    Recorder(own(lake), lake, warned.append).save(run_of(lake))
    moved = lake.rename(lake.with_name("옮긴 호수"))
    assert [run.id for run in History(moved, own(moved)).runs()] == [run_of(lake).id, of_snapshot()]


def test_a_lake_that_is_not_there_is_not_made(tmp_path: Path, warned: list[Problem]) -> None:
    lake = tmp_path / "없음"
    Recorder(own(lake), lake, warned.append).save(run_of(lake), last=True)
    assert (list(tmp_path.iterdir()), warned) == ([], [])


# ---------------------------------------------------------------- broken


@pytest.mark.parametrize("damage", ["text", "torn", "zeros"])
def test_a_broken_ledger_is_kept_and_a_new_one_begun(lake: Path, warned: list[Problem], damage: str) -> None:
    file = lake / "ledger.sqlite"
    recorder = Recorder(own(lake), lake, warned.append)
    recorder.save(run_of(lake, 1))
    content = file.read_bytes()
    broken = {
        "text": "원장이 아니다".encode() * 1000,
        "torn": content[: len(content) // 2],
        "zeros": content[:100] + bytes(len(content) - 100),
    }[damage]
    file.write_bytes(broken)
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 2))
    assert ids(lake) == [run_of(lake, 2).id, of_snapshot()]
    (aside,) = lake.glob("ledger.sqlite.broken-*")
    assert aside.read_bytes() == broken
    (warning,) = warned
    assert warning.where == str(file)
    assert f"it is kept as {aside.name}" in warning.found
    assert "a new ledger is begun, with what the lake's snapshots tell" in warning.do


def test_a_ledger_that_breaks_amid_a_run_has_that_run_in_the_end(lake: Path, warned: list[Problem]) -> None:
    recorder = Recorder(own(lake), lake, warned.append)
    run = run_of(lake, outcome=None)
    recorder.save(run)
    (lake / "ledger.sqlite").write_bytes(b"x" * 5000)
    recorder.save(run)
    recorder.save(run)
    assert read_pending(pending(lake)).runs == (run,)
    run.outcome = Outcome.PASSED
    recorder.save(run, last=True)
    assert ids(lake) == [run.id, of_snapshot()]
    assert not pending(lake).exists()
    assert len(warned) == 2  # that the facts wait, and that a new ledger was begun
    assert "its facts wait in" in warned[0].do


def test_readers_of_a_broken_ledger_change_nothing_and_tell_what_the_lake_knows(lake: Path) -> None:
    (lake / "ledger.sqlite").write_bytes(b"x" * 5000)
    history = History(lake, own(lake))
    assert [run.id for run in history.runs()] == [of_snapshot()]
    assert [problem.found.split(":")[0] for problem in history.problems] == ["is broken"]
    assert (lake / "ledger.sqlite").read_bytes() == b"x" * 5000


# ---------------------------------------------------------------- locked, forbidden, full


@contextmanager
def locked_by_another_process(file: Path) -> Iterator[None]:
    program = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield
        process.communicate()


def test_a_locked_ledger_is_waited_for_once_and_entered_later(
    lake: Path, warned: list[Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY", 0.05)
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 1))
    run = run_of(lake, 2, outcome=None)
    with locked_by_another_process(lake / "ledger.sqlite"):
        recorder = Recorder(own(lake), lake, warned.append)
        for _ in range(3):
            recorder.save(run)
        run.outcome = Outcome.FAILED
        recorder.save(run, last=True)
    (warning,) = warned
    assert "database is locked" in warning.found
    assert f"wait in {pending(lake)}" in warning.do
    newest = History(lake, own(lake)).runs()[0]
    assert (newest.id, newest.outcome) == (run.id, Outcome.FAILED)
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 3))
    assert ids(lake) == [run_of(lake, n).id for n in (3, 2, 1)] + [of_snapshot()]
    assert not pending(lake).exists()


def test_a_ledger_that_may_only_be_read_is_read(warned: list[Problem]) -> None:
    # Not pytest's folder, into which no other user may go.
    root = Path(tempfile.mkdtemp(prefix="dure-read-only-"))
    try:
        lake = root / "호수"
        lake_with_first(lake)
        Recorder(own(lake), lake, warned.append).save(run_of(lake))
        file = lake / "ledger.sqlite"
        before = file.read_bytes()
        for path in [root, *root.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        said = written_by(lake, "nobody")
        assert file.read_bytes() == before
    finally:
        for path in [root, *root.rglob("*")]:
            path.chmod(0o700)
        shutil.rmtree(root)
    first, second, *read = said
    assert first.startswith(f"ledger {file}: cannot be used: attempt to write a readonly database; ")
    assert second == f"{pending(lake)}: cannot be used: Permission denied; the run {run_of(lake, 2).id} is in no ledger"
    assert read == [f"read {run_of(lake).id}", f"read {of_snapshot()}", "exit 0"]


def test_a_read_only_ledger_beside_a_writable_lake_loses_nothing(
    lake: Path, tmp_path: Path, warned: list[Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 1))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for a user without the right to write
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 2), last=True)
    monkeypatch.undo()
    (warning,) = warned
    assert "attempt to write a readonly database" in warning.found
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 3))
    assert ids(lake) == [run_of(lake, n).id for n in (3, 2, 1)] + [of_snapshot()]


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from sample_run import sample_run
from dure.ledger.address import address_of
from dure.ledger.recorder import Recorder
lake = Path(sys.argv[1])
run = sample_run(2, lake=str(lake))
recorder = Recorder(address_of(None, lake), lake, lambda problem: print(problem, flush=True))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
recorder.save(run)
recorder.save(run, last=True)
"""


@pytest.mark.parametrize(("limit", "waits"), [(64 << 10, True), (100, False)])
def test_a_full_disk_ends_no_run(lake: Path, repository: Path, limit: int, waits: bool, warned: list[Problem]) -> None:
    """A limit on file sizes stands for the disk: first the ledger meets it, then also the file in which facts wait."""
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 1))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(lake), str(limit), str(repository / "tests")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "ledger.sqlite: cannot be used: " in done.stdout
    assert pending(lake).exists() == waits or pending(lake).read_bytes() == b""
    assert ("is in no ledger" in done.stdout) != waits
    Recorder(own(lake), lake, warned.append).save(run_of(lake, 3))
    expected = [3, 2, 1] if waits else [3, 1]
    assert ids(lake) == [run_of(lake, n).id for n in expected] + [of_snapshot()]
    assert warned == []


def test_a_ledger_that_never_answers_is_left(
    lake: Path, warned: list[Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(Ledger, "prepare", lambda self: over.wait())
    Recorder(own(lake), lake, warned.append, patience=0.05).save(run_of(lake, outcome=None))
    over.set()
    assert warned[0].found == "has not answered for 0.05 s"
    assert pending(lake).exists()


def test_a_bug_in_the_ledger_ends_no_run(lake: Path, warned: list[Problem], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object) -> None:
        raise TypeError("800101-1234567")

    monkeypatch.setattr(Ledger, "save", wrong)
    Recorder(own(lake), lake, warned.append).save(run_of(lake))
    (warning,) = warned
    assert warning.found == "cannot be used: an unexpected TypeError"
    assert pending(lake).exists()


# ---------------------------------------------------------------- killed, and many at one time


def written_by(lake: Path, what: str) -> list[str]:
    """What the processes of ledger_writers.py say."""
    program = Path(__file__).with_name("ledger_writers.py")
    done = subprocess.run([sys.executable, program, lake, what], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_killed_run_is_seen_to_have_died(lake: Path, warned: list[Problem]) -> None:
    assert written_by(lake, "killed") == [f"exit -{signal.SIGKILL:d}"]
    with closing(sqlite3.connect(lake / "ledger.sqlite")) as plain:

        def outcomes() -> list[str | None]:
            asked = "SELECT outcome FROM dure_run WHERE site = ? ORDER BY started"
            return [outcome for (outcome,) in plain.execute(asked, [SITE])]

        assert outcomes() == ["built", None]
        assert History(lake, own(lake)).runs()[0].outcome is Outcome.DIED
        Recorder(own(lake), lake, warned.append).save(run_of(lake, 2))
        assert outcomes() == ["built", "died", "passed"]


def test_many_sites_write_to_one_new_ledger_at_the_same_time(lake: Path) -> None:
    assert written_by(lake, "many") == ["exit 0"]
    assert len(ids(lake)) == 41
    assert not pending(lake).exists()


def test_many_sites_meet_one_broken_ledger_and_move_it_aside_once(lake: Path) -> None:
    (lake / "ledger.sqlite").write_bytes(b"x" * 5000)
    told, ended = written_by(lake, "many")
    assert "is broken: file is not a database; it is kept as ledger.sqlite.broken-" in told
    assert ended == "exit 0"
    assert len(list(lake.glob("ledger.sqlite.broken-*"))) == 1
    assert len(ids(lake)) == 41
