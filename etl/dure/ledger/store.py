"""Writes the facts of runs into the ledger's tables, and reads them back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, delete, event, func, insert, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dure.errors import Problem
from dure.ledger.address import Address
from dure.ledger.facts import Outcome, RunFacts
from dure.ledger.schema import LedgerError, bring_up_to_date
from dure.ledger.tables import FACTS, PARTS, RunRow, VersionRow

if TYPE_CHECKING:
    from dure.database_url import Database

# Seconds that SQLite waits while another run writes; a run's transaction takes some milliseconds.
BUSY = 5.0
_MILLISECONDS = 1000
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class BrokenLedgerError(LedgerError):
    """The ledger's file is not, or no longer, a database."""


class Ledger:
    """One ledger, opened when it is first asked for something. Every method raises LedgerError, without a password."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._engine = _postgres(address.database) if address.database is not None else _sqlite(address.file or Path())

    def prepare(self) -> None:
        """Makes the tables, or brings those of an older version up to date."""
        with self._writing() as connection:
            bring_up_to_date(connection)

    def save(self, runs: Iterable[RunFacts]) -> None:
        """Writes these runs as they are now, whatever the ledger has of them, all or none."""
        with self._writing() as connection:
            for facts in runs:
                _replace(connection, facts)

    def end_dead(self, run_ids: Sequence[str]) -> None:
        """Notes of runs whose process is gone that they died, where they have not ended meanwhile."""
        with self._writing() as connection:
            connection.execute(
                update(RunRow)
                .where(RunRow.id.in_(run_ids), RunRow.outcome.is_(None))
                .values(outcome=Outcome.DIED.value)
            )

    def has_runs_of(self, lake: str) -> bool:
        with self._reading() as session:
            return session.scalar(select(RunRow.id).where(*self._of(lake)).limit(1)) is not None

    def snapshots(self, lake: str) -> set[tuple[str, str]]:
        """(site, snapshot) of every run of the lake that left one."""
        with self._reading() as session:
            asked = select(RunRow.site, RunRow.snapshot).where(*self._of(lake), RunRow.snapshot.is_not(None))
            return {(site, str(snapshot)) for site, snapshot in session.execute(asked)}

    def runs(
        self,
        lake: str | None = None,
        *,
        sites: Sequence[str] = (),
        since: datetime | None = None,
        limit: int | None = None,
        unfinished: bool = False,
    ) -> list[RunFacts]:
        """Runs without their parts, the newest first; `sites` by their id or by the name they were run under."""
        asked = select(RunRow).order_by(RunRow.started.desc(), RunRow.id.desc()).limit(limit)
        if lake is not None:
            asked = asked.where(*self._of(lake))
        if sites:
            asked = asked.where(RunRow.site.in_(sites) | RunRow.name.in_(sites))
        if since is not None:
            asked = asked.where(RunRow.started >= since)
        if unfinished:
            asked = asked.where(RunRow.outcome.is_(None))
        with self._reading() as session:
            return [_facts(row, {}) for row in session.scalars(asked)]

    def last_runs(self, lake: str) -> list[RunFacts]:
        """The last `dure run` of each site of the lake, without its parts."""
        last = select(func.max(RunRow.id)).where(*self._of(lake), RunRow.command == "run").group_by(RunRow.site)
        with self._reading() as session:
            return [_facts(row, {}) for row in session.scalars(select(RunRow).where(RunRow.id.in_(last)))]

    def named(self, text: str, lake: str | None = None) -> list[RunFacts]:
        """Runs, with their parts, whose id begins with the text or that made the snapshot of that name."""
        matches = RunRow.id.startswith(text, autoescape=True) | (RunRow.snapshot == text)
        asked = select(RunRow).where(matches).order_by(RunRow.started).limit(20)
        if lake is not None:
            asked = asked.where(*self._of(lake))
        with self._reading() as session:
            return [_facts(row, _parts(session, row.id)) for row in session.scalars(asked).all()]

    def close(self) -> None:
        self._engine.dispose()

    def _of(self, lake: str) -> list[Any]:
        """A ledger that lies in a lake is of that lake alone, wherever the lake has been moved."""
        return [] if self.address.of_lake else [RunRow.lake == lake]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._told(), self._engine.connect() as connection:
            reading = connection.execution_options(dure_reading=True)
            if not inspect(reading).has_table(VersionRow.__tablename__):
                raise LedgerError(Problem(self.address.shown, "holds no ledger yet", "the first run makes it"))
            with Session(reading) as session:
                yield session

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._error(error) from None  # its own text quotes statements and their values
        except OSError as error:
            found = error.strerror or type(error).__name__
            raise LedgerError(Problem(self.address.shown, f"cannot be used: {found}", "look at that file")) from None

    def _error(self, error: SQLAlchemyError) -> LedgerError:
        origin = getattr(error, "orig", None)
        said = " ".join(str(origin or error).split())
        if self.address.database is not None:
            said = self.address.database.scrubbed(said)
            return LedgerError(Problem(self.address.shown, f"cannot be used: {said}", "look at that database"))
        if getattr(origin, "sqlite_errorcode", 0) & 0xFF in _BROKEN:
            return BrokenLedgerError(Problem(self.address.shown, f"is broken: {said}", "the next run makes a new one"))
        return LedgerError(Problem(self.address.shown, f"cannot be used: {said}", "look at that file and its disk"))


def _replace(connection: Connection, facts: RunFacts) -> None:
    document = facts.model_dump()
    row = {name: document[name] for name in FACTS}
    with Session(connection) as session:
        if session.execute(update(RunRow).where(RunRow.id == facts.id).values(**row)).rowcount:  # type: ignore[attr-defined]
            for part in PARTS.values():
                session.execute(delete(part).where(part.run_id == facts.id))
        else:
            session.execute(insert(RunRow), [row])
        for name, part in PARTS.items():
            if document[name]:
                rows = [{"run_id": facts.id, "position": n, **each} for n, each in enumerate(document[name])]
                session.execute(insert(part), rows)
        session.commit()


def _facts(row: RunRow, parts: dict[str, Any]) -> RunFacts:
    return RunFacts.model_validate({name: getattr(row, name) for name in FACTS} | parts)


def _parts(session: Session, run_id: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, part in PARTS.items():
        names = [each.key for each in inspect(part).column_attrs if each.key not in ("run_id", "position")]
        found = session.scalars(select(part).where(part.run_id == run_id).order_by(part.position))
        parts[name] = [{each: getattr(row, each) for each in names} for row in found]
    return parts


def _sqlite(file: Path) -> Engine:
    """A rollback journal and not a write-ahead log: that one needs memory shared by all writers, so not over NFS."""

    def connect() -> sqlite3.Connection:
        if not file.exists():
            if not file.parent.is_dir():
                raise FileNotFoundError(2, "no such folder", str(file.parent))
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
        how = "rw" if os.access(file, os.W_OK) else "ro"
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode={how}", uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    # A transaction that writes takes the lock at once: taking it halfway can fail however long one waits.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("dure_reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgres(database: Database) -> Engine:
    def connect() -> Any:
        return database.opened(
            autocommit=False,
            connect_timeout="5",
            tcp_user_timeout=str(10 * _MILLISECONDS),
            application_name="dure ledger",
        )

    engine = create_engine("postgresql+psycopg://", creator=connect, pool_pre_ping=True, pool_size=1, max_overflow=0)

    # Not as options of the connection, which a connection pooler between may refuse.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(
            f"SET LOCAL statement_timeout = {10 * _MILLISECONDS}; SET LOCAL lock_timeout = {5 * _MILLISECONDS}"
        )

    return engine
