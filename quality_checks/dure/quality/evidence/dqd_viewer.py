"""`dqd-results.json`: results in the form that the viewer of OHDSI's DataQualityDashboard reads.

Only its own checks stand in it. As its writer does, each single value outside the lists is a list of one. What it
counts as passed overall includes checks that are not applicable or could not be counted; the gate never looks at that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dure.quality.catalogue import dqd_types, rows
from dure.quality.evidence.record import Checking
from dure.quality.explain import finding_sql
from dure.quality.results import Result, Status

FILE = "dqd-results.json"
# The release whose check types, ids and thresholds the catalogue carries.
DQD_VERSION = "2.8.0"
_CATEGORIES = ("Plausibility", "Conformance", "Completeness")


def viewer_json(checking: Checking, cdm_source: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document; `cdm_source` are the rows of that table of the snapshot.

    The viewer does not open without one, so the site's name stands in where the table is empty.
    """
    described = cdm_source or [{"cdm_source_name": checking.manifest.site}]
    checks = [_check(result) for result in checking.results if result.check.type.name in dqd_types()]
    seconds = checking.seconds
    return {
        "startTimestamp": [_time(checking.started)],
        "endTimestamp": [_time(checking.ended)],
        "executionTime": [f"{seconds:.0f} secs" if seconds < 60 else f"{seconds / 60:.0f} mins"],
        "executionTimeSeconds": [round(seconds, 4)],
        "CheckResults": checks,
        "Metadata": [{_camel(name): _text(value) for name, value in row.items()} | _VERSION for row in described],
        "Overview": {name: [value] for name, value in _overview(checks).items()},
    }


_VERSION = {"dqdVersion": DQD_VERSION}


def read_cdm_source(snapshot: Path) -> list[dict[str, Any]]:
    """The rows of the snapshot's table cdm_source."""
    files = sorted((snapshot / "cdm_source").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def _check(result: Result) -> dict[str, Any]:
    check, kind, status = result.check, result.check.type, result.status
    at = f"{check.table}.{check.field}" if check.field else check.table
    return {
        "numViolatedRows": result.violated,
        "pctViolatedRows": round(result.share, 4) if result.violated is not None else None,
        "numDenominatorRows": result.denominator,
        # Checks of a table are counted in one pass, so none has a time of its own.
        "executionTime": None,
        "queryText": finding_sql(check),
        "checkName": kind.name,
        "checkLevel": kind.level.upper(),
        "checkDescription": f"{at.upper()}: {kind.description}",
        "cdmTableName": check.table.upper(),
        "cdmFieldName": check.field.upper() if check.field else None,
        "conceptId": ",".join(map(str, check.concept_ids)) or None,
        "unitConceptId": None,
        "sqlFile": _sql_files()[kind.name],
        "category": kind.category,
        "subcategory": kind.subcategory,
        "context": kind.context,
        "warning": None,
        "error": result.reason if status is Status.ERROR else None,
        "checkId": check.id,
        "severity": kind.severity.value,
        "failed": int(status is Status.FAILED),
        "passed": int(status is Status.PASSED),
        "isError": int(status is Status.ERROR),
        "notApplicable": int(status is Status.NOT_APPLICABLE),
        "notApplicableReason": result.reason if status is Status.NOT_APPLICABLE else None,
        "thresholdValue": check.threshold,
        "notesValue": None,
    }


def _overview(checks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    failed = _count(checks, "failed")
    passed = len(checks) - failed
    of = {name: [check for check in checks if check["category"] == name] for name in _CATEGORIES}
    return {
        "countTotal": len(checks),
        "countPassed": passed,
        "countErrorFailed": _count(checks, "isError"),
        "countThresholdFailed": failed,
        "countOverallFailed": failed,
        "percentPassed": round(100 * passed / len(checks), 2) if checks else 0.0,
        "percentFailed": round(100 * failed / len(checks), 2) if checks else 0.0,
        **{f"countTotal{name}": len(each) for name, each in of.items()},
        **{f"countFailed{name}": _count(each, "failed") for name, each in of.items()},
        **{f"countPassed{name}": _count(each, "passed") for name, each in of.items()},
    }


def _count(checks: Iterable[Mapping[str, Any]], flag: str) -> int:
    return sum(check[flag] for check in checks)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)


@cache
def _sql_files() -> Mapping[str, str]:
    """The file of DataQualityDashboard's own query, by check type."""
    return {row["check"]: row["sql_file"] for row in rows("dqd/sql_files.csv")}
