"""The version of the ledger's schema, and the steps that bring an older ledger to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from sqlalchemy import Connection, func, insert, inspect, select, text

from dure.errors import DureError, ExitCode, Problem
from dure.ledger.tables import Base, VersionRow

VERSION = 1
Step = Callable[[Connection], None]

# The version that a step leads to -> the step, which alters what the version before it had. A new ledger takes none of
# them: it is made as `dure.ledger.tables` says.
STEPS: Mapping[int, Step] = {}

_LOCK = 0x44757265  # of PostgreSQL's advisory locks, for the moment in which a schema is made or altered


class LedgerError(DureError):
    """The ledger cannot be used; whatever was to be written into it goes on without it."""

    exit_code = ExitCode.CONFIGURATION


def bring_up_to_date(connection: Connection, steps: Mapping[int, Step] = STEPS, newest: int = VERSION) -> None:
    """Makes the tables, or takes the steps that an older ledger lacks; inside the caller's transaction.

    Raises LedgerError for a ledger that a newer Dure made: what this one wrote there might be wrong.
    """
    found = _version(connection)
    if found == newest:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        found = _version(connection)  # another run may have been first
        if found == newest:
            return
    if found is not None and found > newest:
        raise LedgerError(
            Problem(
                "the ledger",
                f"has schema version {found}; this Dure ({version('dure')}) knows version {newest}",
                "use the newer Dure, or another --ledger",
            )
        )
    if found is None:
        Base.metadata.create_all(connection)
    for step in range(found + 1, newest + 1) if found is not None else ():
        steps[step](connection)
    row = {"version": newest, "since": datetime.now(UTC), "dure_version": version("dure")}
    connection.execute(insert(VersionRow), [row])


def _version(connection: Connection) -> int | None:
    """The schema's version; None where there is no ledger yet."""
    if not inspect(connection).has_table(VersionRow.__tablename__):
        return None
    return connection.execute(select(func.max(VersionRow.version))).scalar()
