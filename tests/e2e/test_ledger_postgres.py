"""The ledger in a real PostgreSQL: shared by lakes, and with a server that goes away, stops or refuses."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from postgres_server import PASSWORD, Server, running_server
from sqlalchemy import Connection, text

from dure.errors import Problem
from dure.ledger import schema
from dure.ledger.address import Address, address_of
from dure.ledger.facts import Outcome
from dure.ledger.history import History
from dure.ledger.pending import read_pending
from dure.ledger.recorder import PATIENCE, Recorder
from dure.ledger.schema import LedgerError
from dure.ledger.store import Ledger
from sample_run import sample_run

_numbers = count(1)
pytestmark = [pytest.mark.postgres, pytest.mark.together]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def address(server: Server) -> Address:
    """An empty database of the test's own."""
    found = address_of(
        server.new_database(f"ledger_{next(_numbers)}").replace("postgresql://", "postgresql+psycopg://"), Path("/lake")
    )
    assert found is not None
    return found


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    (tmp_path / "호수").mkdir()
    return tmp_path / "호수"


def test_what_is_saved_comes_back_with_every_part(address: Address) -> None:
    ledger = Ledger(address)
    ledger.prepare()
    ledger.save([sample_run(outcome=None), sample_run(2)])
    ledger.save([sample_run()])
    assert ledger.named(sample_run().id) == [sample_run()]
    assert [run.id for run in ledger.runs("/자료/호수", limit=1)] == [sample_run(2).id]
    assert ledger.snapshots("/자료/호수") == {("바다병원", "20260315T023000Z"), ("바다병원", "20260316T023000Z")}
    ledger.close()


def test_lakes_that_share_a_ledger_see_their_own_runs(address: Address, lake: Path) -> None:
    warned: list[Problem] = []
    Recorder(address, lake, warned.append).save(sample_run(1, lake="/elsewhere"))
    Recorder(address, lake, warned.append).save(sample_run(2, lake=str(lake)))
    assert [run.id for run in History(lake, address).runs()] == [sample_run(2).id]
    assert warned == []


def test_many_runs_make_the_tables_at_the_same_time(address: Address) -> None:
    failed: list[BaseException] = []

    def prepare(number: int) -> None:
        try:
            ledger = Ledger(address)
            ledger.prepare()
            ledger.save([sample_run(number)])
            ledger.close()
        except LedgerError as error:
            failed.append(error)

    threads = [threading.Thread(target=prepare, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(Ledger(address).runs()) == 6


def test_an_older_ledger_takes_its_steps_or_none(address: Address) -> None:
    ledger = Ledger(address)
    ledger.prepare()
    ledger.save([sample_run()])

    def add(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE dure_run ADD COLUMN ward TEXT DEFAULT '101병동'"))

    def fail(connection: Connection) -> None:
        connection.execute(text("UPDATE nothing SET x = 1"))

    with pytest.raises(LedgerError), ledger._writing() as connection:
        schema.bring_up_to_date(connection, {2: add, 3: fail}, newest=3)
    with ledger._writing() as connection:
        assert connection.execute(text("SELECT max(version) FROM dure_ledger_version")).scalar() == schema.VERSION
        schema.bring_up_to_date(connection, {2: add}, newest=2)
        assert connection.execute(text("SELECT ward FROM dure_run")).scalar() == "101병동"
    with pytest.raises(LedgerError, match="has schema version 2"):
        ledger.prepare()
    ledger.close()


def test_a_server_that_is_lost_amid_a_run_gets_its_facts_later(lake: Path) -> None:
    warned: list[Problem] = []
    with running_server() as server:
        address = address_of(server.new_database("ledger"), lake)
        assert address is not None
        recorder = Recorder(address, lake, warned.append)
        run = sample_run(lake=str(lake), outcome=None)
        recorder.save(run)
        server.stop()
        recorder.save(run)
        run.outcome = Outcome.PASSED
        recorder.save(run, last=True)
        (warning,) = warned
        assert warning.where == f"ledger {address.shown}"
        assert "cannot be used" in warning.found
        assert "the run goes on; its facts wait in" in warning.do
        assert read_pending(lake / "ledger-pending.jsonl").runs == (run,)
        history = History(lake, address)
        assert (history.runs(), len(history.problems)) == ([run], 1)
        server.start()
        Recorder(address, lake, warned.append).save(sample_run(2, lake=str(lake)))
        assert [found.outcome for found in Ledger(address).runs()] == [Outcome.PASSED, Outcome.PASSED]
    assert len(warned) == 1
    assert not (lake / "ledger-pending.jsonl").exists()


def test_a_server_that_is_frozen_is_left_after_a_while(server: Server, address: Address, lake: Path) -> None:
    """It keeps its connections and says nothing: no timeout of its own would ever come."""
    warned: list[Problem] = []
    recorder = Recorder(address, lake, warned.append)
    run = sample_run(lake=str(lake), outcome=None)
    recorder.save(run)
    assert warned == []
    with server.connect() as other:
        asked = b"SELECT pid FROM pg_stat_activity WHERE application_name = 'dure ledger' AND datname = %s"
        (pid,) = other.execute(asked, [address.shown.rpartition("/")[2]]).fetchone()
        os.kill(pid, signal.SIGSTOP)
        try:
            recorder.patience = 0.3
            recorder.save(run)
        finally:
            os.kill(pid, signal.SIGCONT)
            recorder.patience = PATIENCE
    assert [problem.found for problem in warned] == ["has not answered for 0.3 s"]
    run.outcome = Outcome.PASSED
    recorder.save(run, last=True)
    assert [found.outcome for found in Ledger(address).runs()] == [Outcome.PASSED]
    assert not (lake / "ledger-pending.jsonl").exists()


def test_a_wrong_password_is_told_without_it(server: Server, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    warned: list[Problem] = []
    address = address_of(f"postgresql://nobody@127.0.0.1:{server.port}/postgres", lake)
    assert address is not None
    Recorder(address, lake, warned.append).save(sample_run(lake=str(lake)))
    (warning,) = warned
    assert "authentication failed" in warning.found
    assert PASSWORD not in str(warning)
    assert read_pending(lake / "ledger-pending.jsonl").runs == (sample_run(lake=str(lake)),)


def test_a_password_of_the_environment_opens_it(server: Server, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.connect() as connection:
        connection.execute(f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'".encode())
        connection.execute("CREATE DATABASE kept OWNER keeper")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    warned: list[Problem] = []
    address = address_of(f"postgresql://keeper@127.0.0.1:{server.port}/kept", lake)
    assert address is not None
    Recorder(address, lake, warned.append).save(sample_run(lake=str(lake)))
    assert warned == []
    assert len(Ledger(address).runs()) == 1
