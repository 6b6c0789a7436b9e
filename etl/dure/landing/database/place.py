"""Where a source's database is: found from what the spec says, and named so that neither host nor password is shown."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from dure.database_url import private_value
from dure.errors import ConfigurationError, Problem
from dure.landing.database.dialects import DIALECTS, Dialect
from dure.site.database_text import SQL_OF

_QUIET = logging.NullHandler()
_FORM = "DIALECT://USER:PASSWORD@HOST:PORT/DATABASE, special characters percent-encoded; DIALECT one of " + ", ".join(
    SQL_OF
)


@dataclass(frozen=True)
class Place:
    """One database as one source names it: `shown` is `SOURCE@NAME`, the `_file` of its rows."""

    shown: str
    where: str
    dialect: Dialect
    url: URL = field(repr=False)

    def engine(self) -> Engine:
        """What connects to it, a new connection each time."""
        given = {name: value for name, value in self.dialect.connect.items() if name not in self.url.query}
        arguments: dict[str, Any] = {**given}
        for name in ("sqlalchemy", "psycopg"):  # what they log may quote a cell; all of it is raised as well
            logging.getLogger(name).propagate = False
            logging.getLogger(name).addHandler(_QUIET)
        return create_engine(
            self.url, poolclass=NullPool, pool_reset_on_return=None, connect_args=arguments, hide_parameters=True
        )


def place_of(source: str, connection: str, environ: Mapping[str, str] | None = None) -> Place:
    """The database that a source's `connection` names.

    Raises ConfigurationError, which never repeats the URL.
    """
    where = f"sources.{source}.connection"
    url, name = _url(where, connection, environ)
    dialect = DIALECTS[_dialect(url)]
    if importlib.util.find_spec(dialect.module) is None:
        found = f"the driver of {dialect.product}, {dialect.module}, is not installed"
        raise ConfigurationError(Problem(where, found, f"install it: pip install 'dure[{dialect.extra}]'"))
    return Place(f"{source}@{name or Path(url.database or dialect.name).stem}", where, dialect, _driven(url, dialect))


def _url(where: str, connection: str, environ: Mapping[str, str] | None) -> tuple[URL, str]:
    """The URL, and the name of the variable or file that it was read from."""
    text, name = connection, ""
    if connection.startswith(("env:", "file:")):
        try:
            text = private_value(connection, environ, f"set it to a URL: {_FORM}")
        except ConfigurationError as error:
            raise ConfigurationError([Problem(f"{where} {p.where}", p.found, p.do) for p in error.problems]) from None
        where = f"{where} {connection}"
        name = connection.removeprefix("env:") if connection.startswith("env:") else Path(connection[5:]).stem
    malformed = ConfigurationError(Problem(where, "is not the URL of a database that Dure reads", f"expected {_FORM}"))
    try:
        url = make_url(re.sub("^postgres://", "postgresql://", text))
    except (ArgumentError, ValueError):
        url = None
    if url is None or _dialect(url) not in DIALECTS:
        raise malformed  # outside of the except clause: SQLAlchemy's message quotes the URL
    return url, name


def _dialect(url: URL) -> str:
    return url.drivername.partition("+")[0]


def _driven(url: URL, dialect: Dialect) -> URL:
    """The URL with the one driver that Dure uses; a file of SQLite is opened to be read only, and never made."""
    url = url.set(drivername=dialect.driver)
    if dialect.name == "sqlite":
        path = Path(url.database or "").expanduser().absolute()
        return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    return url
