"""The engine's part of the accounting: small frames of counts over mapped frames, one scan each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Outcome
from dure.tables.assemble import lost_by_moving
from dure.tables.routing import part_column
from dure.tables.rule import Rule

Mapped = Sequence[tuple[Rule, DataFrame]]


def rule_counts(mapped: Mapped) -> DataFrame:
    """One row a (rule, outcome, reason, table): `source_rows`, `rows` (of targets), `zero` (with concept 0), `note_*`."""
    return _union([_rule_counts(rule, frame) for rule, frame in mapped])


def _rule_counts(rule: Rule, frame: DataFrame) -> DataFrame:
    have = set(frame.columns)
    notes = [
        (F.count(F.when(F.col(f"_note_{n}"), F.lit(1))) if f"_note_{n}" in have else F.sum(F.lit(0)))
        .cast("bigint")
        .alias(f"note_{n}")
        for n in Note
    ]
    return (
        frame.groupBy("_outcome", "_reason", "_table")
        .agg(
            F.count(F.when(F.col("_rank") == 0, F.lit(1))).alias("source_rows"),
            F.count(F.lit(1)).alias("rows"),
            F.count(F.when(has_no_concept(frame), F.lit(1))).alias("zero"),
            *notes,
        )
        .select(F.lit(rule.folder).alias("rule"), "*")
    )


def has_no_concept(frame: DataFrame) -> Column:
    """Whether a written row's main concept is 0; rows of tables without one never are."""
    name = part_column("code", "concept_id")
    return (F.col(name) == 0) if name in frame.columns else F.lit(False)


def lost_counts(moved: Sequence[tuple[Rule, DataFrame, str]]) -> DataFrame | None:
    """One row a (rule, table, role): how many rows lost what the rule's role held because the table has no such role."""
    found = []
    for rule, frame, table in moved:
        for role, lost in lost_by_moving(rule, frame.columns, table).items():
            here = frame.where((F.col("_table") == table) & (F.col("_outcome") == Outcome.WRITTEN.value))
            found.append(
                here.agg(F.count(F.when(lost, F.lit(1))).alias("rows")).select(
                    F.lit(rule.folder).alias("rule"), F.lit(table).alias("table"), F.lit(role).alias("role"), "rows"
                )
            )
    return _union(found) if found else None


def row_fates(mapped: Mapped) -> DataFrame:
    """One row a (worst outcome): `rows`, over the source rows that these rules (all of one source) selected.

    Worst first: rejected, unmapped, mapped, excluded; so that no loss hides behind another entry.
    """
    each = []
    for _, frame in mapped:
        worst = (
            F.when(F.col("_outcome") == Outcome.REJECTED.value, F.lit(0))
            .when(F.col("_outcome") != Outcome.WRITTEN.value, F.lit(3))
            .when(has_no_concept(frame), F.lit(1))
            .otherwise(F.lit(2))
        )
        each.append(frame.select("_file", "_row", worst.alias("worst")))
    per_row = _union(each).groupBy("_file", "_row").agg(F.min("worst").alias("worst"))
    return per_row.groupBy("worst").agg(F.count(F.lit(1)).alias("rows"))


def unseen_rows(source: DataFrame, mapped: Mapped) -> int:
    """How many rows of a source or view none of these rules selected, by looking for each."""
    if not mapped:
        return source.select("_file", "_row").distinct().count()
    seen = _union([frame.select(F.col("_file").alias("_f"), F.col("_row").alias("_r")) for _, frame in mapped])
    rows = source.select("_file", "_row").distinct()
    return rows.join(seen, (F.col("_file") == F.col("_f")) & (F.col("_row") == F.col("_r")), "left_anti").count()


WORST = ("rejected", "unmapped", "mapped", "excluded")


def rejects(mapped: Mapped) -> DataFrame:
    """One row a rejected (source row, rule): `rule`, `reason`, `file`, `row`; no cell of the extract."""
    return _union(
        [
            frame.where(F.col("_outcome") == Outcome.REJECTED.value).select(
                F.lit(rule.name).alias("rule"),
                F.col("_reason").alias("reason"),
                F.col("_file").alias("file"),
                F.col("_row").alias("row"),
            )
            for rule, frame in mapped
        ]
    )


def _union(frames: list[DataFrame]) -> DataFrame:
    return reduce(lambda a, b: a.unionByName(b), frames)
