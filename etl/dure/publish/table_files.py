"""The Parquet files of the tables to deliver: what they are, and their rows in blocks of bounded size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.cdm.schema import CdmTable, tables
from dure.errors import ConfigurationError, IntegrityError, Problem
from dure.snapshot.manifest import TableContent, TableFile, snapshot_digest
from dure.vocab.store import VocabularyStore

_ARROW = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp_ntz": pa.timestamp("us"),
    "string": pa.string(),
}
_BLOCK_ROWS = 1 << 16
_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class TableFiles:
    """One table to deliver and its files, in the order in which they are read."""

    table: CdmTable
    paths: tuple[Path, ...]
    rows: int

    @property
    def schema(self) -> pa.Schema:
        """The CDM's columns in CDM order, as Arrow types them."""
        return arrow_schema(self.table)

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """All rows, at most some megabytes at a time however large a row group is; IntegrityError for a wrong value."""
        for path in self.paths:
            with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
                for block in file.iter_batches(_rows_at_once(file), columns=list(self.table.names)):
                    yield from _small(_typed(block.select(list(self.table.names)), self.schema, self.table.name))

    def fingerprint(self) -> tuple[tuple[str, int, int], ...]:
        """What differs once somebody has written to a file."""
        found = [(path, path.stat()) for path in self.paths]
        return tuple((str(path), status.st_size, status.st_mtime_ns) for path, status in found)


def arrow_schema(table: CdmTable) -> pa.Schema:
    return pa.schema([pa.field(column.name, _ARROW[column.spark.simpleString()]) for column in table.columns])


def site_files(folders: Mapping[str, Path]) -> dict[str, TableFiles]:
    """The tables of a snapshot, or of a copy of one, by name in the order of the CDM.

    Raises ConfigurationError for a name the CDM does not have and a folder without a Parquet file, IntegrityError for
    files that lack a column: all of them at once.
    """
    problems = [
        Problem(name, "is no table of CDM 5.4", "leave it out") for name in sorted(folders.keys() - tables().keys())
    ]
    found: dict[str, TableFiles] = {}
    for name, table in tables().items():
        if name in folders:
            paths = tuple(sorted(folders[name].glob("*.parquet")))
            if not paths:
                problems.append(Problem(str(folders[name]), "holds no Parquet file", "give the folder of one table"))
            else:
                found[name] = _opened(table, paths)
    if problems:
        raise ConfigurationError(problems)
    return found


def files_to_load(site: Mapping[str, TableFiles], store: VocabularyStore | None) -> dict[str, TableFiles]:
    """Every table to make, in the order of the CDM: the site's, and those of a vocabulary if there is one.

    Vocabulary rows among the site's own, such as its local concepts, come after the store's.
    """
    files = {}
    for name, table in tables().items():
        of_store = _opened(table, (store.path(name),)) if store and table.vocabulary else None
        parts = [part for part in (of_store, site.get(name)) if part]
        if parts or not table.vocabulary:
            paths = tuple(path for part in parts for path in part.paths)
            files[name] = TableFiles(table, paths, sum(part.rows for part in parts))
    return files


def content_digest(files: Mapping[str, TableFiles]) -> str:
    """The digest of these tables as a snapshot's manifest has it: it equals the manifest's for a whole snapshot."""
    return snapshot_digest(
        {
            name: TableContent(
                rows=table.rows,
                files=tuple(
                    TableFile(path=f"{name}/{path.name}", bytes=path.stat().st_size, sha256=_sha256(path))
                    for path in table.paths
                ),
            )
            for name, table in files.items()
        }
    )


def check_unchanged(files: Mapping[str, TableFiles], before: Mapping[str, object]) -> None:
    """IntegrityError when a file was written to since `before`, its fingerprints, was taken."""
    changed = [name for name, table in files.items() if table.fingerprint() != before[name]]
    if changed:
        raise IntegrityError(
            [Problem(name, "its files changed while they were read", "publish again") for name in changed]
        )


def _opened(table: CdmTable, paths: tuple[Path, ...]) -> TableFiles:
    rows, problems = 0, []
    for path in paths:
        try:
            about = pq.ParquetFile(path)
        except (OSError, pa.ArrowInvalid):
            problems.append(
                Problem(str(path), "is not a whole Parquet file", "restore it, or build the snapshot again")
            )
            continue
        with about:
            rows += about.metadata.num_rows
            missing = [name for name in table.names if name not in about.schema_arrow.names]
            problems += [Problem(str(path), f"lacks the column {name}", "build the snapshot again") for name in missing]
    if problems:
        raise IntegrityError(problems)
    return TableFiles(table, paths, rows)


def _rows_at_once(file: pq.ParquetFile) -> int:
    """Fewer rows at once where they are wide, such as notes."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    width = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return int(min(_BLOCK_ROWS, max(_BLOCK_BYTES // max(width, 1), 64)))


def _small(block: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The block in pieces: a dictionary on disk can make rows far wider in memory than the file says."""
    pieces = min(max(1, -(-block.nbytes // (2 * _BLOCK_BYTES))), max(block.num_rows, 1))
    size = max(1, -(-block.num_rows // pieces))
    for start in range(0, block.num_rows, size):
        yield block.slice(start, size)


def _typed(block: pa.RecordBatch, schema: pa.Schema, table: str) -> pa.RecordBatch:
    if block.schema.types == schema.types:
        return block
    arrays = []
    for field in schema:
        column = block.column(field.name)
        try:
            arrays.append(column.cast(field.type))
        except pa.ArrowException:
            # The library's message shows the value.
            raise IntegrityError(
                Problem(f"{table}.{field.name}", f"a {column.type} that is no {field.type}", "build the snapshot again")
            ) from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
