"""How many written records each code of a run has, by year: the engine's part of coverage and work lists.

Values of results are left out: they are what was measured, not terminology.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.cdm.roles import roles
from dure.tables.coded import resolved_column
from dure.tables.routing import part_column
from dure.tables.rule import Rule

Mapped = Sequence[tuple[Rule, DataFrame]]


def code_counts(mapped: Mapped) -> DataFrame | None:
    """One row a (rule, role, code, year): `records`, the source records written with it, each counted once.

    `resolved_row` names the code by its row of the resolved map; where the map was not asked it is NULL, and `code` and
    `concept_id` say what the source held and what a short map gave. `year` is that of the record's start.
    """
    found = [_counts(rule, frame, role) for rule, frame in mapped for role in _coded(rule, frame)]
    return reduce(lambda a, b: a.unionByName(b), found) if found else None


def units_seen(mapped: Mapped) -> DataFrame | None:
    """One row a (rule, code without a concept, unit in the source): `records`."""
    concept, unit = part_column("code", "concept_id"), part_column("unit", "source_value")
    found = []
    for rule, frame in mapped:
        if {"_code", concept, unit} <= set(frame.columns):
            open_still = _written(frame).where((F.col(concept) == 0) & F.col(unit).isNotNull())
            found.append(
                open_still.select(_resolved(frame, "code"), F.col("_code").alias("code"), F.col(unit).alias("unit"))
                .where(F.col("resolved_row").isNotNull() | F.col("code").isNotNull())
                .groupBy("resolved_row", "code", "unit")
                .agg(F.count(F.lit(1)).alias("records"))
                .select(F.lit(rule.folder).alias("rule"), "*")
            )
    return reduce(lambda a, b: a.unionByName(b), found) if found else None


def _coded(rule: Rule, frame: DataFrame) -> list[str]:
    """The coded roles of a rule whose source text the mapped frame still has."""
    have = set(frame.columns)
    return [
        role.name
        for role in roles(rule.table).values()
        if role.kind == "coded"
        and part_column(role.name, "concept_id") in have
        and ("_code" if role.name == "code" else part_column(role.name, "source_value")) in have
    ]


def _counts(rule: Rule, frame: DataFrame, role: str) -> DataFrame:
    start = part_column("start", "date")
    text = F.col("_code") if role == "code" else F.col(part_column(role, "source_value"))
    resolved = _resolved(frame, role)
    year = F.year(F.col(start)) if start in frame.columns else F.lit(None).cast("int")
    return (
        _written(frame)
        .select(
            resolved,
            text.alias("code"),
            F.col(part_column(role, "concept_id")).alias("concept_id"),
            year.cast("int").alias("year"),
        )
        .where(F.col("resolved_row").isNotNull() | F.col("code").isNotNull())
        # What the resolved map names needs no text to be told apart.
        .withColumn("code", F.when(F.col("resolved_row").isNull(), F.col("code")))
        .groupBy("resolved_row", "code", "concept_id", "year")
        .agg(F.count(F.lit(1)).alias("records"))
        .select(F.lit(rule.folder).alias("rule"), F.lit(role).alias("role"), "*")
    )


def _written(frame: DataFrame) -> DataFrame:
    return frame.where((F.col("_outcome") == Outcome.WRITTEN.value) & (F.col("_rank") == 0))


def _resolved(frame: DataFrame, role: str) -> Column:
    name = resolved_column(role)
    found = F.col(name) if name in frame.columns else F.lit(None)
    return found.cast("int").alias("resolved_row")
