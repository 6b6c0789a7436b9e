"""Record ids are unique, or nothing is published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from dure.accounting import counts
from dure.cdm.schema import table as cdm_table
from dure.errors import IntegrityError, Problem


def check_ids(session: SparkSession, cdm: Path, tables: Mapping[str, int]) -> None:
    """Raises IntegrityError naming each table in which two records share an id; one action over the id columns."""
    keyed = {
        name: (session.read.parquet(str(cdm / name)).select(key), key)
        for name, rows in tables.items()
        if rows > 1 and (key := cdm_table(name).primary_key) is not None and name != "cdm_source"
    }
    frame = counts.duplicate_ids(keyed)
    shared = [row for row in frame.collect() if row["rows"] != row["ids"]] if frame is not None else []
    if shared:
        raise IntegrityError(
            [
                Problem(
                    f"table {row['table']}",
                    f"{row['rows'] - row['ids']} records share their id with another",
                    "nothing is published",
                )
                for row in shared
            ]
        )
