"""One record from many rows: of the source rows that name one entity, one is written and the others are merged into it.

Keys that only one row has are told by one count, so that nothing is compared for them; of the others an aggregate finds
the row that counts.  Windows would do the same, but engines are slow over very many small partitions.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from dure.accounting.reasons import Outcome, Reason
from dure.tables.keys import NULL_PART
from dure.tables.routing import part_column
from dure.tables.rule import Rule

# An order is one text.  Its parts are in hexadecimal digits, which compare like the bytes they stand for, and end in
# something smaller than any digit: a text comes before those that it begins.
_END = "!"
_ABSENT = "~"  # larger than any digit: comes last
_DIGITS, _FROM_THE_END = "0123456789ABCDEF", "FEDCBA9876543210"
_CONTENT_LENGTH = 32
_ROW_DIGITS = 19


def merged(rule: Rule, frame: DataFrame, taken: DataFrame | None) -> DataFrame:
    """The mapped frame in which of every key one source row is written; the others are `merged` into it.

    Of several rows the entry's `keep` decides (`last` by the text of its columns, so dates as YYYYMMDD); without it
    death keeps the latest date and anything else the smallest natural key, but persons who are described differently
    are rejected, all of them.  `taken` holds `key_hash` and `person_id` of records that earlier entries wrote: the same
    key for another person is another record, which nothing can tell apart, and rejected.

    The frame is read several times, so it should come from files.
    """
    written = F.col("_outcome") == Outcome.WRITTEN.value
    persons = _has_persons(rule, frame)
    marked = frame.join(_shared_keys(rule, frame), F.col("_key_hash") == F.col("_shared_key"), "left")
    again = F.col("_shared_key").isNotNull() & ~_is_first(rule, F.col("_first"))
    clash = F.lit(False)
    if rule.table == "person" and rule.entry.keep is None:
        clash = written & (F.col("_least_content") != F.col("_most_content"))
    if persons:
        # One key of two persons names two records that nothing tells apart: the first is written, the other rejected.
        first_person = F.nullif(F.substring_index("_first", _END, -1), F.lit(""))
        clash = clash | (written & (_person_text() != first_person))
    if taken is not None:
        earlier = taken.groupBy("key_hash").agg(F.max("person_id").alias("_taken_person"))
        earlier = earlier.withColumnRenamed("key_hash", "_taken")
        marked = marked.join(earlier, F.col("_key_hash") == F.col("_taken"), "left")
        found = F.col("_taken").isNotNull()
        person = part_column("person", "id")
        if person in frame.columns:
            clash = clash | (written & found & (F.col(person) != F.col("_taken_person")))
        again = again | found
    clash = F.coalesce(clash, F.lit(False))
    columns = [name for name in frame.columns if name not in ("_outcome", "_reason") and not name.startswith("_keep_")]
    made = marked.select(
        *columns,
        F.when(clash, F.lit(Reason.DUPLICATE_KEY.value)).otherwise(F.col("_reason")).alias("_reason"),
        F.when(clash, F.lit(Outcome.REJECTED.value))
        .when(written & again, F.lit(Outcome.MERGED.value))
        .otherwise(F.col("_outcome"))
        .alias("_outcome"),
    )
    # A row that is not written is one row, whatever the number of its targets.
    return made.where((F.col("_outcome") == Outcome.WRITTEN.value) | (F.col("_rank") == 0))


def _has_persons(rule: Rule, frame: DataFrame) -> bool:
    return part_column("person", "id") in frame.columns and rule.table != "death"


def _shared_keys(rule: Rule, frame: DataFrame) -> DataFrame:
    """One row a key of several written rows: `_shared_key`, the order of the `_first` with its person after it, and for
    persons the smallest and largest content."""
    # A row with several targets comes here too: it is the first of its own.
    written = frame.where(F.col("_outcome") == Outcome.WRITTEN.value)
    many = written.groupBy("_key_hash").agg(F.count(F.lit(1)).alias("_many")).where(F.col("_many") > 1)
    many = many.select(F.col("_key_hash").alias("_many_key"))
    rows = written.join(many, F.col("_key_hash") == F.col("_many_key"), "left_semi")
    # Of a row with several targets the first one's content stands for all.
    content = F.when(F.col("_rank") == 0, _content(frame)).otherwise(F.lit(_ABSENT * _CONTENT_LENGTH))
    before, after = _order(rule)
    person = F.coalesce(_person_text(), F.lit("")) if _has_persons(rule, frame) else F.lit("")
    rows = rows.withColumn("_content", content).withColumn("_order", F.concat(before, "_content", after, person))
    found = [F.min("_order").alias("_first")]
    if rule.table == "person":
        found += [F.min("_content").alias("_least_content"), F.max("_content").alias("_most_content")]
    return rows.groupBy(F.col("_key_hash").alias("_shared_key")).agg(*found)


def _is_first(rule: Rule, first: Column) -> Column:
    """Whether a row, whatever its target, is the source row that an order of `_shared_keys` belongs to."""
    before, after = _order(rule)
    own = F.concat(before, F.substr(first, F.length(before) + 1, F.lit(_CONTENT_LENGTH)), after)
    return F.startswith(first, own)


def _order(rule: Rule) -> tuple[Column, Column]:
    """What decides between the rows of a key before their content does, and what after it: equal rows are told apart."""
    keep = rule.entry.keep
    declared = []
    if keep and keep.last:
        declared = [_from_the_end(F.col(f"_keep_{n}")) for n in range(len(keep.last))]
    elif keep and keep.first:
        declared = [_from_the_start(F.col(f"_keep_{n}"), F.lit(_ABSENT)) for n in range(len(keep.first))]
    elif rule.table == "death":
        declared = [_from_the_end(F.col(part_column("start", "datetime")).cast("string"))]
    named = [_from_the_start(F.col(name), F.lit("")) for name in ("_key", "_n")]
    row = F.lpad(F.coalesce(F.col("_row").cast("string"), F.lit("")), _ROW_DIGITS, "0")
    return F.concat(*declared, *named), F.concat(_from_the_start(F.col("_file"), F.lit("")), row, F.lit(_END))


def _from_the_start(text: Column, absent: Column) -> Column:
    return F.concat(F.coalesce(F.hex(text), absent), F.lit(_END))


def _from_the_end(text: Column) -> Column:
    """The reverse order: a text comes after those that it begins, and what is absent last."""
    return F.coalesce(F.concat(F.translate(F.hex(text), _DIGITS, _FROM_THE_END), F.lit("G")), F.lit(_ABSENT))


def _person_text() -> Column:
    return F.col(part_column("person", "id")).cast("string")


def _content(frame: DataFrame) -> Column:
    """What the mapped row says, as one hash; numbers with a fraction are left out, since engines spell them differently."""
    says = [
        F.coalesce(F.col(f.name).cast("string"), F.lit(NULL_PART))
        for f in frame.schema.fields
        if not f.name.startswith("_") and not isinstance(f.dataType, T.DoubleType)
    ]
    return F.md5(F.concat_ws("|", *says))
