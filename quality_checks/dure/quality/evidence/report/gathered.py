"""What the report shows beside the checks: coverage, unmapped codes, reconciliation, earlier checkings of the site.

Each is read from the evidence that the run or an earlier checking left in the folder of reports; what is not there is
None, and the page says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from dure.accounting.reconciliation import Reconciliation
from dure.quality.evidence.record import RESULTS, VERDICT
from dure.snapshot.durable import lake_access
from dure.vocab.coverage import CODE_RECORDS, CODE_RECORDS_FILE, coverage
from dure.vocab.worklist import COLUMNS, worklist

RECONCILIATION_FILE = "reconciliation.json"
SMALLEST_CELL = 10
_LONGEST_TREND = 30
_TOP_CODES = 25


@dataclass(frozen=True)
class DomainCoverage:
    """One domain of the source codes: codes and records, and the shares that have a standard concept."""

    domain: str | None
    codes: int
    codes_mapped: float
    records: int
    records_mapped: float


@dataclass(frozen=True)
class UnmappedCode:
    """One code without a concept; `records` is None where there are fewer than SMALLEST_CELL."""

    code: str
    vocabulary: str
    source: str
    table: str
    role: str
    records: int | None


@dataclass(frozen=True)
class Earlier:
    """One checked snapshot of the site: an earlier one, or the one at hand. Shares are None where unknown."""

    snapshot: str
    day: str
    open: bool
    score: float | None
    mapped: float | None
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Gathered:
    """All of it for one snapshot; `earlier` is the oldest first, without the snapshot itself."""

    coverage: Sequence[DomainCoverage] | None
    mapped: float | None
    unmapped: Sequence[UnmappedCode] | None
    reconciliation: Reconciliation | None
    earlier: Sequence[Earlier]
    files: frozenset[str]


def gathered(reports: Path) -> Gathered:
    """What the folder of one snapshot's reports and its neighbours hold."""
    with lake_access(reports):
        records = _code_records(reports)
        return Gathered(
            coverage=None if records is None else _coverage(records),
            mapped=_mapped(records),
            unmapped=None if records is None else _unmapped(records),
            reconciliation=_reconciliation(reports),
            earlier=_earlier(reports),
            files=frozenset(path.name for path in reports.iterdir()) if reports.is_dir() else frozenset(),
        )


def _code_records(reports: Path) -> pa.Table | None:
    file = reports / CODE_RECORDS_FILE
    if not file.is_file():
        return None
    try:
        records = pq.read_table(file)
    except pa.ArrowInvalid:
        return None
    return records if records.schema.names == CODE_RECORDS.names else None


def _coverage(records: pa.Table) -> list[DomainCoverage]:
    rows = [
        DomainCoverage(
            domain=str(row["domain"]) if row["domain"] else None,
            codes=int(str(row["codes"])),
            codes_mapped=float(str(row["codes_mapped_share"])),
            records=int(str(row["records"])),
            records_mapped=float(str(row["records_mapped_share"])),
        )
        for row in coverage(records, ["domain"])
    ]
    return sorted(rows, key=lambda row: -row.records)


def _mapped(records: pa.Table | None) -> float | None:
    """The share of records that have a standard concept."""
    if records is None:
        return None
    (whole,) = coverage(records, []) or [{"records": 0}]
    return float(str(whole["records_mapped"])) / n if (n := int(str(whole["records"]))) else None


def _unmapped(records: pa.Table) -> list[UnmappedCode]:
    """The same codes as in worklist.csv, which people may have changed by now."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in worklist(records, {})[:_TOP_CODES]]
    return [
        UnmappedCode(
            code=str(row["code"]),
            vocabulary=str(row["vocabulary"] or ""),
            source=str(row["source"]),
            table=str(row["table"]),
            role=str(row["role"]),
            records=n if (n := int(str(row["records"]))) >= SMALLEST_CELL else None,
        )
        for row in rows
    ]


def _reconciliation(reports: Path) -> Reconciliation | None:
    file = reports / RECONCILIATION_FILE
    if not file.is_file():
        return None
    try:
        return Reconciliation.model_validate_json(file.read_bytes())
    except ValidationError:
        return None


def _earlier(reports: Path) -> list[Earlier]:
    """Checked snapshots of the site before this one; one whose files are of another version or broken is left out."""
    folders = sorted(
        path
        for path in reports.parent.iterdir()
        if path.is_dir() and "" < path.name < reports.name and path.name[0] != "."
    )
    return [one for folder in folders[-_LONGEST_TREND:] if (one := _one_earlier(folder))]


def _one_earlier(folder: Path) -> Earlier | None:
    results, verdict = _json(folder / RESULTS), _json(folder / VERDICT)
    try:
        return Earlier(
            snapshot=results["snapshot"],
            day=results["day"],
            open=verdict["gate"] == "open",
            score=results["scores"]["all"]["score"],
            mapped=_mapped(_code_records(folder)),
            rows={str(table): int(n) for table, n in results["rows"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _json(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
