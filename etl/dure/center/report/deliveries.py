"""Who delivered what and when, and how it was checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from dure.center.agreement.majority import few
from dure.center.report.hospitals import Hospital, mapped_share
from dure.center.summary.model import Summary

STALE_DAYS = 100
"""A delivery with data older than this is marked: a quarter, and some days for its making."""

# Rows of a table may be persons (death has one each), so tables are not told one by one.
_LEFT_OUT = {"summary_version", "coverage", "received", "consortium", "tables"}


def deliveries(hospitals: Sequence[Hospital], today: date, threshold: int) -> list[dict[str, Any]]:
    """One row a hospital: its current delivery, and what each delivery of it was; few persons are not told."""
    return [_delivery(hospital, today, threshold) for hospital in hospitals]


def _delivery(hospital: Hospital, today: date, threshold: int) -> dict[str, Any]:
    summary = hospital.summary
    age = (today - summary.as_of).days
    return summary.model_dump(mode="json", exclude=_LEFT_OUT) | {
        "persons": few(summary.persons, threshold),
        "withdrawn": few(summary.withdrawn, threshold),
        "consortium": hospital.consortium,
        "received": str(summary.received.date()),
        "days_since_received": (today - summary.received.date()).days,
        "age_days": age,
        "stale": age > STALE_DAYS,
        "rows": sum(summary.tables.values()),
        "mapped_share": mapped_share(summary),
        "history": [_earlier(each, threshold) for each in hospital.history],
    }


def _earlier(summary: Summary, threshold: int) -> dict[str, Any]:
    return {
        "sequence": summary.sequence,
        "as_of": str(summary.as_of),
        "received": str(summary.received.date()),
        "score": summary.score,
        "persons": few(summary.persons, threshold),
        "rows": sum(summary.tables.values()),
        "mapped_share": mapped_share(summary),
        "vocabulary": summary.vocabulary.release,
        "waived": len(summary.waived),
    }
