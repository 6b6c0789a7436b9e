"""The visit before each visit: of the person for visits, within the visit for its details."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

# Table -> (the column to fill, the prefix of the dates, whether only rows of one visit precede each other).
_FILLED = {
    "visit_occurrence": ("preceding_visit_occurrence_id", "visit", False),
    "visit_detail": ("preceding_visit_detail_id", "visit_detail", True),
}


def with_preceding(table: str, frame: DataFrame) -> DataFrame:
    """The rows of a CDM table, each with the id of the one before it by start, then end, then id; NULL for the first.

    That order is total, so that nothing precedes itself by any way round.  Other tables come back as they are.
    """
    if table not in _FILLED:
        return frame
    column, prefix, of_visit = _FILLED[table]
    key = f"{table}_id"
    order = [
        F.coalesce(f"{prefix}_{at}_datetime", F.col(f"{prefix}_{at}_date").cast("timestamp_ntz"))
        for at in ("start", "end")
    ]
    # By person even within visits: engines are slow over very many small partitions.
    within = ["visit_occurrence_id"] if of_visit else []
    before = Window.partitionBy("person_id").orderBy(*within, *order, key)
    preceding = F.lag(key).over(before)
    if of_visit:
        preceding = F.when(F.lag("visit_occurrence_id").over(before) == F.col("visit_occurrence_id"), preceding)
    return frame.withColumn(column, preceding)
