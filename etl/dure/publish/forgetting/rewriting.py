"""Rewriting Parquet files without some rows: each file is the old one or the new one, whenever the machine stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.snapshot.durable import lake_access, sync

_BATCH = 1 << 17


def filtered(file: Path, gone: Callable[[pa.Table], pa.Array]) -> pa.Table:
    """Takes the rows that `gone` marks out of the file, in pieces; those rows. A file without any is not touched."""
    with lake_access(file):
        parquet = pq.ParquetFile(file)
        marked = [table.filter(hit) for table in _pieces(parquet) if pc.any(hit := gone(table)).as_py()]
        if not marked:
            return parquet.schema_arrow.empty_table()
        beside = file.with_name(f".{file.name}.new")
        try:
            with pq.ParquetWriter(beside, parquet.schema_arrow, compression="zstd") as writer:
                for table in _pieces(parquet):
                    writer.write_table(table.filter(pc.invert(gone(table))))
            sync(beside)
            beside.replace(file)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        sync(file.parent)
    return pa.concat_tables(marked)


def replace_table(file: Path, table: pa.Table) -> None:
    """Replaces a small file by a table."""
    with lake_access(file):
        beside = file.with_name(f".{file.name}.new")
        pq.write_table(table, beside, compression="zstd")
        sync(beside)
        beside.replace(file)
        sync(file.parent)


def _pieces(parquet: pq.ParquetFile) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in parquet.iter_batches(_BATCH))
