"""Views of a site: one SELECT over its sources, with the rows accounted for by the source that drives it."""

from __future__ import annotations

from collections import Counter

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from dure.errors import ConfigurationError, Problem
from dure.site.spec import ViewSource
from dure.tables.cells import cell
from dure.tables.keys import key_text
from dure.tables.sources import FIRST


def view_frame(
    session: SparkSession, name: str, view: ViewSource, sql: str, where: str, of_key: list[str] | None
) -> DataFrame:
    """The rows of a view with `_file`, `_row` of its driving source, `_key` and `_n`.

    The sources it reads must be registered as temporary views.  `where` names the SQL file for errors.  The key is the
    view's own, else what it selects as `_key`, else its driving source's key columns.
    """
    frame = session.sql(sql)
    twice = sorted(column for column, times in Counter(frame.columns).items() if times > 1)
    if twice:
        raise ConfigurationError(
            [
                Problem(where, f"the view selects {column} twice", "name each column once, or give one an alias")
                for column in twice
            ]
        )
    frame = _texts(frame, where)
    have = set(frame.columns)
    if view.of and not {"_file", "_row"} <= have:
        raise ConfigurationError(
            Problem(
                where,
                f"the view does not select _file and _row of {view.of}",
                f"select {view.of}'s _file and _row, so that its rows can be counted",
            )
        )
    if not view.of:
        frame = frame.withColumn("_file", F.lit(f"view {name}")).withColumn("_row", F.lit(None).cast("bigint"))
    key = view.key or (None if "_key" in have else of_key)
    if key is not None:
        missing = [column for column in key if column not in have]
        if missing:
            raise ConfigurationError(
                Problem(
                    where,
                    f"the view has no column {missing[0]}, which is part of its key",
                    "select it, or declare the view's own key",
                )
            )
        frame = frame.withColumn("_key", key_text([cell(column) for column in key])).withColumn("_n", F.lit(FIRST))
    elif "_key" not in have:
        raise ConfigurationError(
            Problem(
                where,
                "the view has no key",
                "declare key: with columns that name one of its rows, or select _key and _n of its source",
            )
        )
    elif "_n" not in have:
        frame = frame.withColumn("_n", F.lit(FIRST))
    return frame


def _texts(frame: DataFrame, where: str) -> DataFrame:
    """Every column as text, like a landed source's: trimmed, NULL where nothing is left; numbers in one spelling."""
    floating = [f.name for f in frame.schema.fields if isinstance(f.dataType, T.DoubleType | T.FloatType)]
    if floating:
        raise ConfigurationError(
            [
                Problem(
                    where,
                    f"the view's column {name} is a DOUBLE, which engines spell differently as text",
                    "CAST it AS DECIMAL or STRING",
                )
                for name in floating
            ]
        )
    columns = []
    for field in frame.schema.fields:
        if field.name in ("_row", "_row_hash"):
            columns.append(cell(field.name))
        elif field.name in ("_key", "_n", "_file"):
            columns.append(cell(field.name).cast("string").alias(field.name))
        else:
            trimmed = F.trim(cell(field.name).cast("string"))
            columns.append(F.when(trimmed != "", trimmed).alias(field.name))
    return frame.select(*columns)


def view_counts(frame: DataFrame) -> DataFrame:
    """One row: `rows` of the view, `reached` (distinct rows of the driving source), `keys` (distinct keys and n)."""
    return frame.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_distinct(F.xxhash64("_file", "_row")).alias("reached"),
        F.count_distinct(F.xxhash64("_key", "_n")).alias("keys"),
    )
