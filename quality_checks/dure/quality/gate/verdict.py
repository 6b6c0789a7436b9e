"""The decision of the gate: open or closed, every reason, and what was waived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dure.quality.catalogue import Check
from dure.quality.gate.policy import Policy, Waiver
from dure.quality.results import Result, Status


@dataclass(frozen=True)
class Reason:
    """One thing that closes the gate, is waived, or is only a warning."""

    check: str
    table: str
    found: str
    why: str

    def __str__(self) -> str:
        return f"{self.check}: {self.found} ({self.why})"


@dataclass(frozen=True)
class Waived:
    """One failure that a waiver lets through."""

    reason: Reason
    waiver: Waiver


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one snapshot: it is open where `closing` is empty."""

    closing: tuple[Reason, ...]
    waived: tuple[Waived, ...]
    warnings: tuple[Reason, ...]
    unused: tuple[Waiver, ...]

    @property
    def open(self) -> bool:
        return not self.closing


def decide(
    results: Sequence[Result],
    rows: Mapping[str, int],
    policy: Policy,
    waivers: Iterable[Waiver],
    site: str,
    today: date,
) -> Verdict:
    """The verdict over `results`; `rows` are those of each table of the snapshot, by name.

    A waiver counts for exactly one check of its site, through the day it expires on. An expired one lets nothing
    through, and the reason says so.
    """
    own = {waiver.check: waiver for waiver in waivers if waiver.site == site}
    closing: list[Reason] = []
    waived: list[Waived] = []
    warnings: list[Reason] = []
    for reason, closes in [*_required(rows, policy), *_failures(results, policy)]:
        waiver = own.get(reason.check)
        if not closes:
            warnings.append(reason)
        elif waiver is None:
            closing.append(reason)
        elif waiver.expires < today:
            why = f"{reason.why}; its waiver expired on {waiver.expires}"
            closing.append(Reason(reason.check, reason.table, reason.found, why))
        else:
            waived.append(Waived(reason, waiver))
    used = {item.waiver.check for item in waived} | {reason.check for reason in closing}
    unused = tuple(waiver for waiver in own.values() if waiver.check not in used)
    return Verdict(tuple(closing), tuple(waived), tuple(warnings), unused)


def required_id(table: str) -> str:
    """The id of our check that a required table has rows."""
    return f"dure_required_{table}"


def _required(rows: Mapping[str, int], policy: Policy) -> Iterable[tuple[Reason, bool]]:
    for table in policy.required_tables:
        if not rows.get(table):
            found = "empty" if table in rows else "missing"
            yield Reason(required_id(table), table, f"{table} is {found}", "the policy requires rows in it"), True


def _failures(results: Sequence[Result], policy: Policy) -> Iterable[tuple[Reason, bool]]:
    for result in results:
        if result.status is Status.ERROR:
            yield (
                Reason(result.check.id, result.check.table, "could not be counted", result.reason),
                _gates(result.check, policy),
            )
        elif result.status is Status.FAILED:
            why, closes = _judged(result, policy)
            found = f"{result.violated:,} of {result.denominator:,} ({result.share:.1%})"
            yield Reason(result.check.id, result.check.table, found, why), closes and _gates(result.check, policy)


def _judged(result: Result, policy: Policy) -> tuple[str, bool]:
    check = result.check
    severity = check.type.severity
    match policy.severities.get(severity, "closes"):
        case "closes":
            return severity.value, True
        case "floors":
            floor, right = policy.floor(check.type.name), 100 * (1 - result.share)
            if right < floor:
                return f"{right:.1f} % are right, the floor is {floor:g} %", True
            return f"{right:.1f} % are right, above the floor of {floor:g} %", False
    return severity.value, False


def _gates(check: Check, policy: Policy) -> bool:
    return check.table not in policy.outside
