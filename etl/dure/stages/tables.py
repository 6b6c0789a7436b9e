"""Writes the CDM tables of a snapshot: from mapped frames, derived from other tables, or empty."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from dure.cdm.schema import site_tables
from dure.cdm.schema import table as cdm_table
from dure.errors import IntegrityError, Problem
from dure.progress import Progress
from dure.stages.mapping import Mapped
from dure.stages.parallel import each
from dure.tables.assemble import table_frame

_ARROW = {
    T.LongType: pa.int64(),
    T.IntegerType: pa.int32(),
    T.DoubleType: pa.float64(),
    T.StringType: pa.string(),
    T.DateType: pa.date32(),
    T.TimestampNTZType: pa.timestamp("us"),
}


def arrow_schema(table: str) -> pa.Schema:
    """The Parquet schema of a CDM table."""
    return pa.schema([pa.field(c.name, _ARROW[type(c.spark)]) for c in cdm_table(table).columns])


def rows_in(folder: Path) -> int:
    """Rows of all Parquet files of a folder, by their own metadata."""
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


def write_table(frame: DataFrame, table: str, folder: Path) -> int:
    """Writes one CDM table and returns its rows; the files hold the CDM's types or IntegrityError says which do not."""
    frame.write.option("compression", "zstd").parquet(str(folder))
    wanted = arrow_schema(table)
    for file in folder.glob("*.parquet"):
        found = pq.read_schema(file)
        wrong = [f.name for f in wanted if f.name not in found.names or found.field(f.name).type != f.type]
        if wrong or found.names != wanted.names:
            raise IntegrityError(
                Problem(
                    f"table {table}",
                    f"columns {', '.join(wrong) or found.names} differ from the CDM's",
                    "this is a bug",
                )
            )
    return rows_in(folder)


def write_rows(rows: Sequence[Mapping[str, object]], table: str, folder: Path) -> int:
    """Writes a table that Dure itself fills, or an empty one, as one Parquet file; no engine is asked."""
    folder.mkdir(parents=True, exist_ok=True)
    names = cdm_table(table).names
    full = [{name: row.get(name) for name in names} for row in rows]
    pq.write_table(pa.Table.from_pylist(full, arrow_schema(table)), folder / "part-00000.parquet", compression="zstd")
    return len(rows)


def write_mapped_tables(
    mapped: Mapped, given: Mapping[str, Mapping[str, int]], cdm: Path, progress: Progress
) -> dict[str, int]:
    """Writes every table that some rule has rows for; `given` says how many, by table and rule folder."""
    giving = {
        table: [(rule, frame) for rule, frame in mapped if given.get(table, {}).get(rule.folder)]
        for table in site_tables()
    }

    def write(table: str) -> tuple[str, int]:
        started = time.monotonic()
        rows = write_table(table_frame(table, giving[table]), table, cdm / table)
        progress.table(table, rows, time.monotonic() - started)
        return table, rows

    return dict(each(write, [table for table, frames in giving.items() if frames]))


def write_missing_tables(cdm: Path, written: Mapping[str, int]) -> dict[str, int]:
    """Writes every CDM table that nothing fed, empty."""
    return {table: write_rows([], table, cdm / table) for table in site_tables() if not written.get(table)}


def read_tables(session: SparkSession, cdm: Path, names: Mapping[str, int]) -> dict[str, DataFrame]:
    """The written tables that have rows."""
    return {name: session.read.parquet(str(cdm / name)) for name, rows in names.items() if rows}
