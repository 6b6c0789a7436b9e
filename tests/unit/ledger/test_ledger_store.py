"""The ledger as a file of SQLite: what goes in comes out, whatever version made it."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from dure.errors import ConfigurationError
from dure.ledger import schema
from dure.ledger.address import Address, address_of
from dure.ledger.facts import Outcome
from dure.ledger.schema import LedgerError
from dure.ledger.store import Ledger
from sample_run import SITE, STARTED, sample_run

LAKE = "/자료/호수"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "원장.sqlite"


@pytest.fixture
def ledger(file: Path) -> Ledger:
    """One that many lakes share, so that it tells them apart."""
    made = Ledger(Address(str(file), file))
    made.prepare()
    return made


def test_what_is_saved_comes_back_with_every_part(ledger: Ledger) -> None:
    run = sample_run()
    ledger.save([run])
    assert ledger.named(run.id) == [run]


def test_a_run_saved_again_is_there_once_as_it_is_now(ledger: Ledger, file: Path) -> None:
    run = sample_run(outcome=None, ended=None, seconds=None, exit_code=None)
    for _ in range(3):
        ledger.save([run])
    run = sample_run(stages=[])
    ledger.save([run])
    assert ledger.named(run.id) == [run]
    with sqlite3.connect(file) as connection:
        tables = ("dure_run", "dure_run_stage", "dure_run_written", "dure_run_file", "dure_run_problem")
        counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    assert counts == [1, 0, 2, 1, 1]


def test_either_all_runs_are_saved_or_none(ledger: Ledger) -> None:
    wrong = sample_run(2)
    wrong.tables[0].__dict__["rows"] = None
    with pytest.raises(LedgerError):
        ledger.save([sample_run(), wrong])
    assert ledger.runs(LAKE) == []


def test_the_newest_runs_come_first_and_can_be_chosen(ledger: Ledger) -> None:
    ledger.save([sample_run(n) for n in (2, 1, 3)])
    ledger.save([sample_run(4, site="gangsan", name="강산병원"), sample_run(5, lake="/other")])

    def days(**chosen: object) -> list[int]:
        return [(run.started - STARTED).days + 1 for run in ledger.runs(LAKE, **chosen)]  # type: ignore[arg-type]

    assert days() == [4, 3, 2, 1]
    assert days(limit=2) == [4, 3]
    assert days(sites=[SITE]) == [3, 2, 1]
    assert days(sites=["강산병원"]) == [4]
    assert days(since=STARTED + timedelta(days=2)) == [4, 3]
    assert days(unfinished=True) == []
    assert [run.lake for run in ledger.runs(limit=1)] == ["/other"]


def test_moments_keep_their_place_in_time(ledger: Ledger) -> None:
    seoul = datetime.fromisoformat("2026-03-15T11:30:00.123456+09:00")
    ledger.save([sample_run(started=seoul)])
    (found,) = ledger.runs(LAKE)
    assert found.started == seoul
    assert found.started.tzinfo is UTC


def test_a_run_is_found_by_the_beginning_of_its_id_or_its_snapshot(ledger: Ledger) -> None:
    runs = [sample_run(n) for n in (1, 2)]
    ledger.save(runs)
    assert ledger.named("20260315T") == runs[:1]
    assert ledger.named("2026031") == runs
    assert ledger.named("20260316T023000Z") == runs[1:]
    assert ledger.named("%") == ledger.named("_") == []


def test_the_file_is_its_owners_alone(ledger: Ledger, file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600


def test_bytes_and_characters_that_a_database_refuses_are_written_out(ledger: Ledger) -> None:
    run = type(sample_run()).model_validate(sample_run().model_dump() | {"name": "\udcb9\0바다"})
    ledger.save([run])
    assert ledger.runs(LAKE)[0].name == "\\xb9\\0바다"


def test_only_runs_that_have_not_ended_can_be_found_dead(ledger: Ledger) -> None:
    ended, open_one = sample_run(1), sample_run(2, outcome=None, exit_code=None)
    ledger.save([ended, open_one])
    ledger.end_dead([ended.id, open_one.id])
    assert [run.outcome for run in ledger.runs(LAKE)] == [Outcome.DIED, Outcome.PASSED]


def test_an_older_ledger_takes_the_steps_that_it_lacks_and_keeps_its_rows(ledger: Ledger, file: Path) -> None:
    ledger.save([sample_run()])
    taken: list[int] = []

    def second(connection: Connection) -> None:
        taken.append(2)
        connection.execute(text("ALTER TABLE dure_run ADD COLUMN ward TEXT"))

    def third(connection: Connection) -> None:
        taken.append(3)
        connection.execute(text("UPDATE dure_run SET ward = '101병동'"))

    with ledger._writing() as connection:
        schema.bring_up_to_date(connection, {2: second, 3: third}, newest=3)
        schema.bring_up_to_date(connection, {2: second, 3: third}, newest=3)
    assert taken == [2, 3]
    with sqlite3.connect(file) as plain:
        assert plain.execute("SELECT ward FROM dure_run").fetchall() == [("101병동",)]
        assert plain.execute("SELECT max(version) FROM dure_ledger_version").fetchall() == [(3,)]


def test_a_step_that_fails_leaves_the_ledger_as_it_was(ledger: Ledger, file: Path) -> None:
    def failing(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE dure_run ADD COLUMN ward TEXT"))
        connection.execute(text("UPDATE nothing SET x = 1"))

    with pytest.raises(LedgerError), ledger._writing() as connection:
        schema.bring_up_to_date(connection, {2: failing}, newest=2)
    ledger.save([sample_run()])
    with sqlite3.connect(file) as plain:
        assert "ward" not in [row[1] for row in plain.execute("PRAGMA table_info(dure_run)")]


def test_every_version_has_its_step() -> None:
    assert sorted(schema.STEPS) == list(range(2, schema.VERSION + 1))


def test_a_ledger_of_a_newer_dure_is_left_alone(ledger: Ledger, file: Path) -> None:
    with sqlite3.connect(file) as plain:
        plain.execute("UPDATE dure_ledger_version SET version = 99")
    with pytest.raises(LedgerError, match="has schema version 99"):
        ledger.prepare()


def test_a_password_stands_in_no_address_that_others_can_read(tmp_path: Path) -> None:
    for given in (
        "postgresql://dure:s3cret@db/ledger",
        "postgresql+psycopg://dure:s3cret@db/ledger",
        "postgresql://dure@db/ledger?password=s3cret",
        "mysql://dure:s3cret@db/ledger",
        "sqlite:///",
        "s3cret",
    ):
        with pytest.raises(ConfigurationError) as refused:
            address_of(given, tmp_path)
        assert "s3cret" not in str(refused.value)


def test_the_ways_to_name_a_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = address_of(None, tmp_path)
    assert own is not None and (own.file, own.of_lake) == (tmp_path / "ledger.sqlite", True)
    assert address_of("none", tmp_path) is None
    other = address_of(f"sqlite:///{tmp_path}/원장.sqlite", tmp_path)
    assert other is not None and (other.file, other.of_lake) == (tmp_path / "원장.sqlite", False)
    monkeypatch.setenv("BADA_LEDGER", "postgresql+psycopg://dure:s3cret@db:5433/ledger")
    secret = tmp_path / "url"
    secret.write_text("postgresql://dure:s3cret@db:5433/ledger\n")
    secret.chmod(0o600)
    for found in (
        address_of("env:BADA_LEDGER", tmp_path),
        address_of(f"file:{secret}", tmp_path),
        address_of("postgresql://dure:s3cret@db:5433/ledger", tmp_path, private=True),
    ):
        assert found is not None
        assert found.shown == "postgresql://dure@db:5433/ledger"
        assert "s3cret" not in repr(found)
    secret.chmod(0o644)
    with pytest.raises(ConfigurationError, match="mode 0644"):
        address_of(f"file:{secret}", tmp_path)
