"""What PostgreSQL says when it refuses, said again without its words: they may quote a patient's value or a URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from dure.database_url import Database
from dure.errors import ConfigurationError, DureError, IntegrityError, Problem

_LOST = "the connection was lost"
_AGAIN = "publish again; what a load left behind is removed then"

# SQLSTATE, or its class of two characters -> what it means, what to do.
_SURROUNDINGS = {
    "08": (_LOST, _AGAIN),
    "57P01": ("the server ended the connection", _AGAIN),
    "57P02": ("the server crashed", "look at its log, then publish again"),
    "57P03": ("the server is starting or stopping", "publish again when it accepts connections"),
    "57014": ("the statement was cancelled", "look for a statement_timeout of this role, then publish again"),
    "55P03": ("a table is locked by somebody else", "publish again when they have finished"),
    "53100": ("the server's disk is full", "make room: a load needs the old rows and the new ones for a while"),
    "53200": ("the server is out of memory", "give it more memory, then publish again"),
    "53300": ("the server accepts no more connections", "publish again later"),
    "28": ("the server refuses this user or password", "check PGPASSWORD and the server's pg_hba.conf"),
    "3D000": ("no such database", "create it, with encoding UTF8"),
    "42501": ("this user may not do that", "let it own the schema, with the right CREATE on the database"),
    "25006": ("the server is read only", "publish to the primary, not to a standby"),
}
_CONTENT = {
    "23502": "a row has no value where the CDM requires one",
    "23505": "two rows have one key",
    "22007": "a date that PostgreSQL cannot read",
    "22P02": "a value that its column cannot hold",
    "22021": "a text is not valid UTF-8",
    "22003": "a number is too large for its column",
    "22008": "a date is outside of what PostgreSQL can hold",
    "22001": "a text is too long for its column",
}


@contextmanager
def explained(database: Database, doing: str, consequence: str = "") -> Iterator[None]:
    """Turns an error of PostgreSQL or of its client into one of Dure's.

    `doing` names the table or step, "" while connecting; `consequence` says what the database holds now. The original is not chained: a
    traceback would show it.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _explanation(error, database, doing, consequence) from None


def _explanation(error: psycopg.Error, database: Database, doing: str, consequence: str) -> DureError:
    state = error.sqlstate or ""
    where = f"{database.shown} ({doing})" if doing else database.shown
    place = ".".join(part for part in (error.diag.table_name, error.diag.column_name) if part)
    if state in _CONTENT:
        return IntegrityError(
            Problem(
                where, f"{place + ': ' if place else ''}{_CONTENT[state]}", _ended("look for it there", consequence)
            )
        )
    known = _SURROUNDINGS.get(state) or _SURROUNDINGS.get(state[:2])
    if known is None and isinstance(error, psycopg.OperationalError) and not state:
        # Before a connection stands, the text is libpq's own and holds nothing of the data.
        text = _LOST if doing else _one_line(database.scrubbed(str(error)))
        known = (text, "check host, port, database, user, password and that the server runs" if not doing else _AGAIN)
    if known is None:
        known = (f"PostgreSQL refused it with {state or type(error).__name__}", "look in the server's log")
    found, do = known
    return ConfigurationError(Problem(where, found, _ended(do, consequence)))


def _ended(do: str, consequence: str) -> str:
    return f"{do}; {consequence}" if consequence else do


def _one_line(text: str) -> str:
    return " ".join(text.split())
