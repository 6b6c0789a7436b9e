"""Our own checks that a row and another row decide: of the snapshot before, of the vocabulary, of another table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.quality.catalogue import Check
from dure.quality.counting.snapshot import CheckedSnapshot

_FROM, _UNTIL, _WAS_OF, _WAS = "_kcd_from", "_kcd_until", "_was_of", "_was"
# Mark, key in the table, and the rows to find by it: their first column is that key.
Beside = tuple[str, str, DataFrame]


def own_joined_condition(check: Check) -> tuple[str, str] | None:
    """(violated, denominator) of a check of ours over a table beside what `own_beside` gives it, else None."""
    match check.type.name:
        case "movedRecord":
            return f"{_WAS_OF} != person_id", f"{_WAS_OF} is not null"
        case "changedId":
            return f"{_WAS} != `{check.field}`", f"{_WAS} is not null"
        case "kcdValidOnDate":
            day = f"`{check['beside_field']}`"
            return f"{day} < {_FROM} or {day} > {_UNTIL}", f"{_FROM} is not null and {day} is not null"
        case "inpatientWithoutDiagnosis":
            inpatient = f"`{check.field}` in ({', '.join(map(str, check.concept_ids))})"
            return f"{inpatient} and not _has_condition", inpatient
    return None


def own_beside(snapshot: CheckedSnapshot, check: Check) -> Beside | None:
    """What a check needs beside the rows of its table; None where it needs nothing."""
    made = _BESIDE.get(check.type.name)
    return made(snapshot, check) if made else None


def _moved(snapshot: CheckedSnapshot, check: Check) -> Beside:
    assert snapshot.before is not None
    was = snapshot.frame_before(check.table).groupBy(str(check.field)).agg(F.min("person_id").alias(_WAS_OF))
    return "_found_before", str(check.field), was


def _changed(snapshot: CheckedSnapshot, check: Check) -> Beside:
    """Source keys that stand for one row now and before: others do not say which row is which."""
    key, source = str(check.field), check["beside_field"]
    was, now = (
        _single(snapshot.frame_before(check.table), source, key),
        _single(snapshot.frame(check.table), source, key),
    )
    both = was.join(now.select(F.col(source).alias("_now")), F.col(source) == F.col("_now"), "left_semi")
    return "_found_source", source, both.withColumnRenamed(key, _WAS)


def _single(frame: DataFrame, source: str, key: str) -> DataFrame:
    known = frame.where(F.col(source).isNotNull()).groupBy(source)
    counted = known.agg(F.min(key).alias(key), F.count(F.lit(1)).alias("rows"))
    return counted.where("rows = 1").select(source, key)


def _kcd(snapshot: CheckedSnapshot, check: Check) -> Beside:
    codes = snapshot.frame("concept").where("vocabulary_id like 'KCD%'")
    valid = codes.select("concept_id", F.col("valid_start_date").alias(_FROM), F.col("valid_end_date").alias(_UNTIL))
    return "_found_kcd", str(check.field), valid


def _conditions(snapshot: CheckedSnapshot, check: Check) -> Beside:
    key = "visit_occurrence_id"
    if snapshot.path("condition_occurrence") is None:
        return "_has_condition", key, snapshot.session.createDataFrame([], f"{key} bigint")
    return "_has_condition", key, snapshot.frame("condition_occurrence").select(key).distinct()


_BESIDE: Mapping[str, Callable[[CheckedSnapshot, Check], Beside]] = {
    "movedRecord": _moved,
    "changedId": _changed,
    "kcdValidOnDate": _kcd,
    "inpatientWithoutDiagnosis": _conditions,
}
