"""Where a PostgreSQL database is and how to log in, said so that no password is ever shown.

A URL on the command line stands in the shell's history and in the list of processes, so one with a password is
refused. A password comes from PGPASSWORD or a .pgpass file, which the PostgreSQL client reads by itself, or inside the
URL when that stands in an environment variable (`env:BADA_DB`) or in a file that is its owner's alone (`file:PATH`).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from dure.errors import ConfigurationError, Problem

SCHEMES = ("postgresql://", "postgres://")
_FORM = "expected postgresql://USER@HOST:PORT/DATABASE, with special characters in it percent-encoded"
_ELSEWHERE = (
    "leave the password out and set PGPASSWORD (or ~/.pgpass), or give the whole URL as env:NAME, the name of an "
    "environment variable, or file:PATH, a file with mode 0600"
)
_SECRET_PARAMETERS = ("password", "sslpassword")
# What is shown of a URL. A part with any other character may be a piece of a password that was not encoded.
_SHOWN = {
    "user": re.compile(r"[\w.-]*"),
    "host": re.compile(r"[\w.:/,%-]*"),
    "port": re.compile(r"[0-9,]*"),
    "dbname": re.compile(r"[\w.-]*"),
}
_HIDDEN = "***"


@dataclass(frozen=True)
class Database:
    """One database: `shown` names it in messages, `parameters` are those of libpq, with the password if one is known."""

    shown: str
    parameters: Mapping[str, str] = field(repr=False)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A new connection in autocommit; raises psycopg.OperationalError."""
        return self.opened(autocommit=True, connect_timeout="15", application_name="dure publish")

    def opened(self, *, autocommit: bool, **defaults: str) -> psycopg.Connection[tuple[object, ...]]:
        """A new connection; `defaults` are parameters of libpq that the URL may override."""
        given = {"client_encoding": "utf8", **defaults, **self.parameters}
        return psycopg.connect(make_conninfo("", **given), autocommit=autocommit)

    def scrubbed(self, text: str) -> str:
        """A text in which no known password stands, plain or percent-encoded."""
        known = {self.parameters.get(name, "") for name in _SECRET_PARAMETERS} | {os.environ.get("PGPASSWORD", "")}
        forms = {form for secret in known if secret for form in (secret, quote(secret, safe=""), quote(secret))}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, _HIDDEN)
        return text


def database(target: str, environ: Mapping[str, str] | None = None) -> Database:
    """The database that `target` names: a URL without a password, `env:NAME` or `file:PATH`.

    Raises ConfigurationError, which never repeats the URL.
    """
    if target.startswith(("env:", "file:")):
        return parsed(private_value(target, environ, f"set it to a URL; {_FORM}"), target, private=True)
    return parsed(target, "the URL", private=False)


def parsed(url: str, where: str, *, private: bool) -> Database:
    """The database of a URL, which may hold a password where it was read from a `private` place; `where` names that."""
    found = _parsed(url, where)
    if not private and any(name in found.parameters for name in _SECRET_PARAMETERS):
        raise ConfigurationError(Problem(where, "holds a password, which others can read there", _ELSEWHERE))
    return found


def _parsed(url: str, where: str) -> Database:
    malformed = ConfigurationError(Problem(where, "is not the URL of a PostgreSQL database", _FORM))
    if not url.startswith(SCHEMES):
        raise malformed
    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:
        raise malformed from None  # libpq's own message quotes the URL
    if not all(form.fullmatch(parameters.get(name, "")) for name, form in _SHOWN.items()):
        raise malformed
    user, host, port, name = (parameters.get(part, "") for part in _SHOWN)
    place = f"{user and user + '@'}{host if not host.startswith('/') else ''}{port and ':' + port}"
    return Database(f"postgresql://{place}/{name}", parameters)


def private_value(named: str, environ: Mapping[str, str] | None = None, do: str = "set it") -> str:
    """What the environment variable `env:NAME` or the safe file `file:PATH` holds; ConfigurationError without it."""
    if named.startswith("file:"):
        return private_text(Path(named.removeprefix("file:")).expanduser())
    name = named.removeprefix("env:")
    value = (os.environ if environ is None else environ).get(name, "").strip()
    if not value:
        raise ConfigurationError(Problem(named, f"the environment variable {name} is not set", do))
    return value


def private_text(path: Path) -> str:
    """The content of a file that nobody but its owner may read; ConfigurationError for another mode."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(Problem(str(path), "is not a file", "name a file that holds one URL"))
        if stat.S_IMODE(status.st_mode) & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise ConfigurationError(
                Problem(str(path), f"has mode {mode:04o}, so others may read the password in it", f"chmod 600 {path}")
            )
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            Problem(str(path), f"cannot be read: {error.strerror}", "name a file that holds one URL")
        ) from error
    except UnicodeDecodeError:
        raise ConfigurationError(Problem(str(path), "is not UTF-8 text", "write one URL into it")) from None
