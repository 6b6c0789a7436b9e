"""The keys of rows that fail: for each failed check of a table, at most so many, and nothing else of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window

from dure.cdm.schema import tables
from dure.quality.catalogue import Check, is_own
from dure.quality.counting.conditions import SEX, joined_condition, row_condition
from dure.quality.counting.distributions import outlying
from dure.quality.counting.grouped import is_of_groups
from dure.quality.counting.groups import SEXES
from dure.quality.counting.joined import joined, persons
from dure.quality.counting.snapshot import CheckedSnapshot

CAP = 1000


def key_of(table: str) -> str | None:
    """The field that names a row: the table's key, else the person's; None where a row has neither."""
    known = tables().get(table)
    if known is None:
        return None
    for name in (known.primary_key, "person_id"):
        if name and name in known.names and not isinstance(known[name].spark, T.StringType):
            return name
    return None


def failing_keys(snapshot: CheckedSnapshot, table: str, failed: Iterable[Check], cap: int = CAP) -> DataFrame | None:
    """(check, key): keys of rows of `table` that violate a check, at most `cap` a check; None where none can be named.

    A check that counts persons gives the persons' keys.
    """
    parts = []
    for check in failed:
        rows = _violating(snapshot, table, check)
        key = "person_id" if check.type.level == "table" else key_of(table)
        if rows is not None and key is not None and key in rows.columns:
            found = rows.select(F.lit(check.id).alias("check"), F.col(key).cast("bigint").alias("key"))
            parts.append(found.limit(cap))
    return reduce(DataFrame.unionAll, parts) if parts else None


def _violating(snapshot: CheckedSnapshot, table: str, check: Check) -> DataFrame | None:
    if condition := row_condition(check, snapshot.today):
        return snapshot.frame(table).where(F.expr(condition[0]))
    if not is_of_groups(check) and (condition := joined_condition(check)):
        return joined(snapshot, table, [check]).where(F.expr(condition[0]))
    if check.type.name == "outliers":
        return outlying(snapshot.frame(table), check)
    return _of_groups(snapshot, table, check) if is_of_groups(check) else None


def _of_groups(snapshot: CheckedSnapshot, table: str, check: Check) -> DataFrame | None:
    match check.type.name:
        case "measurePersonCompleteness":
            here = snapshot.frame(table).select("person_id").distinct()
            return snapshot.frame("person").join(here, "person_id", "left_anti")
        case "measureConditionEraCompleteness":
            ill = snapshot.frame("condition_occurrence").where("condition_concept_id != 0").select("person_id")
            return ill.distinct().join(snapshot.frame(table).select("person_id").distinct(), "person_id", "left_anti")
        case "measureObservationPeriodOverlap":
            return _overlapping(snapshot.frame(table))
    frame, at = snapshot.frame(table), str(check.field)
    match check.type.name:
        case "isPrimaryKey" | "uniqueKey":
            twice = frame.groupBy(at).count().where("count > 1").select(at)
            return frame.join(twice, at, "left_semi")
        case "sourceValueCompleteness":
            return frame.where(F.col(check["standard_field"]) == 0)
        case "plausibleUnitConceptIds":
            units = {int(unit) for unit in check["unit_concept_ids"].split()} - {-1} | {0}
            return frame.where(F.col(at).isin(*check.concept_ids) & ~F.col("unit_concept_id").isin(*sorted(units)))
        case "plausibleGender" | "plausibleGenderUseDescendants" | "sexSpecificDisease":
            return _of_the_other_sex(snapshot, frame, check)
    if check.type.name == "oneUnit":
        return _of_another_unit(frame, check)
    if is_own(check):
        return None
    concepts = snapshot.frame("concept").withColumnRenamed("concept_id", "_concept")
    beside = F.col(at) == F.col("_concept")
    if check.type.name == "isForeignKey":
        return frame.where(F.col(at).isNotNull()).join(concepts.select("_concept"), beside, "left_anti")
    wrong = {
        "fkDomain": F.col("domain_id") != check["fk_domain"],
        "fkClass": F.col("concept_class_id") != check["fk_class"],
        "isStandardValidConcept": F.expr("coalesce(standard_concept, '') != 'S' or coalesce(invalid_reason, '') != ''"),
    }[check.type.name]
    bad = concepts.where(F.col("_concept") != 0).where(wrong).select("_concept")
    return frame.join(bad, beside, "left_semi")


def _of_another_unit(frame: DataFrame, check: Check) -> DataFrame:
    at, unit = str(check.field), check["beside_field"]
    known = frame.where(f"`{at}` != 0 and `{unit}` != 0 and value_as_number is not null")
    counted = known.groupBy(F.col(at).alias("_at"), F.col(unit).alias("_unit")).count()
    place = F.row_number().over(Window.partitionBy("_at").orderBy(F.desc("count"), "_unit"))
    others = counted.withColumn("_place", place).where("_place > 1")
    return known.join(others, (F.col(at) == F.col("_at")) & (F.col(unit) == F.col("_unit")), "left_semi")


def _overlapping(periods: DataFrame) -> DataFrame:
    start, end = "observation_period_start_date", "observation_period_end_date"
    before = Window.partitionBy("person_id").orderBy(start, end).rowsBetween(Window.unboundedPreceding, -1)
    met = periods.withColumn("_until", F.max(end).over(before))
    overlapping = met.where(f"{start} <= date_add(_until, 1)").groupBy("person_id").agg(F.count(F.lit(1)).alias("_n"))
    # Asking for the count keeps Sail from making this a distinct, which it refuses to limit after a window.
    return overlapping.where("_n > 0")


def _of_the_other_sex(snapshot: CheckedSnapshot, frame: DataFrame, check: Check) -> DataFrame:
    below = (
        dict.fromkeys(check.concept_ids, 1)
        if check.type.name == "plausibleGender"
        else snapshot.descendants(check.concept_ids)
    )
    concepts = snapshot.session.createDataFrame([(concept_id,) for concept_id in sorted(below)], "_concept int")
    sexes = persons(snapshot).where(F.col(SEX) != SEXES[check["sex"]])
    if is_own(check):
        sexes = sexes.where(F.col(SEX).isin(*SEXES.values()))
    other = sexes.select("person_id")
    return frame.join(concepts, F.col(str(check.field)) == F.col("_concept"), "left_semi").join(
        other, "person_id", "left_semi"
    )
