"""Taking persons out of one snapshot: their rows, the rows that point at those, and the evidence that names them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.accounting.reconciliation import Reconciliation
from dure.cdm.schema import table as cdm_table
from dure.publish.deidentify.frames import Named
from dure.publish.forgetting.rewriting import filtered
from dure.quality.check import FAILURES
from dure.quality.evidence.dqd_viewer import FILE as DQD_RESULTS
from dure.quality.evidence.junit import FILE as JUNIT
from dure.quality.evidence.record import RESULTS, VERDICT
from dure.quality.evidence.report.page import FILE as REPORT
from dure.snapshot.durable import lake_access, replace_file
from dure.snapshot.manifest import MANIFEST, Manifest, changed_files, measure_tables, read_manifest, snapshot_digest

FORGOTTEN = "forgotten"
_RECONCILIATION = "reconciliation.json"
_OWNERS = {"note_nlp": ("note_id", "note"), "episode_event": ("episode_id", "episode")}


def remove_from_snapshot(
    folder: Path, reports: Path, persons: Collection[int], places: Collection[tuple[str, int]], named: Named
) -> dict[str, int]:
    """Rows taken out by table. The verdict goes first, so that half of the work is never what passed.

    Done again after a crash it finishes: the manifest is written last, by what the files then hold.
    """
    manifest = read_manifest(folder)
    ids = pa.array(sorted(persons), pa.int64())
    if not _concerned(folder, ids) and not changed_files(folder, manifest):
        _remove_rejects(reports, places)
        return {}
    _remove_evidence(reports)
    removed: dict[str, int] = {}
    records: dict[str, set[int]] = {"person": set(persons)}
    for name in _in_order(manifest):
        for file in sorted((folder / name).glob("*.parquet")):
            gone = filtered(file, lambda table, name=name: _hit(table, name, ids, records, named))  # type: ignore[misc]
            if gone.num_rows:
                removed[name] = removed.get(name, 0) + gone.num_rows
                key = cdm_table(name).primary_key
                if key:
                    records.setdefault(name, set()).update(gone[key].to_pylist())
    if deserted := _remove_deserted(folder):
        removed["location"] = deserted
    _remove_rejects(reports, places)
    tables = measure_tables(folder)
    _account(reports, {name: manifest.tables[name].rows - tables[name].rows for name in tables})
    new = manifest.model_copy(update={"tables": tables, "digest": snapshot_digest(tables)})
    with lake_access(folder):
        replace_file(folder / MANIFEST, new.as_json())
    return removed


def _remove_deserted(folder: Path) -> int:
    """Takes out the addresses at which nobody lives and nothing stands any more."""
    files = [file for name in ("person", "care_site") for file in sorted((folder / name).glob("*.parquet"))]
    used = set().union(
        *(pq.read_table(file, columns=["location_id"])["location_id"].drop_null().to_pylist() for file in files)
    )
    places = sorted((folder / "location").glob("*.parquet"))
    return sum(filtered(file, lambda table: pc.invert(_among(table["location_id"], used))).num_rows for file in places)


def _in_order(manifest: Manifest) -> list[str]:
    """Tables with a person first: what hangs on their rows comes after."""
    return sorted(manifest.tables, key=lambda name: ("person_id" not in cdm_table(name).names, name))


def _concerned(folder: Path, ids: pa.Array) -> bool:
    return any(
        pc.any(pc.is_in(pq.read_table(file, columns=["person_id"])["person_id"], ids)).as_py()
        for name in ("person", "death", "observation_period", "visit_occurrence")
        for file in sorted((folder / name).glob("*.parquet"))
    )


def _hit(table: pa.Table, name: str, ids: pa.Array, records: dict[str, set[int]], named: Named) -> pa.Array:
    if "person_id" in table.column_names:
        return pc.fill_null(pc.is_in(table["person_id"].combine_chunks(), ids), False)
    if name in _OWNERS:
        column, owner = _OWNERS[name]
        return _among(table[column], records.get(owner, set()))
    if name == "cost":
        return _pointing(table["cost_domain_id"], table["cost_event_id"], records, named.domains)
    if name == "fact_relationship":
        sides = (
            _pointing(table[f"domain_concept_id_{n}"], table[f"fact_id_{n}"], records, named.domain_concepts)
            for n in (1, 2)
        )
        return pc.or_(*sides)
    return pa.repeat(pa.scalar(False), table.num_rows)


def _pointing(
    domains: pa.ChunkedArray,
    events: pa.ChunkedArray,
    records: dict[str, set[int]],
    tables: Mapping[Any, tuple[str, ...]],
) -> pa.Array:
    hit = pa.repeat(pa.scalar(False), len(domains))
    for domain, names in tables.items():
        gone = set().union(*(records.get(name, set()) for name in names))
        if gone:
            here = pc.fill_null(pc.equal(domains.combine_chunks(), pa.scalar(domain, domains.type)), False)
            hit = pc.or_(hit, pc.and_(here, _among(events, gone)))
    return hit


def _among(column: pa.ChunkedArray, ids: Collection[int]) -> pa.Array:
    return pc.fill_null(pc.is_in(column.combine_chunks(), pa.array(sorted(ids), pa.int64())), False)


def _remove_evidence(reports: Path) -> None:
    """Verdict and reports are of other bytes now, and failures are keys of records: all go, until the next check."""
    with lake_access(reports):
        for name in (VERDICT, RESULTS, JUNIT, DQD_RESULTS, REPORT):
            (reports / name).unlink(missing_ok=True)
        if (reports / FAILURES).exists():
            shutil.rmtree(reports / FAILURES)


def _remove_rejects(reports: Path, places: Collection[tuple[str, int]]) -> None:
    file = reports / "rejects.parquet"
    if file.is_file() and places:
        filtered(
            file,
            lambda table: pa.array(
                [place in places for place in zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True)],
                pa.bool_(),
            ),
        )


def _account(reports: Path, fewer: dict[str, int]) -> None:
    """Writes into the reconciliation that so many rows of a table were forgotten: its sums hold again."""
    file = reports / _RECONCILIATION
    if not file.is_file():
        return
    found = Reconciliation.model_validate(json.loads(file.read_bytes()))
    tables = []
    for table in found.tables:
        n = fewer.get(table.table, 0)
        by_rule = dict(table.by_rule)
        if n and not table.derived:
            by_rule[FORGOTTEN] = by_rule.get(FORGOTTEN, 0) - n
        tables.append(table.model_copy(update={"rows": table.rows - n, "by_rule": by_rule}))
    with lake_access(reports):
        replace_file(file, found.model_copy(update={"tables": tables}).model_dump_json(indent=1).encode() + b"\n")
