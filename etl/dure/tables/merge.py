"""One record from many rows: of the source rows that name one entity, one is written and the others are merged into it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from dure.accounting.reasons import Outcome, Reason
from dure.tables.keys import NULL_PART
from dure.tables.routing import part_column
from dure.tables.rule import Rule


def merged(rule: Rule, frame: DataFrame, taken: DataFrame | None) -> DataFrame:
    """The mapped frame in which of every key one source row is written; the others are `merged` into it.

    Of several rows the entry's `keep` decides (`last` by the text of its columns, so dates as YYYYMMDD); without it
    death keeps the latest date and anything else the smallest natural key, but persons who are described differently
    are rejected, all of them.  `taken` holds `key_hash` and `person_id` of records that earlier entries wrote: the same
    key for another person is another record, which nothing can tell apart, and rejected.
    """
    written = F.col("_outcome") == Outcome.WRITTEN.value
    per_key = Window.partitionBy("_outcome", "_key_hash")
    # One place a source row, whatever the number of its targets; the last two tell only equal rows apart.
    order = [
        *_order(rule),
        F.col("_key").asc_nulls_first(),
        F.col("_n"),
        F.col("_content"),
        F.col("_file"),
        F.col("_row"),
    ]
    # Of a row with several targets the first one's content stands for all: they stay together.
    per_row = Window.partitionBy("_file", "_row", "_key", "_n")
    content = F.min(F.when(F.col("_rank") == 0, _content(frame))).over(per_row)
    marked = frame.withColumn("_content", content).withColumn("_place", F.dense_rank().over(per_key.orderBy(*order)))
    again = written & (F.col("_place") > 1)
    clash = F.lit(False)
    if rule.table == "person" and rule.entry.keep is None:
        marked = marked.withColumn("_alike", F.min("_content").over(per_key) == F.max("_content").over(per_key))
        clash = written & ~F.col("_alike")
    person = part_column("person", "id")
    if person in frame.columns and rule.table != "death":
        # One key of two persons names two records that nothing tells apart: the first is written, the other rejected.
        marked = marked.withColumn("_first_person", F.first(person).over(per_key.orderBy(*order)))
        clash = clash | (written & (F.col(person) != F.col("_first_person")))
    if taken is not None:
        earlier = taken.groupBy("key_hash").agg(F.max("person_id").alias("_taken_person"))
        earlier = earlier.withColumnRenamed("key_hash", "_taken")
        marked = marked.join(earlier, F.col("_key_hash") == F.col("_taken"), "left")
        found = written & F.col("_taken").isNotNull()
        if person in frame.columns:
            clash = clash | (found & (F.col(person) != F.col("_taken_person")))
        again = again | found
    clash = F.coalesce(clash, F.lit(False))
    columns = [name for name in frame.columns if name not in ("_outcome", "_reason") and not name.startswith("_keep_")]
    made = marked.select(
        *columns,
        F.when(clash, F.lit(Reason.DUPLICATE_KEY.value)).otherwise(F.col("_reason")).alias("_reason"),
        F.when(clash, F.lit(Outcome.REJECTED.value))
        .when(again, F.lit(Outcome.MERGED.value))
        .otherwise(F.col("_outcome"))
        .alias("_outcome"),
    )
    # A row that is not written is one row, whatever the number of its targets.
    return made.where((F.col("_outcome") == Outcome.WRITTEN.value) | (F.col("_rank") == 0))


def _order(rule: Rule) -> list[Column]:
    keep = rule.entry.keep
    if keep and keep.last:
        return [F.col(f"_keep_{n}").desc_nulls_last() for n in range(len(keep.last))]
    if keep and keep.first:
        return [F.col(f"_keep_{n}").asc_nulls_last() for n in range(len(keep.first))]
    return [F.col(part_column("start", "datetime")).desc_nulls_last()] if rule.table == "death" else []


def _content(frame: DataFrame) -> Column:
    """What the mapped row says, as one hash; numbers with a fraction are left out, since engines spell them differently."""
    says = [
        F.coalesce(F.col(f.name).cast("string"), F.lit(NULL_PART))
        for f in frame.schema.fields
        if not f.name.startswith("_") and not isinstance(f.dataType, T.DoubleType)
    ]
    return F.md5(F.concat_ws("|", *says))
