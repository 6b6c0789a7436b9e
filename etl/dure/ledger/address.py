"""Where the ledger is: a file of SQLite in the lake, or a database of PostgreSQL, named without a password."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dure.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from dure.database_url import Database

FILE, PENDING = "ledger.sqlite", "ledger-pending.jsonl"
NONE = "none"
_SQLITE = "sqlite:///"
_DRIVER = "postgresql+psycopg://"
_FORMS = "postgresql://USER@HOST/DATABASE, sqlite:///FILE, env:NAME or file:PATH that hold one of these, or none"


@dataclass(frozen=True)
class Address:
    """One ledger. `file` of SQLite or else `database` of PostgreSQL; `of_lake` where it lies in its only lake."""

    shown: str
    file: Path | None = None
    database: Database | None = None
    of_lake: bool = False


def address_of(given: str | None, lake: Path, *, private: bool = False) -> Address | None:
    """The ledger that --ledger names, by default the lake's own; None for `none`.

    A password may stand in it where it is `private`, as in the environment. Raises ConfigurationError, which shows none.
    """
    if given is None:
        file = lake.absolute() / FILE
        return Address(str(file), file, of_lake=True)
    if given == NONE:
        return None
    text, where = given, "--ledger"
    if given.startswith(("env:", "file:")):
        from dure.database_url import private_value

        text, where, private = private_value(given), f"--ledger {given}", True
    if text.startswith(_SQLITE) and text != _SQLITE:
        file = Path(text.removeprefix(_SQLITE)).expanduser().absolute()
        return Address(str(file), file)
    if text.startswith(_DRIVER):
        text = "postgresql://" + text.removeprefix(_DRIVER)
    if "://" not in text or text.startswith(("sqlite", "mysql", "oracle", "mssql")):
        raise ConfigurationError(Problem(where, "names no ledger", f"expected {_FORMS}"))
    from dure.database_url import parsed

    database = parsed(text, where, private=private)
    return Address(database.shown, database=database)
