"""What a snapshot says of itself: from what it was made, by what, and the SHA-256 of every file in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dure.errors import IntegrityError, Problem
from dure.snapshot.durable import LakeError, lake_access

MANIFEST = "manifest.json"

Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Strict(_Record):
    model_config = ConfigDict(strict=True)


class InputFile(_Record):
    """One file of the extract as it was read; `path` is relative to the extract."""

    path: str
    bytes: Count
    sha256: Sha256
    modified: AwareDatetime


class DatabaseInput(_Record):
    """What a source of a database was read from; `connections` is 1 unless some were lost."""

    server: str
    query_sha256: Sha256
    ranges: Count
    connections: Count


class Input(_Record):
    """One source: its columns (the next run notices a lost one), its files, and what became of its rows.

    `base` is the snapshot whose landed rows were gone on from; `rows_before` and `by_changes` are what change files were
    applied to and what left through them.

    The one file of a source of a database (`database`) is named SOURCE@NAME and tells the bytes of text that came, their
    digest, and when the reading began.

    Not strict, so that it can be made from landing's own record, whose times are text.
    """

    columns: tuple[str, ...]
    files: tuple[InputFile, ...]
    rows_read: Count
    rows_landed: Count
    rejected: dict[str, Count]
    opted_out: Count
    rows_before: Count = 0
    by_changes: dict[str, Count] = {}
    base: str | None = None
    database: DatabaseInput | None = None


class EngineUsed(_Strict):
    name: str
    version: str


class VocabularyUsed(_Strict):
    """The store that gave the concepts."""

    release: str
    digest: str
    folder: str


class TableFile(_Strict):
    """One Parquet file; `path` is relative to the snapshot's folder."""

    path: str
    bytes: Count
    sha256: Sha256


class TableContent(_Strict):
    """One CDM table."""

    rows: Count
    files: Annotated[tuple[TableFile, ...], Field(min_length=1)]


class DeltaFrom(_Strict):
    """The snapshot from which the rows of untouched persons were copied, and how many persons were mapped anew."""

    snapshot: str
    persons: Count
    rows: Count


class Manifest(_Strict):
    """One snapshot. `digest` is that of `tables`, see `snapshot_digest`; `reconciliation` source -> outcome -> rows.

    `run` is the id of the run that made it, as the ledger has it.
    """

    manifest_version: Literal[1] = 1
    site: str
    snapshot: str
    created: AwareDatetime
    as_of: date
    dure_version: str
    cdm_version: str
    engine: EngineUsed
    vocabulary: VocabularyUsed
    spec_digest: Sha256
    map_digests: dict[str, Sha256]
    inputs: dict[str, Input]
    tables: dict[str, TableContent]
    digest: Sha256
    reconciliation: dict[str, dict[str, Count]]
    run: str | None = None
    delta: DeltaFrom | None = None

    @field_validator("created")
    @classmethod
    def _in_utc(cls, created: datetime) -> datetime:
        if created.utcoffset() != timedelta(0):
            raise ValueError("must be in UTC")
        return created

    @model_validator(mode="after")
    def _digest_fits(self) -> Self:
        if self.digest != snapshot_digest(self.tables):
            raise ValueError("digest is not that of the tables listed")
        return self

    def as_json(self) -> bytes:
        return self.model_dump_json(indent=1).encode() + b"\n"


def snapshot_digest(tables: Mapping[str, TableContent]) -> str:
    """One hash over the content of all tables; the names that an engine gave the files play no part."""
    content = hashlib.sha256()
    for name in sorted(tables):
        content.update(f"{name} {tables[name].rows}\n".encode())
        for digest in sorted(file.sha256 for file in tables[name].files):
            content.update(f"{digest}\n".encode())
    return content.hexdigest()


def measure_tables(folder: Path) -> dict[str, TableContent]:
    """The content of every table folder below `folder`, read from the files; IntegrityError for an unreadable one."""
    with lake_access(folder):
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        return {name: _measure(folder, name) for name in names}


def _measure(folder: Path, table: str) -> TableContent:
    import pyarrow.parquet as pq  # here, so that `dure path` need not wait for it
    from pyarrow import ArrowInvalid

    paths = sorted((folder / table).glob("*.parquet"))
    if not paths:
        raise IntegrityError(Problem(table, "no Parquet file was written for this table", "report this bug"))
    try:
        rows = sum(pq.read_metadata(path).num_rows for path in paths)
    except ArrowInvalid as error:
        raise IntegrityError(Problem(table, "a file of this table is not whole Parquet", "run again")) from error
    return TableContent(rows=rows, files=tuple(_table_file(path, folder) for path in paths))


def _table_file(path: Path, folder: Path) -> TableFile:
    return TableFile(path=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(snapshot: Path) -> Manifest:
    """The manifest in a snapshot's folder; LakeError when it is missing or not what Dure wrote."""
    path = snapshot / MANIFEST
    with lake_access(path):
        content = path.read_bytes()
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise LakeError(
            Problem(
                str(path),
                f"not a manifest of this version of Dure ({place + ': ' if place else ''}{first['msg']})",
                "read it with the version that wrote it, or run the site again",
            )
        ) from None


def changed_files(snapshot: Path, manifest: Manifest) -> tuple[str, ...]:
    """Paths of the manifest that are gone or hold other bytes than when the snapshot was made, and files added since."""
    listed = {file.path: file for table in manifest.tables.values() for file in table.files}
    with lake_access(snapshot):
        found = {path.relative_to(snapshot).as_posix(): path for path in snapshot.glob("*/*.parquet")}
        changed = {
            name
            for name, path in found.items()
            if name not in listed or path.stat().st_size != listed[name].bytes or _sha256(path) != listed[name].sha256
        }
    return tuple(sorted(changed | (listed.keys() - found.keys())))
