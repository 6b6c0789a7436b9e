"""The record of one checking of one snapshot, and its files `results.json` and `verdict.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dure.quality.gate.policy import Waiver
from dure.quality.gate.verdict import Reason, Verdict
from dure.quality.results import Result, Status, score
from dure.snapshot.manifest import Manifest

RESULTS, VERDICT = "results.json", "verdict.json"


@dataclass(frozen=True)
class Checking:
    """One checking: the snapshot by its manifest, every result, the verdict, when, and how long it took in seconds.

    `partial` where only some checks were run: then there is no verdict to rely on.
    """

    manifest: Manifest
    results: Sequence[Result]
    verdict: Verdict
    rows: Mapping[str, int]
    today: date
    started: datetime
    ended: datetime
    partial: bool

    @property
    def seconds(self) -> float:
        return (self.ended - self.started).total_seconds()


def results_json(checking: Checking) -> dict[str, Any]:
    """`results.json`: every check with its counts, and scores over all, by Kahn category and by table."""
    return {
        **_head(checking),
        "partial": checking.partial,
        "scores": scores(checking.results),
        "rows": dict(checking.rows),
        "results": [_result(result) for result in checking.results],
    }


def verdict_json(checking: Checking) -> dict[str, Any]:
    """`verdict.json`: what the gate decided of the snapshot whose digest it names."""
    verdict = checking.verdict
    return {
        **_head(checking),
        "gate": "open" if verdict.open else "closed",
        "score": score(checking.results),
        "closing": [_reason(reason) for reason in verdict.closing],
        "waived": [_reason(item.reason) | {"waiver": _waiver(item.waiver)} for item in verdict.waived],
        "warnings": [_reason(reason) for reason in verdict.warnings],
        "unused_waivers": [_waiver(waiver) for waiver in verdict.unused],
    }


def scores(results: Sequence[Result]) -> dict[str, Any]:
    """Counts by status, and the headline: passed of those that passed, failed or erred; by category and table too."""
    by_category: dict[str, list[Result]] = {}
    by_table: dict[str, list[Result]] = {}
    for result in results:
        by_category.setdefault(result.check.type.category, []).append(result)
        by_table.setdefault(result.check.table, []).append(result)
    return {
        "all": _score(results),
        "by_category": {name: _score(each) for name, each in sorted(by_category.items())},
        "by_table": {name: _score(each) for name, each in sorted(by_table.items())},
    }


def as_text(document: Mapping[str, Any]) -> bytes:
    """JSON as the files hold it."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def read_verdict(reports: Path) -> dict[str, Any] | None:
    """The verdict of a snapshot's reports; None where it was never checked."""
    file = reports / VERDICT
    if not file.is_file():
        return None
    read: dict[str, Any] = json.loads(file.read_bytes())
    return read


def _score(results: Sequence[Result]) -> dict[str, Any]:
    counts = {status.value: sum(result.status is status for result in results) for status in Status}
    return counts | {"score": score(results)}


def _head(checking: Checking) -> dict[str, Any]:
    manifest = checking.manifest
    return {
        "site": manifest.site,
        "snapshot": manifest.snapshot,
        "digest": manifest.digest,
        "as_of": str(manifest.as_of),
        "vocabulary": manifest.vocabulary.release,
        "dure_version": manifest.dure_version,
        "day": str(checking.today),
        "started": checking.started.isoformat(),
        "seconds": round(checking.seconds, 1),
    }


def _result(result: Result) -> dict[str, Any]:
    check = result.check
    return {
        "check": check.id,
        "type": check.type.name,
        "level": check.type.level,
        "table": check.table,
        "field": check.field,
        "concepts": list(check.concept_ids),
        "severity": check.type.severity.value,
        "category": check.type.category,
        "subcategory": check.type.subcategory,
        "context": check.type.context,
        "status": result.status.value,
        "violated": result.violated,
        "denominator": result.denominator,
        "threshold": check.threshold,
        "reason": result.reason,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"check": reason.check, "table": reason.table, "found": reason.found, "why": reason.why}


def _waiver(waiver: Waiver) -> dict[str, str]:
    return {name: str(value) for name, value in waiver.model_dump().items()}
