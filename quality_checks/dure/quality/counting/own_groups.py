"""Our own checks over groups of a table: units, months, sexes, concepts compared with the snapshot before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from statistics import median

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.quality.catalogue import Check
from dure.quality.counting.groups import SEXES, Facts, Groups, part, rows_of
from dure.quality.counting.outcome import Counts, Inapplicable, Outcome
from dure.quality.counting.profile import left_range
from dure.quality.counting.snapshot import CheckedSnapshot

# A median distance times this is the standard deviation of a bell curve.
SIGMA = 1.4826
# A month is compared with the half year before it and the half year after.
AROUND = 6


def own_parts(check: Check) -> list[tuple[str, str]]:
    """(kind, name) of the groups that a check of ours needs."""
    at = str(check.field)
    match check.type.name:
        case "uniqueKey":
            return [("key", at)]
        case "driftConcepts":
            return [("concept", at)]
        case "sexSpecificDisease":
            return [("sex", at)]
        case "oneUnit" | "driftUnits":
            return [("valued", at)]
        case "monthlyBreaks":
            return [("month", at)]
    return []


def _valued(_: CheckedSnapshot, frame: DataFrame, __: str, name: str) -> DataFrame:
    """first: a concept id, second: a mapped unit's, n: rows with a value."""
    known = frame.where(f"`{name}` != 0 and unit_concept_id != 0 and value_as_number is not null")
    return part("valued", name, known.groupBy(name, "unit_concept_id").count(), name, "unit_concept_id", "count")


def _months(_: CheckedSnapshot, frame: DataFrame, __: str, name: str) -> DataFrame:
    """first: months since year 0, n: rows."""
    month = F.expr(f"year(`{name}`) * 12 + month(`{name}`) - 1").alias("month")
    counted = frame.where(F.col(name).isNotNull()).select(month).groupBy("month").count()
    return part("month", name, counted, "month", "null", "count")


OWN_PARTS: Mapping[str, Callable[[CheckedSnapshot, DataFrame, str, str], DataFrame | None]] = {
    "valued": _valued,
    "month": _months,
}


def _unique(snapshot: CheckedSnapshot, check: Check, groups: Groups, _: Facts) -> Counts:
    return sum(n for _, _, n in rows_of(groups, own_parts(check))), snapshot.rows(check.table)


def _sexes(snapshot: CheckedSnapshot, check: Check, groups: Groups, _: Facts) -> Counts:
    of_one_sex, expected = snapshot.descendants(check.concept_ids), SEXES[check["sex"]]
    met = [(sex, n) for first, sex, n in rows_of(groups, own_parts(check)) if first and first in of_one_sex]
    known = [(sex, n) for sex, n in met if sex in SEXES.values()]
    return sum(n for sex, n in known if sex != expected), sum(n for _, n in known)


def _by_concept(check: Check, groups: Groups) -> dict[int, dict[int, int]]:
    units: dict[int, dict[int, int]] = defaultdict(dict)
    for concept, unit, n in rows_of(groups, own_parts(check)):
        if concept is not None and unit is not None:
            units[concept][unit] = n
    return {concept: dict(sorted(units[concept].items())) for concept in sorted(units)}


def _one_unit(_: CheckedSnapshot, check: Check, groups: Groups, __: Facts) -> Counts:
    units = _by_concept(check, groups).values()
    rows = sum(sum(each.values()) for each in units)
    return rows - sum(max(each.values()) for each in units), rows


def _drift_units(snapshot: CheckedSnapshot, check: Check, groups: Groups, _: Facts) -> Outcome:
    place, least = f"{check.table}.{check.field}", int(check["least_rows"])
    now = snapshot.profile.units[place] = _by_concept(check, groups)
    if snapshot.before is None:
        return FIRST
    was = snapshot.before.profile.units.get(place, {})
    both = [each for each in now.keys() & was.keys() if min(_total(now[each]), _total(was[each])) >= least]
    return sum(_commonest(now[each]) != _commonest(was[each]) for each in both), len(both)


def _total(counts: Mapping[int, int]) -> int:
    return sum(counts.values())


def _commonest(units: Mapping[int, int]) -> int:
    return min(units, key=lambda unit: (-units[unit], unit))


def _drift_concepts(snapshot: CheckedSnapshot, check: Check, groups: Groups, _: Facts) -> Outcome:
    place = f"{check.table}.{check.field}"
    now = {first: n for first, _, n in rows_of(groups, own_parts(check)) if first is not None}
    snapshot.profile.concepts[place] = dict(sorted(now.items()))
    if snapshot.before is None:
        return FIRST
    was = snapshot.before.profile.concepts.get(place, {})
    if not was or not now:
        return Inapplicable("one of the two snapshots has no rows")
    # What the table would have of each concept had it only grown.
    grown = _total(now) / _total(was)
    named = now.keys() | was.keys()
    return sum(left_range(now.get(each, 0), was.get(each, 0) * grown, check) for each in named), len(named)


def _months_broken(_: CheckedSnapshot, check: Check, groups: Groups, __: Facts) -> Counts:
    found = {month: n for month, _, n in rows_of(groups, own_parts(check)) if month is not None}
    if not found:
        return 0, 0
    judged = list(_judged(found, check))
    return sum(judged), len(judged)


def _judged(found: Mapping[int, int], check: Check) -> Iterable[bool]:
    """One a month, but for the first and the last, which may be cut short: whether it breaks away."""
    first, last = min(found), max(found)
    for month in range(first + 1, last):
        around = [
            found.get(other, 0)
            for other in range(max(month - AROUND, first + 1), min(month + AROUND, last - 1) + 1)
            if other != month
        ]
        if len(around) >= AROUND:
            rows, usual = found.get(month, 0), median(around)
            # Rows come in clumps, such as all those of one stay: months around that differ much allow for more.
            spread = SIGMA * median(abs(n - usual) for n in around)
            yield left_range(rows, usual, check) and abs(rows - usual) > float(check["deviations"]) * spread


FIRST = Inapplicable("no earlier snapshot of the site passed the gate")
OWN_COUNT: Mapping[str, Callable[[CheckedSnapshot, Check, Groups, Facts], Outcome]] = {
    "uniqueKey": _unique,
    "sexSpecificDisease": _sexes,
    "oneUnit": _one_unit,
    "driftUnits": _drift_units,
    "driftConcepts": _drift_concepts,
    "monthlyBreaks": _months_broken,
}
