"""What became of checks: counts to statuses, and statuses to scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from dure.quality.catalogue import Check, is_own
from dure.quality.counting.outcome import Inapplicable, Judged, Outcome, Uncountable
from dure.quality.expectations import within


class Status(Enum):
    """The four ends of a check; an error is neither a failure nor a pass."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Result:
    """One check of one snapshot: `violated` of `denominator` rows, None where they could not be counted.

    `reason` says why a check was not applicable or what stopped it.
    """

    check: Check
    status: Status
    violated: int | None
    denominator: int | None
    reason: str = ""

    @property
    def share(self) -> float:
        """Violated rows as a share of the denominator, 0 where nothing was counted."""
        return self.violated / self.denominator if self.violated and self.denominator else 0.0


def results_of(checks: Iterable[Check], outcomes: Mapping[str, Outcome]) -> list[Result]:
    """One result a check, with DataQualityDashboard's rules for what is not applicable.

    Their order matters: a check of a table or field that is absent is not applicable, an error next, then an empty
    table, an empty field, a concept without rows.
    """
    results = [_counted(check, outcomes[check.id]) for check in checks]
    known = _Known(results)
    return [known.judged(result) for result in results]


def score(results: Iterable[Result]) -> float | None:
    """Passed checks as a share of those that passed, failed or erred; None where none applied."""
    ends = Counter(result.status for result in results)
    applied = ends[Status.PASSED] + ends[Status.FAILED] + ends[Status.ERROR]
    return ends[Status.PASSED] / applied if applied else None


def _counted(check: Check, outcome: Outcome) -> Result:
    if isinstance(outcome, Uncountable):
        return Result(check, Status.ERROR, None, None, outcome.cause)
    if isinstance(outcome, Inapplicable):
        return Result(check, Status.NOT_APPLICABLE, None, None, outcome.reason)
    if isinstance(outcome, Judged):
        end = Status.PASSED if outcome.success else Status.FAILED
        return Result(check, end, outcome.violated, outcome.denominator)
    violated, denominator = outcome
    passed = within(violated, denominator, check.threshold)
    return Result(check, Status.PASSED if passed else Status.FAILED, violated, denominator)


class _Known:
    """What the results of cdmTable, cdmField and measureValueCompleteness tell about the others."""

    def __init__(self, results: Sequence[Result]) -> None:
        by_type: dict[str, list[Result]] = {}
        for result in results:
            by_type.setdefault(result.check.type.name, []).append(result)
        values = [r for r in by_type.get("measureValueCompleteness", []) if r.denominator is not None]
        self.absent = {r.check.table for r in by_type.get("cdmTable", []) if r.violated}
        self.fields_absent = {(r.check.table, r.check.field) for r in by_type.get("cdmField", []) if r.violated}
        self.empty = {r.check.table for r in values if r.denominator == 0}
        self.fields_empty = {(r.check.table, r.check.field) for r in values if r.violated == r.denominator}

    def judged(self, result: Result) -> Result:
        reason = self._not_applicable(result)
        return replace(result, status=Status.NOT_APPLICABLE, reason=reason) if reason else result

    def _not_applicable(self, result: Result) -> str:
        check, at = result.check, f"{result.check.table}.{result.check.field}"
        if check.type.name == "cdmTable":
            return ""
        if check.table in self.absent:
            return f"the snapshot has no table {check.table}"
        if check.type.name in ("cdmField", "measurePersonCompleteness"):
            return ""
        if check.type.name == "measureConditionEraCompleteness":
            none = {"condition_occurrence"} & (self.absent | self.empty)
            return "condition_occurrence is empty" if none else ""
        if (check.table, check.field) in self.fields_absent:
            return f"the table has no field {at}"
        if result.status is Status.NOT_APPLICABLE:
            return result.reason
        if result.status is Status.ERROR:
            return ""
        if check.type.name in ("accountedRows", "driftRows"):
            return ""
        if check.table in self.empty:
            return f"{check.table} is empty"
        if check.type.name == "measureValueCompleteness":
            return ""
        if check.field and (check.table, check.field) in self.fields_empty:
            return f"{at} is empty in every row"
        if is_own(check) and result.denominator == 0:
            return f"{at if check.field else check.table} has nothing to look at"
        if check.type.level == "concept" and result.denominator == 0:
            return f"no row of {check.table} has this concept"
        return ""
