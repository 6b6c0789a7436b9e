"""Where a publication goes, as the command line names it: a folder, an archive, a PostgreSQL schema, a DuckDB file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dure.database_url import SCHEMES, Database, parsed, private_text
from dure.errors import ConfigurationError, Problem

TargetKind = Literal["folder", "archive", "postgresql", "duckdb"]
_ARCHIVES = (".dure", ".tar")
_FORMS = "a folder, a file x.dure, x.tar or x.duckdb, postgresql://host/database/schema, env:NAME or file:PATH"


@dataclass(frozen=True)
class Target:
    """`path` of a folder or file; `database` and `schema` of a database. `shown` never holds a password."""

    kind: TargetKind
    shown: str
    path: Path = Path()
    database: Database | None = None
    schema: str = ""

    @property
    def package(self) -> bool:
        """Whether it takes a signed package; a database takes the tables."""
        return self.kind in ("folder", "archive")


def target_of(text: str) -> Target:
    """The target that a text names; raises ConfigurationError for one that names none, without showing a password."""
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        value = os.environ.get(name, "").strip()
        if not value:
            raise ConfigurationError(Problem(f"--to {text}", "that variable is not set", f"put {_FORMS} into it"))
        if value.startswith(SCHEMES):
            return _database(value, text)
        found = target_of(value)
        return Target(found.kind, text, found.path, found.database, found.schema)
    if text.startswith("file:"):
        return _database(private_text(Path(text.removeprefix("file:")).expanduser()), text)
    if text.startswith(SCHEMES):
        return _database(text)
    if "://" in text:
        raise ConfigurationError(Problem("--to", f"'{text.partition(':')[0]}' is no kind of target", _FORMS))
    path = Path(text).absolute()
    if path.suffix == ".duckdb":
        return Target("duckdb", str(path), path)
    if path.suffix in _ARCHIVES and not path.is_dir():
        return Target("archive", str(path), path)
    if path.exists() and not path.is_dir():
        raise ConfigurationError(Problem(f"--to {path}", "is a file that is no archive's", _FORMS))
    return Target("folder", str(path), path)


def _database(text: str, private: str = "") -> Target:
    """The schema that a URL ends in; `private` names the place it was read from, where a password may stand in it."""
    where = private or "--to"
    try:
        parts = urlsplit(text)
    except ValueError:  # its message quotes the URL
        raise ConfigurationError(Problem(where, "is no URL", _FORMS)) from None
    steps = [step for step in parts.path.split("/") if step]
    if len(steps) != 2:
        do = "end it in the database and the schema: postgresql://host/database/schema"
        raise ConfigurationError(Problem(where, f"names {len(steps)} of a database and a schema", do))
    query = f"?{parts.query}" if parts.query else ""
    url = f"{parts.scheme}://{parts.netloc}/{steps[0]}{query}"
    database = parsed(url, where, private=bool(private))
    return Target("postgresql", private or f"{database.shown}/{steps[1]}", database=database, schema=steps[1])
