"""Where a publication goes, as the command line names it: a folder, an archive, a PostgreSQL schema, a DuckDB file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from dure.errors import ConfigurationError, Problem

TargetKind = Literal["folder", "archive", "postgresql", "duckdb"]
_ARCHIVES = (".dure", ".tar")
_FORMS = "a folder, a file x.dure, x.tar or x.duckdb, postgresql://host/database/schema, or env:NAME"


@dataclass(frozen=True)
class Target:
    """`path` of a folder or file; `url` and `schema` of a database. `shown` never holds a password."""

    kind: TargetKind
    shown: str
    path: Path = Path()
    url: str = ""
    schema: str = ""

    @property
    def package(self) -> bool:
        """Whether it takes a signed package; a database takes the tables."""
        return self.kind in ("folder", "archive")


def target_of(text: str) -> Target:
    """The target that a text names; raises ConfigurationError for one that names none, without showing a password."""
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        value = os.environ.get(name)
        if not value:
            raise ConfigurationError(Problem(f"--to {text}", "that variable is not set", f"put {_FORMS} into it"))
        found = target_of(value)
        return Target(found.kind, text, found.path, found.url, found.schema)
    if text.startswith(("postgresql://", "postgres://")):
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


def _database(text: str) -> Target:
    parts = urlsplit(text)
    steps = [step for step in parts.path.split("/") if step]
    if len(steps) != 2:
        do = "end it in the database and the schema: postgresql://host/database/schema"
        raise ConfigurationError(Problem("--to", f"names {len(steps)} of a database and a schema", do))
    url = urlunsplit(parts._replace(path=f"/{steps[0]}"))
    host = parts.hostname or "localhost"
    return Target("postgresql", f"postgresql://{host}/{steps[0]}/{steps[1]}", url=url, schema=steps[1])
