"""A table's rows beside their person, death, visit and whatever else they point at: one row in, one row out."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.quality.catalogue import Check
from dure.quality.counting.conditions import (
    BIRTH,
    BORN_BY,
    DEATH,
    PERSON_FOUND,
    SEX,
    VISIT_END,
    VISIT_FOUND,
    VISIT_START,
    found,
)
from dure.quality.counting.own_joined import own_beside
from dure.quality.counting.snapshot import CheckedSnapshot

# Midsummer stands for an unknown birthday, so that nobody is born after a first visit in the same spring.
_BORN_BY = "concat(lpad(cast(year_of_birth as string), 4, '0'), '-06-01')"
_BORN = (
    "concat_ws('-', lpad(cast(year_of_birth as string), 4, '0'), "
    "lpad(cast(coalesce(month_of_birth, 1) as string), 2, '0'), "
    "lpad(cast(coalesce(day_of_birth, 1) as string), 2, '0'))"
)


def joined(snapshot: CheckedSnapshot, table: str, checks: Sequence[Check]) -> DataFrame:
    """One row a row of `table`, with the columns that the conditions of `checks` name.

    Tables that the snapshot lacks find nothing: `found` columns are false, dates NULL. Several deaths or visits of one
    key count as one, the earliest death and the widest visit, so that no row is seen twice.
    """
    frame = snapshot.frame(table)
    has = set(frame.columns)
    if "person_id" in has:
        frame = _beside(frame, "person_id", persons(snapshot), PERSON_FOUND)
    if "visit_occurrence_id" in has and any(check.type.name == "withinVisitDates" for check in checks):
        frame = _beside(frame, "visit_occurrence_id", _visits(snapshot), VISIT_FOUND)
    for check in checks:
        target, own = check["fk_table"], own_beside(snapshot, check)
        if target and check.field in has:
            keys = _keys(snapshot, target, check["fk_field"])
            frame = _beside(frame, check.field, keys, found(check.field))
        if own is not None:
            mark, field, other = own
            frame = _beside(frame, field, other, mark)
    return frame


def persons(snapshot: CheckedSnapshot) -> DataFrame:
    """One row a person_id: day of birth (the first of what is unknown), birth by midsummer, sex, first death."""
    session = snapshot.session
    if snapshot.path("person") is None:
        return session.createDataFrame([], f"person_id bigint, {BIRTH} date, {BORN_BY} date, {SEX} int, {DEATH} date")
    people = snapshot.frame("person").select(
        "person_id",
        F.expr(f"coalesce(cast(birth_datetime as date), try_cast({_BORN} as date))").alias(BIRTH),
        F.expr(f"coalesce(cast(birth_datetime as date), try_cast({_BORN_BY} as date))").alias(BORN_BY),
        F.col("gender_concept_id").alias(SEX),
    )
    people = people.groupBy("person_id").agg(*(F.min(name).alias(name) for name in (BIRTH, BORN_BY, SEX)))
    if snapshot.path("death") is None:
        return people.withColumn(DEATH, F.lit(None).cast("date"))
    deaths = snapshot.frame("death").groupBy(F.col("person_id").alias("_dead")).agg(F.min("death_date").alias(DEATH))
    # Deaths of persons that PERSON lacks count as well: DataQualityDashboard joins DEATH by itself.
    both = people.join(deaths, F.col("person_id") == F.col("_dead"), "full")
    return both.select(F.coalesce("person_id", "_dead").alias("person_id"), BIRTH, BORN_BY, SEX, DEATH)


def _visits(snapshot: CheckedSnapshot) -> DataFrame:
    if snapshot.path("visit_occurrence") is None:
        return snapshot.session.createDataFrame([], f"visit_occurrence_id bigint, {VISIT_START} date, {VISIT_END} date")
    return (
        snapshot.frame("visit_occurrence")
        .groupBy("visit_occurrence_id")
        .agg(F.min("visit_start_date").alias(VISIT_START), F.max("visit_end_date").alias(VISIT_END))
    )


def _keys(snapshot: CheckedSnapshot, table: str, field: str) -> DataFrame:
    if snapshot.path(table) is None:
        return snapshot.session.createDataFrame([], f"{field} bigint")
    return snapshot.frame(table).select(field).distinct()


def _beside(frame: DataFrame, field: str, other: DataFrame, mark: str) -> DataFrame:
    """`frame` with the columns of the row of `other` whose key, its first column, is in `field`; `mark` says if any."""
    key = f"_key{mark}"
    given = [name for name in other.columns[1:] if name not in frame.columns]
    side = other.select(F.col(other.columns[0]).alias(key), *given)
    met = frame.join(side, F.col(field) == F.col(key), "left")
    return met.select(*frame.columns, *given, F.col(key).isNotNull().alias(mark))
