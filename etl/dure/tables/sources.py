"""What goes on from a landed source to its views and entries: exclusions, duplicates and occurrence numbers.

A source's rows share a key only by mistake or by declaration, so duplicates are looked for with one aggregate; only
when there are some are those rows read again and their *fates* written, one small row each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome, Reason
from dure.site.spec import LandedSource
from dure.tables.cells import Reading, cell, condition

FIRST = "0"  # the occurrence of a row that shares its key with no other


@dataclass(frozen=True)
class Profile:
    """Counts over one landed source: its rows, how many each exclusion takes, and whether keys repeat among the rest."""

    rows: int
    excluded: dict[str, int]
    keyed: int
    distinct: int

    @property
    def repeats(self) -> bool:
        return self.distinct < self.keyed


def exclusion(source: LandedSource, reading: Reading) -> Column:
    """The name of the first exclusion rule that takes a row, or NULL."""
    name: Column = F.lit(None).cast("string")
    for rule in reversed(source.exclude):
        name = F.when(condition(rule.where, reading), F.lit(rule.rule)).otherwise(name)
    return name


def profile(landed: DataFrame, source: LandedSource, reading: Reading) -> DataFrame:
    """One row: `rows`, `keyed` and `distinct` (of rows that no rule excludes), and `x_RULE` for each exclusion."""
    by = exclusion(source, reading)
    kept = F.when(by.isNull() & F.col("_key").isNotNull(), F.xxhash64(F.col("_key")))
    return landed.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count(kept).alias("keyed"),
        F.count_distinct(kept).alias("distinct"),
        *[F.count(F.when(by == rule.rule, F.lit(1))).alias(f"x_{rule.rule}") for rule in source.exclude],
    )


def fates(landed: DataFrame, source: LandedSource, reading: Reading) -> DataFrame:
    """One row a landed row whose key occurs more than once: `_file`, `_row`, `_key`, `_n`, `_outcome`, `_reason`.

    Rows with one key: identical ones are duplicates of the first; others are all rejected, unless the spec says which
    to keep or to keep all.  A source without a key keeps identical rows and numbers them.
    """
    kept = landed.where(exclusion(source, reading).isNull() & F.col("_key").isNotNull())
    wanted = _keep_columns(source)
    rows = _sharing(
        kept.select("_file", "_row", "_key", "_row_hash", *[cell(c).alias(f"_by{i}") for i, c in enumerate(wanted)])
    )
    number = F.row_number().over(Window.partitionBy("_key").orderBy(*_order(source, wanted))) - 1
    rows = rows.withColumn("_number", number)
    if source.key is None or (source.keep and source.keep.all):
        return _fate(rows, F.lit(Outcome.WRITTEN.value), F.lit(None).cast("string"))
    if source.keep:
        first = F.col("_number") == 0
        again = F.when(first, F.lit(Outcome.WRITTEN.value)).otherwise(F.lit(Outcome.MERGED.value))
        return _fate(rows, again, F.lit(None).cast("string"), F.lit(FIRST))
    outcome = (
        F.when(~F.col("_alike"), F.lit(Outcome.REJECTED.value))
        .when(F.col("_number") == 0, F.lit(Outcome.WRITTEN.value))
        .otherwise(F.lit(Outcome.DUPLICATE.value))
    )
    reason = F.when(~F.col("_alike"), F.lit(Reason.DUPLICATE_KEY.value)).when(
        F.col("_number") > 0, F.lit(Reason.DUPLICATE_ROW.value)
    )
    # The number orders identical rows only to choose one; it is no occurrence.
    return _fate(rows, outcome, reason, F.lit(FIRST))


def _sharing(rows: DataFrame) -> DataFrame:
    """The rows whose key occurs more than once, with `_alike`: whether all rows of the key are identical."""
    shared = rows.groupBy("_key").agg(
        F.count(F.lit(1)).alias("_many"), (F.min("_row_hash") == F.max("_row_hash")).alias("_alike")
    )
    shared = shared.where(F.col("_many") > 1).select(F.col("_key").alias("_shared_key"), "_alike")
    return rows.join(shared, F.col("_key") == F.col("_shared_key"), "inner")


def _keep_columns(source: LandedSource) -> list[str]:
    keep = source.keep
    return list(keep.first or keep.last or keep.all or []) if keep else []


def _order(source: LandedSource, wanted: list[str]) -> list[Column]:
    """Deterministic whatever the order of lines: the declared columns, then the content; identical rows are equal."""
    last = bool(source.keep and source.keep.last)
    declared = [F.col(f"_by{i}") for i in range(len(wanted))]
    ordered = [c.desc_nulls_last() if last else c.asc_nulls_last() for c in declared]
    return [*ordered, F.col("_row_hash"), F.col("_file"), F.col("_row")]


def _fate(rows: DataFrame, outcome: Column, reason: Column, number: Column | None = None) -> DataFrame:
    n = F.col("_number").cast("string") if number is None else number
    return rows.select("_file", "_row", "_key", n.alias("_n"), outcome.alias("_outcome"), reason.alias("_reason"))


def going_on(landed: DataFrame, source: LandedSource, reading: Reading, known_fates: DataFrame | None) -> DataFrame:
    """The rows that views and entries see, with their occurrence `_n`."""
    frame = landed.where(exclusion(source, reading).isNull()) if source.exclude else landed
    if known_fates is None:
        return frame.withColumn("_n", F.lit(FIRST))
    fate = known_fates.select(
        F.col("_file").alias("_fate_file"),
        F.col("_row").alias("_fate_row"),
        F.col("_n").alias("_fate_n"),
        F.col("_outcome").alias("_fate"),
    )
    joined = frame.join(fate, (F.col("_file") == F.col("_fate_file")) & (F.col("_row") == F.col("_fate_row")), "left")
    stays = joined.where(F.col("_fate").isNull() | (F.col("_fate") == Outcome.WRITTEN.value))
    return stays.withColumn("_n", F.coalesce(F.col("_fate_n"), F.lit(FIRST))).drop(
        "_fate_file", "_fate_row", "_fate_n", "_fate"
    )


def not_claimed(frame: DataFrame, conditions: list[Column]) -> DataFrame:
    """The rows (`_file`, `_row`) of a source that the conditions of no entry select."""
    return frame.where(~reduce(lambda a, b: a | b, conditions)).select("_file", "_row")
