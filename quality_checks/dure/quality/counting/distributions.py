"""Checks of how values are spread by concept and unit: one action over three readings of a table's values.

Medians and median distances, because a mean follows the very values that are looked for. Values that are all positive
are compared as logarithms: laboratory values spread by factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from dure.quality.catalogue import Check
from dure.quality.counting.outcome import Outcome
from dure.quality.counting.own_groups import FIRST, SIGMA
from dure.quality.counting.profile import Median
from dure.quality.counting.snapshot import CheckedSnapshot

OF_DISTRIBUTIONS = frozenset({"outliers", "driftValues"})
# A median's own error is so much that of a mean.
OF_A_MEDIAN = 1.2533
# Where more than half of the values are the same their distance is 0; a tenth stands for it among logarithms.
LEAST_SPREAD = 0.1
_GROUP = ("_concept", "_unit")


def is_of_distributions(check: Check) -> bool:
    """True for the checks that this module counts."""
    return check.type.name in OF_DISTRIBUTIONS


def count_distributions(snapshot: CheckedSnapshot, checks: Sequence[Check]) -> dict[str, Outcome]:
    """The outcome of each check, by its id, in one engine action."""
    table = checks[0].table
    deviations = max((float(check["deviations"]) for check in checks if check["deviations"]), default=0.0)
    spread = _far(values(snapshot.frame(table)), deviations).collect()
    return {check.id: _COUNT[check.type.name](snapshot, check, spread) for check in checks}


def outlying(frame: DataFrame, check: Check) -> DataFrame:
    """The rows of `frame` that `check` counts as outliers."""
    known = values(frame, keep=True)
    least = F.col("_rows") >= int(check["least_rows"])
    return _beside_distance(known, _distances(known)).where(least & _is_far(float(check["deviations"])))


def values(frame: DataFrame, *, keep: bool = False) -> DataFrame:
    """One row a value of a concept that is known: its concept, unit (-1 where there is none) and the value."""
    concept, unit = F.col("measurement_concept_id"), F.coalesce(F.col("unit_concept_id"), F.lit(-1))
    value = F.col("value_as_number")
    chosen = [*(frame.columns if keep else ()), concept.alias("_concept"), unit.alias("_unit"), value.alias("_value")]
    return frame.where((concept != 0) & value.isNotNull() & ~F.isnan(value)).select(*chosen)


def _medians(known: DataFrame) -> DataFrame:
    return known.groupBy(*_GROUP).agg(
        F.count(F.lit(1)).alias("_rows"),
        F.min("_value").alias("_lowest"),
        F.percentile_approx("_value", 0.5).alias("_median"),
    )


def _beside(known: DataFrame, groups: DataFrame) -> DataFrame:
    renamed = groups.select(*(F.col(name).alias(f"{name}_of" if name in _GROUP else name) for name in groups.columns))
    same = (F.col("_concept") == F.col("_concept_of")) & (F.col("_unit") == F.col("_unit_of"))
    return known.join(renamed, same).drop("_concept_of", "_unit_of")


def _distances(known: DataFrame) -> DataFrame:
    """One row a concept and unit: rows, lowest value, median, median distance from it, in the scale of the check."""
    away = _beside(known, _medians(known)).withColumn("_away", _away())
    return away.groupBy(*_GROUP).agg(
        F.min("_rows").alias("_rows"),
        F.min("_lowest").alias("_lowest"),
        F.min("_median").alias("_median"),
        F.percentile_approx("_away", 0.5).alias("_distance"),
        F.percentile_approx(F.abs(F.col("_value") - F.col("_median")), 0.5).alias("_plain"),
    )


def _away() -> Column:
    return F.expr("abs(case when _lowest > 0 then ln(_value) - ln(_median) else _value - _median end)")


def _is_far(deviations: float) -> Column:
    spread = f"case when _lowest > 0 then greatest({SIGMA} * _distance, {LEAST_SPREAD}) else {SIGMA} * _distance end"
    return (_away() > F.expr(f"{deviations} * ({spread})")) & F.expr("_lowest > 0 or _distance > 0")


def _beside_distance(known: DataFrame, distances: DataFrame) -> DataFrame:
    return _beside(known, distances)


def _far(known: DataFrame, deviations: float) -> DataFrame:
    met = _beside_distance(known, _distances(known))
    return met.groupBy(*_GROUP).agg(
        F.min("_rows").alias("rows"),
        F.min("_median").alias("median"),
        F.min("_plain").alias("distance"),
        F.sum(F.when(_is_far(deviations), 1).otherwise(0)).alias("far"),
    )


def _outliers(_: CheckedSnapshot, check: Check, spread: Sequence[Row]) -> Outcome:
    judged = [row for row in spread if row["rows"] >= int(check["least_rows"])]
    return sum(row["far"] for row in judged), sum(row["rows"] for row in judged)


def _drift_values(snapshot: CheckedSnapshot, check: Check, spread: Sequence[Row]) -> Outcome:
    place, least = f"{check.table}.{check.field}", int(check["least_rows"])
    now = {
        f"{row['_concept']} {row['_unit']}": Median(
            rows=row["rows"], median=float(row["median"]), distance=float(row["distance"])
        )
        for row in sorted(spread, key=lambda row: (row["_concept"], row["_unit"]))
    }
    snapshot.profile.medians[place] = now
    if snapshot.before is None:
        return FIRST
    was = snapshot.before.profile.medians.get(place, {})
    both = [each for each in now.keys() & was.keys() if min(now[each].rows, was[each].rows) >= least]
    return sum(_moved(now[each], was[each], check) for each in both), len(both)


def _moved(now: Median, was: Median, check: Check) -> bool:
    """True where the median moved by more than a share of what it was, and by more than chance moves medians."""
    moved = abs(now.median - was.median)
    error = OF_A_MEDIAN * SIGMA * (now.distance**2 / now.rows + was.distance**2 / was.rows) ** 0.5
    return moved > float(check["relative"]) * abs(was.median) and moved > float(check["absolute"]) * error


_COUNT: Mapping[str, Callable[[CheckedSnapshot, Check, Sequence[Row]], Outcome]] = {
    "outliers": _outliers,
    "driftValues": _drift_values,
}
