"""What became of one source in one landing, and what landing remembers of it for the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from dure.errors import Problem
from dure.landing.layout import Layout
from dure.landing.opened import InputFile

# Counts up whenever the same file would land otherwise than before: nothing landed earlier is then used again.
LANDING_FORMAT = 1


@dataclass(frozen=True)
class DatabaseRead:
    """What there is to say of a source of a database beside its rows: the server's product and version, a digest of the
    query, how many ranges it was read in and over how many connections, one unless some were lost."""

    server: str
    query_sha256: str
    ranges: int
    connections: int


@dataclass(frozen=True)
class Landed:
    """What became of one source.

    rows_read + rows_before = rows_landed + every rejected + opted_out + every one of by_changes, where `rows_before` are
    the rows of the landing before that change files were applied to (0 for a full extract), and `by_changes` what came to
    nothing through them: see `dure.landing.changes.Lost`.

    `base` is the snapshot whose landing was gone on from, where one was. `same_parts` are the parts that are a file of that
    landing too, by name here and there, so that rows need only be compared in the others; `unchanged` says that the landing of this
    source is the same as there in every row. `touched` is the file, relative to the landing, with the keys that change
    files (or new opt-outs) touched: `_key`, `_change`; None where full extracts were landed. `database` says more of a
    source of a database, whose one entry in `files` has its name there and a digest of the text that came.
    """

    name: str
    columns: tuple[str, ...]
    files: tuple[InputFile, ...]
    rows_read: int
    rows_landed: int
    rejected: dict[str, int]
    opted_out: int
    new_columns: tuple[str, ...]
    warnings: tuple[Problem, ...]
    rows_before: int = 0
    by_changes: dict[str, int] = field(default_factory=dict)
    base: str | None = None
    same_parts: dict[str, str] = field(default_factory=dict)
    unchanged: bool = False
    touched: str | None = None
    database: DatabaseRead | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class FileLanded:
    """What became of one file: read = landed + rejected + opted out; `part` holds the rows, under its SHA-256."""

    file: InputFile
    part: str
    part_sha256: str
    rows_read: int
    rows_landed: int
    rejected: dict[str, int]
    opted_out: int


@dataclass(frozen=True)
class Note:
    """What the next landing must know of this one.

    `rows` is a digest of all that decides what is in a landed row, `read` of all that decides how a file is read. `names`
    are the columns of the files, `kept` those of the landed rows. `files` is empty where change files were applied, since
    no part is then one file's. `full` are the full files from which
    all began, `changed` says that changes were applied since. `left_out` are hashes of the keys of persons who were left out.
    """

    rows: str
    read: str
    names: tuple[str, ...]
    kept: tuple[str, ...]
    parts: dict[str, str]
    files: tuple[FileLanded, ...]
    left_out: tuple[str, ...]
    full: tuple[InputFile, ...] = ()
    changed: bool = False


_NOTE = TypeAdapter(Note)


@dataclass(frozen=True)
class Base:
    """The landing of the snapshot before: `folder` is LAKE/landing/SITE/SNAPSHOT."""

    snapshot: str
    folder: Path

    def note(self, source: str) -> Note | None:
        """What it remembers of a source; None where it has no such source, or was made before there were notes."""
        try:
            return _NOTE.validate_json(_note_file(self.folder, source).read_bytes())
        except (OSError, ValidationError):
            return None


def write_note(out: Path, source: str, note: Note) -> None:
    """Writes a note beside the landed rows."""
    path = _note_file(out, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(note), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def rows_digest(layout: Layout, kept: Iterable[str], hashed: Iterable[str]) -> str:
    """A digest of what decides how the cells of a record become a landed row."""
    return _digest(
        LANDING_FORMAT, layout.key, sorted(layout.nfkc), sorted(layout.null_values), sorted(kept), sorted(hashed)
    )


def read_digest(layout: Layout, rows: str, person: Iterable[str], left_out: Iterable[str]) -> str:
    """A digest of what decides, beside its bytes, what a file of a source lands as; releases of the readers included."""
    readers = [(name, version(name)) for name in ("dure", "pyarrow", "numpy", "pandas")]
    return _digest(rows, repr(layout), tuple(person), tuple(left_out), readers, pa.cpp_version)


def hashed_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """The hash of each key text, sorted: enough to tell who was added to a list of persons, or taken from it."""
    return tuple(sorted(hashlib.sha256(key.encode()).hexdigest()[:32] for key in keys))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file of the lake."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sums by name of several counts, in the order of the names."""
    sums: dict[str, int] = {}
    for each in counts:
        for name, n in each.items():
            sums[name] = sums.get(name, 0) + n
    return dict(sorted(sums.items()))


def _note_file(landing: Path, source: str) -> Path:
    return landing / "_landed" / f"{source}.json"


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()
