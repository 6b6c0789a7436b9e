"""What a database or its driver says when something is wrong, said again without its words.

Their words may quote a cell, a URL or a password. Only what PostgreSQL says of names that a query uses is passed on: it
speaks of the query, which stands in the spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dure.errors import ConfigurationError, DureError, ExtractNotReadyError, Problem, SourceError


class ConnectionLostError(Exception):
    """The connection broke or was refused for now: worth another try."""

    def __init__(self, found: str, do: str) -> None:
        super().__init__(found)
        self.found, self.do = found, do


class Trouble(Enum):
    """(the error it is, what was found, what to do); LOST is tried again."""

    LOST = (ExtractNotReadyError, "the connection was lost", "is the server up? run again")
    NOT_NOW = (ExtractNotReadyError, "the server takes no connection now", "wait until it does, and run again")
    UNREACHABLE = (ExtractNotReadyError, "cannot connect", "check host and port of the URL, and that the server is up")
    LOGIN = (
        ConfigurationError,
        "the server refuses this user or password",
        "check the URL, and the server's own rules",
    )
    NO_DATABASE = (ConfigurationError, "there is no such database", "check the name of the database in the URL")
    FORBIDDEN = (SourceError, "this user may not read what the query names", "let it select from it, and no more")
    UNKNOWN = (SourceError, "the database does not know what the query names", "check the names in the query")
    SYNTAX = (SourceError, "the database cannot read the query", "try the query in the database's own client")
    WRITES = (SourceError, "the query writes, and a source is only read", "take out of it whatever writes")
    TOO_LONG = (SourceError, "a statement took longer than timeout: {timeout}", "a longer timeout, or partition_on")
    CANCELLED = (SourceError, "somebody cancelled the statement on the server", "run again")
    LOCKED = (SourceError, "a table is locked by somebody else", "run again when they have finished")
    VALUE = (SourceError, "the query computes with a value that does not fit", "look for casts and divisions in it")
    ENCODING = (SourceError, "its text is in an encoding that the database does not know", "let the query convert it")
    FULL = (SourceError, "the server ran out of disk or memory", "partition_on with an index, so that it sorts less")
    TOO_OLD = (
        SourceError,
        "the database no longer knows the moment that is read",
        "a longer undo retention, or fewer rows",
    )
    REFUSED = (SourceError, "the database refused the query", "look in the log of the server")


_T = Trouble
# SQLSTATE of PostgreSQL, or its class of two characters.
_POSTGRESQL = {
    "08": _T.LOST, "57P01": _T.LOST, "57P02": _T.LOST, "25P03": _T.LOST, "40001": _T.LOST,
    "57P03": _T.NOT_NOW, "53300": _T.NOT_NOW,
    "28": _T.LOGIN, "3D000": _T.NO_DATABASE, "42501": _T.FORBIDDEN, "42601": _T.SYNTAX, "42": _T.UNKNOWN,
    "25006": _T.WRITES, "57014": _T.TOO_LONG, "55P03": _T.LOCKED, "22021": _T.ENCODING, "22": _T.VALUE, "53": _T.FULL,
}  # fmt: skip
_NUMBERS = {
    "mysql": {
        1045: _T.LOGIN, 1698: _T.LOGIN, 1049: _T.NO_DATABASE, 1044: _T.FORBIDDEN, 1142: _T.FORBIDDEN, 1143: _T.FORBIDDEN,
        1054: _T.UNKNOWN, 1146: _T.UNKNOWN, 1305: _T.UNKNOWN, 1064: _T.SYNTAX, 1792: _T.WRITES, 3024: _T.TOO_LONG,
        1969: _T.TOO_LONG, 1317: _T.CANCELLED, 1205: _T.LOCKED, 2002: _T.UNREACHABLE, 2003: _T.UNREACHABLE,
        2005: _T.UNREACHABLE, 2006: _T.LOST, 2013: _T.LOST, 1040: _T.NOT_NOW, 1053: _T.LOST,
    },
    "oracle": {
        1017: _T.LOGIN, 1005: _T.LOGIN, 28000: _T.LOGIN, 12514: _T.NO_DATABASE, 12505: _T.NO_DATABASE, 1031: _T.FORBIDDEN,
        942: _T.UNKNOWN, 904: _T.UNKNOWN, 923: _T.SYNTAX, 933: _T.SYNTAX, 936: _T.SYNTAX, 1456: _T.WRITES, 1013: _T.TOO_LONG,
        4024: _T.TOO_LONG, 1555: _T.TOO_OLD, 1652: _T.FULL, 12541: _T.UNREACHABLE, 12545: _T.UNREACHABLE,
        6005: _T.UNREACHABLE, 6000: _T.UNREACHABLE, 3113: _T.LOST, 3114: _T.LOST, 4011: _T.LOST, 1033: _T.NOT_NOW,
        1034: _T.NOT_NOW, 1722: _T.VALUE,
    },
    "mssql": {
        18456: _T.LOGIN, 4060: _T.NO_DATABASE, 229: _T.FORBIDDEN, 230: _T.FORBIDDEN, 208: _T.UNKNOWN, 207: _T.UNKNOWN,
        102: _T.SYNTAX, 156: _T.SYNTAX, 1222: _T.LOCKED, 20003: _T.TOO_LONG, 20009: _T.UNREACHABLE, 20002: _T.UNREACHABLE,
        20004: _T.LOST, 20006: _T.LOST, 20047: _T.LOST, 8134: _T.VALUE, 245: _T.VALUE,
    },
}  # fmt: skip
_NUMBERS["mariadb"] = _NUMBERS["mysql"]
# Beginnings of what SQLite and, before a connection stands, libpq say.
_WORDS = {
    "no such table": _T.UNKNOWN, "no such column": _T.UNKNOWN, "no such function": _T.UNKNOWN,
    "attempt to write": _T.WRITES, "unable to open": _T.UNREACHABLE, "interrupted": _T.TOO_LONG,
    "database is locked": _T.LOCKED, "file is not a database": _T.UNREACHABLE, "near ": _T.SYNTAX,
}  # fmt: skip
_ANYWHERE = {
    "password authentication failed": _T.LOGIN, "no password supplied": _T.LOGIN, "no pg_hba.conf entry": _T.LOGIN,
    "authentication failed": _T.LOGIN, "role \"": _T.LOGIN, "database \"": _T.NO_DATABASE, "starting up": _T.NOT_NOW,
    "shutting down": _T.NOT_NOW, "too many": _T.NOT_NOW, "remaining connection slots": _T.NOT_NOW,
    "recovery": _T.NOT_NOW,
}  # fmt: skip


@contextmanager
def told(dialect: str, where: str, doing: str, timeout: str) -> Iterator[None]:
    """Turns what a database or its driver raises into ConnectionLostError or an error of Dure's.

    `doing` is what was being done, "" while connecting. The original is not chained: a traceback would show it.
    """
    try:
        yield
    except (SQLAlchemyError, psycopg.Error) as error:
        raise _told(error, dialect, where, doing, timeout) from None


def _told(
    error: SQLAlchemyError | psycopg.Error, dialect: str, where: str, doing: str, timeout: str
) -> ConnectionLostError | DureError:
    trouble, more = _known(error, dialect, connecting=not doing)
    kind: type[DureError]
    kind, found, do = trouble.value
    found = found.format(timeout=timeout) + more
    if trouble in (Trouble.LOST, Trouble.NOT_NOW) or (trouble is Trouble.UNREACHABLE and dialect != "sqlite"):
        return ConnectionLostError(found, do)
    return kind(Problem(where, f"{doing}: {found}" if doing else found, do))


def _known(error: SQLAlchemyError | psycopg.Error, dialect: str, *, connecting: bool) -> tuple[Trouble, str]:
    """The trouble that an error is, and what more may be shown of it."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original, psycopg.Error):
        return _of_postgresql(original, connecting=connecting)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Trouble.LOST, ""
    number = _number(original)
    if (known := _NUMBERS.get(dialect, {}).get(number)) is not None:
        return known, f" ({number})"
    text = str(original).lower()
    for words, trouble in _WORDS.items() if dialect == "sqlite" else ():
        if text.startswith(words):
            return trouble, ""
    more = f" ({number})" if number else ""
    return (Trouble.UNREACHABLE if connecting else Trouble.REFUSED), more


def _of_postgresql(error: psycopg.Error, *, connecting: bool) -> tuple[Trouble, str]:
    state = error.sqlstate or ""
    if not state:
        text = str(error).lower()
        if connecting:
            return next((each for words, each in _ANYWHERE.items() if words in text), Trouble.UNREACHABLE), ""
        # What libpq itself says of a result that never came is the bare class.
        lost = isinstance(error, psycopg.OperationalError) or type(error) is psycopg.DatabaseError
        return (Trouble.LOST if lost else Trouble.VALUE), ""
    trouble = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2]) or Trouble.REFUSED
    said = error.diag.message_primary or ""
    if trouble is Trouble.TOO_LONG and "statement timeout" not in said:
        trouble = Trouble.CANCELLED
    if trouble in (Trouble.UNKNOWN, Trouble.SYNTAX):
        return trouble, f" ({' '.join(said.split())})"
    return trouble, f" ({state})"


def _number(error: BaseException) -> int:
    """The number that a driver gives an error; 0 where it has none."""
    first = error.args[0] if error.args else 0
    first = getattr(first, "code", first)  # oracledb
    if isinstance(first, tuple) and first:
        first = first[0]  # pymssql
    return int(first) if isinstance(first, int) else 0
