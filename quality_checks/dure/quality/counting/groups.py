"""DataQualityDashboard's checks over groups of a table: repeated keys, concepts, source values, sexes, units, persons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from dure.quality.catalogue import Check
from dure.quality.counting.conditions import SEX
from dure.quality.counting.joined import persons
from dure.quality.counting.outcome import Counts
from dure.quality.counting.snapshot import CheckedSnapshot

SEXES = {"male": 8507, "female": 8532}
# By kind and name: rows of (first key, second key, rows); what the keys are is said where each is made.
Groups = Mapping[tuple[str, str], Sequence[tuple[int | None, int | None, int]]]


def parts_of(check: Check) -> list[tuple[str, str]]:
    """(kind, name) of the groups that a check needs."""
    match check.type.name:
        case "isPrimaryKey":
            return [("key", str(check.field))]
        case "fkDomain" | "fkClass" | "isStandardValidConcept" | "isForeignKey":
            return [("concept", str(check.field))]
        case "sourceValueCompleteness":
            return [("source", f"{check.field} {check['standard_field']}")]
        case "plausibleGender" | "plausibleGenderUseDescendants":
            return [("sex", str(check.field))]
        case "plausibleUnitConceptIds":
            return [("unit", str(check.field))]
        case "measurePersonCompleteness":
            return [("persons", "")]
        case "measureConditionEraCompleteness":
            return [("eras", "")]
        case "measureObservationPeriodOverlap":
            return [("periods", "")]
    return []


def part(kind: str, name: str, frame: DataFrame, first: str, second: str, n: str) -> DataFrame:
    """Rows (kind, name, first, second, n) from SQL over the rows of `frame`."""
    return frame.select(
        F.lit(kind).alias("kind"),
        F.lit(name).alias("name"),
        F.expr(f"cast({first} as bigint)").alias("first"),
        F.expr(f"cast({second} as bigint)").alias("second"),
        F.expr(f"cast({n} as bigint)").alias("n"),
    )


def _keys(_: CheckedSnapshot, frame: DataFrame, __: str, name: str) -> DataFrame:
    """n: rows whose key another row has too."""
    repeated = frame.where(F.col(name).isNotNull()).groupBy(name).count().where("count > 1")
    return part("key", name, repeated.agg(F.sum("count").alias("rows")), "null", "null", "coalesce(rows, 0)")


def _concepts(_: CheckedSnapshot, frame: DataFrame, __: str, name: str) -> DataFrame:
    """first: a concept id, n: its rows."""
    return part("concept", name, frame.where(F.col(name).isNotNull()).groupBy(name).count(), name, "null", "count")


def _sources(_: CheckedSnapshot, frame: DataFrame, __: str, name: str) -> DataFrame:
    """first: distinct source values, n: those that have concept 0 somewhere."""
    source, standard = name.split()
    values = frame.groupBy(source).agg(F.max(F.expr(f"if(`{standard}` = 0, 1, 0)")).alias("zero"))
    totals = values.agg(F.count(F.lit(1)).alias("all_values"), F.sum("zero").alias("zeros"))
    return part("source", name, totals, "all_values", "null", "coalesce(zeros, 0)")


def _sexes(snapshot: CheckedSnapshot, frame: DataFrame, _: str, name: str) -> DataFrame:
    """first: a concept id, second: the sex of the person, n: rows."""
    sexes = persons(snapshot).select(F.col("person_id").alias("_who"), SEX)
    met = frame.join(sexes, F.col("person_id") == F.col("_who"), "left").groupBy(name, SEX).count()
    return part("sex", name, met, name, SEX, "count")


def _units(_: CheckedSnapshot, frame: DataFrame, __: str, name: str) -> DataFrame:
    """first: a concept id, second: the unit's, n: rows."""
    return part("unit", name, frame.groupBy(name, "unit_concept_id").count(), name, "unit_concept_id", "count")


def _persons_without(snapshot: CheckedSnapshot, frame: DataFrame, _: str, name: str) -> DataFrame | None:
    """n: persons without a row in the table."""
    if snapshot.path("person") is None:
        return None
    here = frame.select("person_id").distinct()
    missing = snapshot.frame("person").join(here, "person_id", "left_anti")
    return part("persons", name, missing.agg(F.count(F.lit(1)).alias("rows")), "null", "null", "rows")


def _eras(snapshot: CheckedSnapshot, frame: DataFrame, _: str, name: str) -> DataFrame | None:
    """first: persons with a mapped condition, n: those without a condition era."""
    if snapshot.path("condition_occurrence") is None:
        return None
    ill = snapshot.frame("condition_occurrence").where("condition_concept_id != 0").select("person_id").distinct()
    with_era = frame.select(F.col("person_id").alias("_who")).distinct()
    met = ill.join(with_era, F.col("person_id") == F.col("_who"), "left")
    totals = met.agg(
        F.count(F.lit(1)).alias("people"), F.sum(F.when(F.col("_who").isNull(), 1).otherwise(0)).alias("without")
    )
    return part("eras", name, totals, "people", "null", "coalesce(without, 0)")


