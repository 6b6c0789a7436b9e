"""Everything that the report says, as one structure: `report.json` is it, and the page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dure.center.agreement.adoption import adoption
from dure.center.agreement.comparison import Comparison
from dure.center.agreement.majority import of_one_hospital
from dure.center.agreement.pairs import KINDS, matrix
from dure.center.agreement.steps import step_counts
from dure.center.report.coverage import coverage
from dure.center.report.deliveries import deliveries
from dure.center.report.distributions import Counted, by_year, counted, distributions
from dure.center.report.hospitals import Hospital, Outside
from dure.center.report.units import values
from dure.center.report.written import Lists
from dure.vocab.compare import CODE, DESCRIPTION

REPORT_VERSION = 1
TOP_OF_TABLE = 12
MEASURED = 60


@dataclass(frozen=True)
class Figures:
    """What was counted of standard concepts."""

    counted: Counted
    values: list[dict[str, Any]]

    def concepts(self) -> set[int]:
        found = {block.concept_id for block in self.counted.top}
        for each in self.values:
            found |= {each["concept_id"], *(row["unit"] for row in each["rows"] if row["unit"])}
        return found


def figures(hospitals: Sequence[Hospital], threshold: int) -> Figures:
    return Figures(counted(hospitals, TOP_OF_TABLE), values(hospitals, MEASURED, threshold))


def gathered(
    hospitals: Sequence[Hospital],
    outside: Outside,
    found: Figures,
    comparison: Comparison,
    lists: Lists,
    today: date,
    threshold: int,
) -> dict[str, Any]:
    """The report of some hospitals on a day."""
    names = comparison.vocabulary.names
    store = comparison.vocabulary.store
    concepts = distributions(hospitals, found.counted.top, threshold)
    for each in [*concepts, *found.values]:
        each["name"] = names.get(each["concept_id"])
    units = {row["unit"] for each in found.values for row in each["rows"] if row["unit"]}
    return {
        "report_version": REPORT_VERSION,
        "today": str(today),
        "threshold": threshold,
        "vocabulary": {"release": store.release, "digest": store.digest} if store else None,
        "deliveries": deliveries(hospitals, today, threshold),
        "waiting": outside.waiting,
        "kept_out": outside.kept_out,
        "coverage": coverage(hospitals, threshold),
        "concepts": concepts,
        "years": by_year(hospitals, found.counted, threshold),
        "values": found.values,
        "unit_names": {str(unit): names.get(unit) for unit in sorted(units)},
        "agreement": {kind: _agreement(hospitals, comparison, kind) for kind in KINDS},
        "differences": {
            "codes": lists.differences[CODE].count,
            "descriptions": lists.differences[DESCRIPTION].count,
            "listed": [row for each in lists.differences.values() for row in each.rows],
        },
        "adoption": adoption(comparison.book),
        "proposals": {
            "codes": lists.proposed.count,
            "not_proposed": lists.reasons,
            "one_hospital": of_one_hospital(comparison.book),
            "listed": [row for rows in lists.proposed.rows for row in rows],
            "not_proposed_listed": lists.not_proposed.rows,
        },
    }


def _agreement(hospitals: Sequence[Hospital], comparison: Comparison, kind: str) -> dict[str, Any]:
    found = comparison.pairs[kind]
    consortia: dict[str, list[int]] = {}
    for number, hospital in enumerate(hospitals):
        consortia.setdefault(hospital.consortium, []).append(number)
    everybody = range(len(hospitals))
    return {
        "overall": found.among(everybody).told(),
        "within_consortia": {name: found.among(own).told() for name, own in sorted(consortia.items())},
        "hospitals": {hospital.site: found.with_others(n).told() for n, hospital in enumerate(hospitals)},
        "pairs": matrix(found, comparison.book.sites),
        "steps": step_counts(comparison.book, found.apart, comparison.vocabulary),
    }
