"""Frames written to a run's work folder and read back."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import types as T

# What a folder without a Parquet file holds in its place; engines pass over names with a leading underscore.
_SCHEMA = "_schema.json"


def stored(session: SparkSession, frame: DataFrame, folder: Path) -> DataFrame:
    """The frame, written to a folder and read back from it, so that what follows starts from files."""
    frame.write.option("compression", "lz4").parquet(str(folder))
    if not any(folder.glob("*.parquet")):
        # Sail writes no file, and so no schema, for a frame without rows.
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _SCHEMA).write_text(frame.schema.json(), "utf-8")
    return restored(session, folder)


def restored(session: SparkSession, folder: Path) -> DataFrame:
    """The frame that `stored` wrote to the folder, whichever run that was."""
    schema = folder / _SCHEMA
    if schema.exists():
        return session.createDataFrame([], T.StructType.fromJson(json.loads(schema.read_text("utf-8"))))
    return session.read.parquet(str(folder))


def collected(frame: DataFrame, *keys: str) -> list[Row]:
    """The rows of a small frame in the order of some columns, so that reports are the same whatever the engine."""
    return sorted(frame.collect(), key=lambda row: [("" if row[key] is None else str(row[key])) for key in keys])
