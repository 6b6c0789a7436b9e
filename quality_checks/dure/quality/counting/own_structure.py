"""Our own checks that need no engine: they read Parquet's footers, the run's reports and the snapshot before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from dure.accounting.reconciliation import Reconciliation
from dure.errors import ConfigurationError, IntegrityError
from dure.quality.catalogue import Check
from dure.quality.counting.outcome import Inapplicable, Outcome, Uncountable
from dure.quality.counting.own_groups import FIRST
from dure.quality.counting.profile import left_range
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.vocab.coverage import Status, coverage, read_code_records

RECONCILIATION, RESOLVED = "reconciliation.json", "resolved_codes.parquet"
_CODE = ("vocabulary", "code", "code_type", "specimen", "unit")


def own_structure(snapshot: CheckedSnapshot, check: Check) -> Outcome | None:
    """The outcome of a check of ours that needs no engine, else None."""
    made = _COUNT.get(check.type.name)
    return made(snapshot, check) if made else None


def _reconciliation(snapshot: CheckedSnapshot, _: Check) -> Outcome:
    found = _reconciled(snapshot)
    if not isinstance(found, Reconciliation):
        return found
    by_source = sum(3 if source.role == "rows" else 2 for source in found.sources)
    sums = by_source + 2 * len(found.rules) + sum(not table.derived for table in found.tables)
    try:
        found.balance()
    except IntegrityError as error:
        return len(error.problems), max(sums, len(error.problems))
    return 0, sums


def _accounted_rows(snapshot: CheckedSnapshot, check: Check) -> Outcome:
    found = _reconciled(snapshot)
    if not isinstance(found, Reconciliation):
        return found
    for table in found.tables:
        if table.table == check.table:
            accounted = table.rows if table.derived else sum(table.by_rule.values())
            rows = snapshot.rows(check.table)
            return abs(rows - accounted), max(rows, accounted)
    return Inapplicable("the run's reconciliation has no such table")


def _reconciled(snapshot: CheckedSnapshot) -> Reconciliation | Outcome:
    file = snapshot.reports / RECONCILIATION if snapshot.reports else None
    if file is None or not file.is_file():
        return Inapplicable("the run left no reconciliation")
    try:
        return Reconciliation.model_validate(json.loads(file.read_bytes()))
    except (ValueError, ValidationError):
        return Uncountable(f"{RECONCILIATION} is not what this version of Dure writes")


def _coverage(snapshot: CheckedSnapshot, check: Check) -> Outcome:
    if snapshot.reports is None or not snapshot.reports.is_dir():
        return Inapplicable("the run left no evidence of coverage")
    try:
        records = read_code_records(snapshot.reports, "")
    except ConfigurationError:
        return Inapplicable("the run left no evidence of coverage that this version can read")
    kind = "codes" if check.type.name == "coverageCodes" else "records"
    for row in coverage(records, ["domain"]):
        if row["domain"] == check["domain"]:
            every, mapped = int(str(row[kind])), int(str(row[f"{kind}_{Status.MAPPED.value}"]))
            return every - mapped, every
    return Inapplicable("the source has no code of this domain")


def _remapped(snapshot: CheckedSnapshot, _: Check) -> Outcome:
    if snapshot.before is None:
        return FIRST
    now, was = (_targets(folder) for folder in (snapshot.reports, snapshot.before.reports))
    if now is None or was is None:
        return Inapplicable("one of the two runs left no map of its codes")
    both = now.keys() & was.keys()
    return sum(bool(was[code]) and now[code] != was[code] for code in both), len(both)


def _targets(reports: Path | None) -> dict[tuple[Any, ...], tuple[int, ...]] | None:
    """The targets of every code, in order of their validity; () for a code that has none."""
    file = reports / RESOLVED if reports else None
    if file is None or not file.is_file():
        return None
    found: dict[tuple[Any, ...], list[tuple[str, int]]] = {}
    for row in pq.read_table(file, columns=[*_CODE, "valid_start", "target_concept_id"]).to_pylist():
        mapped = found.setdefault(tuple(row[name] for name in _CODE), [])
        if row["target_concept_id"]:
            mapped.append((str(row["valid_start"] or ""), row["target_concept_id"]))
    return {code: tuple(target for _, target in sorted(mapped)) for code, mapped in found.items()}


def _drift_rows(snapshot: CheckedSnapshot, check: Check) -> Outcome:
    now = snapshot.profile.rows[check.table] = snapshot.rows(check.table)
    if snapshot.before is None:
        return FIRST
    was = snapshot.before.profile.rows.get(check.table)
    if was is None or not (now or was):
        return Inapplicable("neither snapshot has rows of it")
    return int(left_range(now, was, check)), 1


def _drift_nulls(snapshot: CheckedSnapshot, check: Check) -> Outcome:
    now = snapshot.profile.nulls[check.table] = snapshot.nulls(check.table)
    rows = snapshot.rows(check.table)
    if snapshot.before is None:
        return FIRST
    was, rows_was = snapshot.before.profile.nulls.get(check.table), snapshot.before.profile.rows.get(check.table)
    if not was or not rows or not rows_was:
        return Inapplicable("one of the two snapshots has no rows")
    both = now.keys() & was.keys()
    return sum(_share_moved(now[each], rows, was[each], rows_was, check) for each in both), len(both)


def _share_moved(now: int, rows: int, was: int, rows_was: int, check: Check) -> bool:
    """True where a share moved by more than `relative` of the whole and by more than chance moves shares."""
    moved, pooled = abs(now / rows - was / rows_was), (now + was) / (rows + rows_was)
    error = (pooled * (1 - pooled) * (1 / rows + 1 / rows_was)) ** 0.5
    return moved > float(check["relative"]) and moved > float(check["absolute"]) * error


_COUNT: Mapping[str, Callable[[CheckedSnapshot, Check], Outcome]] = {
    "reconciliation": _reconciliation,
    "accountedRows": _accounted_rows,
    "coverageRecords": _coverage,
    "coverageCodes": _coverage,
    "remappedCodes": _remapped,
    "driftRows": _drift_rows,
    "driftNulls": _drift_nulls,
}
