"""Frames written to a run's work folder and read back."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame, Row, SparkSession


def stored(session: SparkSession, frame: DataFrame, folder: Path) -> DataFrame:
    """The frame, written to a folder and read back from it, so that what follows starts from files."""
    frame.write.option("compression", "lz4").parquet(str(folder))
    if not any(folder.glob("*.parquet")):
        # Sail writes no file, and so no schema, for a frame without rows.
        return session.createDataFrame([], frame.schema)
    return session.read.parquet(str(folder))


def collected(frame: DataFrame, *keys: str) -> list[Row]:
    """The rows of a small frame in the order of some columns, so that reports are the same whatever the engine."""
    return sorted(frame.collect(), key=lambda row: [("" if row[key] is None else str(row[key])) for key in keys])
