"""The catalogue of checks run again on the copy, and held against what it gave on the snapshot that passed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from dure.publish.deidentify.treatment import CHANGING, TableTreatment
from dure.publish.profile import Profile
from dure.quality.catalogue import Check, Severity
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.evidence.record import RESULTS
from dure.quality.own_catalogue import catalogue
from dure.quality.results import Result, Status
from dure.quality.validate import validate
from dure.vocab import VocabularyStore

# They compare a snapshot with its run, or with the snapshot before: a copy has neither.
_OF_THE_RUN = frozenset(
    {
        "reconciliation", "accountedRows", "movedRecord", "changedId", "coverageRecords", "coverageCodes",
        "remappedCodes", "driftRows", "driftConcepts", "driftUnits", "driftValues", "driftNulls",
    }
)  # fmt: skip
Counts = tuple[str, int | None, int | None]


@dataclass(frozen=True)
class Difference:
    """One check that ended otherwise on the copy; `why` is empty where nothing in the profile explains it."""

    check: str
    snapshot: Counts
    copy: Counts
    why: str


@dataclass(frozen=True)
class Rerun:
    """What came of it: how many checks were run by how they ended, those that differ, and each check's end on the copy."""

    ends: Mapping[str, int]
    differences: Sequence[Difference]
    counts: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def unexplained(self) -> list[Difference]:
        return [each for each in self.differences if not each.why]


def rerun(
    session: SparkSession,
    copy: Path,
    store: VocabularyStore,
    reports: Path,
    today: date,
    profile: Profile,
    plan: Mapping[str, TableTreatment],
    fewer: Mapping[str, int],
) -> Rerun:
    """The checks of the copy against `results.json` of the snapshot. `fewer`: rows left out by table."""
    before = {item["check"]: item for item in json.loads((reports / RESULTS).read_bytes())["results"]}
    checks = [c for c in catalogue() if c.id in before and c.type.name not in _OF_THE_RUN and not c.type.deprecated]
    results = validate(CheckedSnapshot(session, copy, store, today), checks)
    differences = [
        Difference(result.check.id, then, now, reason(result, then, profile, plan, fewer))
        for result in results
        if (now := _counts(result)) != (then := _counts_before(before[result.check.id]))
    ]
    ends = Counter(result.status.value for result in results)
    return Rerun(dict(sorted(ends.items())), differences, {result.check.id: _counts(result) for result in results})


def reason(
    result: Result, before: Counts, profile: Profile, plan: Mapping[str, TableTreatment], fewer: Mapping[str, int]
) -> str:
    """What in the profile explains the difference; empty where nothing does.

    Nothing explains that a check whose failure is fatal fails on the copy alone.
    """
    check = result.check
    worse = result.status in (Status.FAILED, Status.ERROR) and before[0] not in ("failed", "error")
    if result.status is Status.ERROR or (worse and check.type.severity is Severity.FATAL):
        return ""
    listed = next((each.why for each in profile.differs if each.fits(check)), "")
    return listed or _of_the_plan(check, plan, fewer)


def _of_the_plan(check: Check, plan: Mapping[str, TableTreatment], fewer: Mapping[str, int]) -> str:
    treated = plan.get(check.table)
    if treated is None:
        return ""
    if treated.left_out:
        return treated.left_out
    if fewer.get(check.table):
        return f"some rows of {check.table} do not leave"
    kind = treated.columns.get(check.field or "")
    if kind in CHANGING:
        return f"{check.table}.{check.field}: {kind.value}"
    if check.concept_ids or check.type.name in ("measureConditionEraCompleteness", "inpatientWithoutDiagnosis"):
        return f"codes of {check.table} are rolled up" if treated.columns and _has_codes(treated) else ""
    return ""


def _has_codes(treated: TableTreatment) -> bool:
    return any(kind in CHANGING for kind in treated.columns.values())


def _counts(result: Result) -> Counts:
    return result.status.value, result.violated, result.denominator


def _counts_before(item: Mapping[str, Any]) -> Counts:
    return item["status"], item["violated"], item["denominator"]
