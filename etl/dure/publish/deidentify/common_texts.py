"""Texts that enough persons have: which values of an allowed column may leave."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def write_common(frame: DataFrame, column: str, person: str | None, k: int, folder: Path) -> DataFrame:
    """One row a value of `column` that at least `k` persons have (rows, where the table names no person)."""
    bearers = F.countDistinct(person) if person else F.count(F.lit(1))
    values = frame.where(F.col(column).isNotNull()).groupBy(F.col(column).alias(f"{column}__common"))
    chosen = values.agg(bearers.alias("bearers")).where(F.col("bearers") >= k).select(f"{column}__common")
    schema = chosen.schema
    chosen.write.parquet(str(folder))
    # An engine may write no file for a frame without rows.
    return (
        frame.sparkSession.read.schema(schema).parquet(str(folder))
        if any(folder.glob("*.parquet"))
        else (frame.sparkSession.createDataFrame([], schema))
    )
