"""One record from many rows: of the source rows that name one entity, one is written and the others are merged into it."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.tables.routing import part_column
from dure.tables.rule import Rule


def merged(rule: Rule, frame: DataFrame, taken: DataFrame | None) -> DataFrame:
    """The mapped frame in which every key has one written row (a target); the others are `merged` into it.

    Of several rows the entry's `keep` decides (`last` by the text of its columns, so dates as YYYYMMDD); without it
    death keeps the latest date, anything else the smallest natural key.  `taken` holds the `key_hash` of records that
    earlier entries already wrote.
    """
    keep = rule.entry.keep
    order = []
    if keep and keep.last:
        order = [F.col(f"_keep_{name}").desc_nulls_last() for name in keep.last]
    elif keep and keep.first:
        order = [F.col(f"_keep_{name}").asc_nulls_last() for name in keep.first]
    elif rule.table == "death":
        order = [F.col(part_column("start", "datetime")).desc_nulls_last()]
    window = Window.partitionBy("_outcome", "_key_hash", "_rank").orderBy(*order, F.col("_key"), F.col("_n"))
    again = (F.col("_outcome") == Outcome.WRITTEN.value) & (F.row_number().over(window) > 1)
    if taken is not None:
        earlier = taken.select(F.col("key_hash").alias("_taken")).distinct()
        frame = frame.join(earlier, F.col("_key_hash") == F.col("_taken"), "left")
        again = again | ((F.col("_outcome") == Outcome.WRITTEN.value) & F.col("_taken").isNotNull())
    marked = frame.withColumn("_again", again)
    columns = [name for name in frame.columns if name not in ("_outcome", "_taken") and not name.startswith("_keep_")]
    return marked.select(
        *columns,
        F.when(F.col("_again"), F.lit(Outcome.MERGED.value)).otherwise(F.col("_outcome")).alias("_outcome"),
    )
