"""Parquet whose bytes depend on its rows alone."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(table: pa.Table, path: Path) -> None:
    """Fixed settings, no metadata of an engine: the same rows give the same bytes."""
    pq.write_table(
        table.replace_schema_metadata(None).combine_chunks(),
        path,
        version="2.6",
        compression="zstd",
        compression_level=3,
        row_group_size=1 << 18,
        store_schema=False,
        write_statistics=True,
    )