def _periods(_: CheckedSnapshot, frame: DataFrame, __: str, name: str) -> DataFrame:
    """first: persons with a period, n: those of whom two periods overlap or touch."""
    start, end = "observation_period_start_date", "observation_period_end_date"
    before = Window.partitionBy("person_id").orderBy(start, end).rowsBetween(Window.unboundedPreceding, -1)
    met = frame.select("person_id", start, end, F.max(end).over(before).alias("_until"))
    people = met.groupBy("person_id").agg(F.max(F.expr(f"if({start} <= date_add(_until, 1), 1, 0)")).alias("overlaps"))
    totals = people.agg(F.count(F.lit(1)).alias("people"), F.sum("overlaps").alias("overlapping"))
    return part("periods", name, totals, "people", "null", "coalesce(overlapping, 0)")


PARTS: Mapping[str, Callable[[CheckedSnapshot, DataFrame, str, str], DataFrame | None]] = {
    "key": _keys,
    "concept": _concepts,
    "source": _sources,
    "sex": _sexes,
    "unit": _units,
    "persons": _persons_without,
    "eras": _eras,
    "periods": _periods,
}
Facts = Mapping[int, tuple[object, ...]]


def rows_of(groups: Groups, parts: Sequence[tuple[str, str]]) -> Sequence[tuple[int | None, int | None, int]]:
    """The groups of the first of `parts`."""
    return groups.get(parts[0], ())


def _rows_of(groups: Groups, check: Check) -> Sequence[tuple[int | None, int | None, int]]:
    return rows_of(groups, parts_of(check))


def _count_keys(snapshot: CheckedSnapshot, check: Check, groups: Groups, _: Facts) -> Counts:
    return sum(n for _, _, n in _rows_of(groups, check)), snapshot.rows(check.table)


def _count_foreign(snapshot: CheckedSnapshot, check: Check, groups: Groups, facts: Facts) -> Counts:
    return sum(n for first, _, n in _rows_of(groups, check) if first not in facts), snapshot.rows(check.table)


def _count_domain(snapshot: CheckedSnapshot, check: Check, groups: Groups, facts: Facts) -> Counts:
    return _known(check, groups, facts, lambda fact: fact[0] != check["fk_domain"]), snapshot.rows(check.table)


def _count_class(snapshot: CheckedSnapshot, check: Check, groups: Groups, facts: Facts) -> Counts:
    return _known(check, groups, facts, lambda fact: fact[1] != check["fk_class"]), snapshot.rows(check.table)


def _count_standard(_: CheckedSnapshot, check: Check, groups: Groups, facts: Facts) -> Counts:
    violated = _known(check, groups, facts, lambda fact: fact[2] != "S" or fact[3] is not None)
    return violated, sum(n for _, _, n in _rows_of(groups, check))


def _known(check: Check, groups: Groups, facts: Facts, wrong: Callable[[tuple[object, ...]], bool]) -> int:
    """Rows whose concept, other than 0, exists and is `wrong`."""
    return sum(n for first, _, n in _rows_of(groups, check) if first and first in facts and wrong(facts[first]))


def _count_sources(_: CheckedSnapshot, check: Check, groups: Groups, __: Facts) -> Counts:
    totals = list(_rows_of(groups, check))
    return (totals[0][2], totals[0][0] or 0) if totals else (0, 0)


def _count_sex(snapshot: CheckedSnapshot, check: Check, groups: Groups, _: Facts) -> Counts:
    """A row counts once for each of the concepts that stands above it, as in DataQualityDashboard's own join."""
    expected = SEXES[check["sex"]]
    if check.type.name == "plausibleGender":
        weights = dict.fromkeys(check.concept_ids, 1)
    else:
        weights = snapshot.descendants(check.concept_ids)
    rows = [(weights.get(first or 0, 0), second, n) for first, second, n in _rows_of(groups, check)]
    violated = sum(weight * n for weight, sex, n in rows if sex is not None and sex != expected)
    return violated, sum(weight * n for weight, _, n in rows)


def _count_units(_: CheckedSnapshot, check: Check, groups: Groups, __: Facts) -> Counts:
    plausible = {int(unit) for unit in check["unit_concept_ids"].split()} - {-1}
    rows = [(unit, n) for first, unit, n in _rows_of(groups, check) if first in check.concept_ids and unit != 0]
    return sum(n for unit, n in rows if unit is not None and unit not in plausible), sum(n for _, n in rows)


def _count_persons(snapshot: CheckedSnapshot, check: Check, groups: Groups, _: Facts) -> Counts:
    return sum(n for _, _, n in _rows_of(groups, check)), snapshot.rows("person")


COUNT: Mapping[str, Callable[[CheckedSnapshot, Check, Groups, Facts], Counts]] = {
    "isPrimaryKey": _count_keys,
    "isForeignKey": _count_foreign,
    "fkDomain": _count_domain,
    "fkClass": _count_class,
    "isStandardValidConcept": _count_standard,
    "sourceValueCompleteness": _count_sources,
    "plausibleGender": _count_sex,
    "plausibleGenderUseDescendants": _count_sex,
    "plausibleUnitConceptIds": _count_units,
    "measurePersonCompleteness": _count_persons,
    "measureConditionEraCompleteness": _count_sources,
    "measureObservationPeriodOverlap": _count_sources,
}
