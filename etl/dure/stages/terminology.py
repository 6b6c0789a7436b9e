"""Writes what a run found out about codes: the evidence of coverage, and the work list of what is still open."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.accounting.code_counts import code_counts, units_seen
from dure.site.loaded import Site
from dure.stages.mapping import Mapped
from dure.tables.links import domains
from dure.tables.rule import Rule
from dure.vocab import Resolution, VocabularyStore
from dure.vocab.common_map import common_targets
from dure.vocab.coverage import (
    CODE_RECORDS,
    CODE_RECORDS_FILE,
    COUNTS,
    GROUPS,
    SPEC,
    ResolvedCode,
    Status,
    code_records,
    coverage,
    resolved_codes,
)
from dure.vocab.resolution import REQUEST
from dure.vocab.spreadsheet import write_csv
from dure.vocab.worklist import COLUMNS, WORKLIST_FILE, worklist

COVERAGE_FILE = "coverage.csv"
# What the engine counts, and in which types.
RECORDS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("rule", "role")),
        pa.field("resolved_row", pa.int32()),
        pa.field("code", pa.string()),
        pa.field("concept_id", pa.int32()),
        pa.field("year", pa.int32()),
        pa.field("records", pa.int64()),
    ]
)
UNITS = pa.schema(
    [
        pa.field("rule", pa.string()),
        pa.field("resolved_row", pa.int32()),
        *(pa.field(name, pa.string()) for name in ("code", "unit")),
        pa.field("records", pa.int64()),
    ]
)
# What the resolved map says of a code, in CODE_RECORDS.
_RESOLVED = (
    *REQUEST, "description", "source_concept_id", "target_concept_id", "targets", "domain_id", "status", "equivalence",
    "authority", "provenance", "common_targets",
)  # fmt: skip


@dataclass(frozen=True)
class CountedCodes:
    """What the engine counted of codes: rows of `code_counts` and of `units_seen`; `resolved_row` is of one resolved map."""

    records: pa.Table
    units: pa.Table


def counted_codes(mapped: Mapped) -> CountedCodes:
    """The records of each code, and of each code without a concept by unit."""
    records, units = code_counts(mapped), units_seen(mapped)
    return CountedCodes(
        RECORDS.empty_table() if records is None else records.toArrow().select(RECORDS.names).cast(RECORDS),
        UNITS.empty_table() if units is None else units.toArrow().select(UNITS.names).cast(UNITS),
    )


def write_terminology(
    site: Site,
    rules: Sequence[Rule],
    counted: CountedCodes,
    resolution: Resolution,
    store: VocabularyStore,
    resolved: Path,
    reports: Path,
) -> None:
    """code_records.parquet, coverage.csv and worklist.csv in the reports folder; `resolved` is the run's resolved map."""
    codes = resolved_codes(resolution)
    descriptions = pq.read_table(resolved, columns=["description"]).column("description")
    common = common_targets(codes, site.vocabularies, store, site.local_concepts)
    table = _told(codes, descriptions, common)
    by_folder = {rule.folder: rule for rule in rules}
    records = (
        code_records(_records(counted.records, table, by_folder))
        if counted.records.num_rows
        else CODE_RECORDS.empty_table()
    )
    pq.write_table(records, reports / CODE_RECORDS_FILE, compression="zstd")
    by = [name for name in GROUPS if name != "site"]
    write_csv(reports / COVERAGE_FILE, (*by, *COUNTS), (row.values() for row in coverage(records, by)))
    write_csv(reports / WORKLIST_FILE, COLUMNS, worklist(records, _units(counted.units, codes, by_folder)))


def _told(
    codes: Sequence[ResolvedCode], descriptions: pa.ChunkedArray, common: Mapping[tuple[str | None, ...], str]
) -> pa.Table:
    """One row a row of the resolved map, in its order, with the columns _RESOLVED."""
    requests = zip(*(code.request for code in codes), strict=True) if codes else [()] * len(REQUEST)
    columns: list[object] = [
        *requests,
        descriptions,
        [code.source_concept_id for code in codes],
        [code.target_concept_id for code in codes],
        [code.targets for code in codes],
        [code.domain_id for code in codes],
        [code.status.value for code in codes],
        [code.equivalence for code in codes],
        [code.authority for code in codes],
        [code.provenance for code in codes],
        [common.get(code.request) for code in codes],
    ]
    schema = pa.schema([CODE_RECORDS.field(name) for name in _RESOLVED])
    arrays = [
        column if isinstance(column, pa.ChunkedArray) else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def _records(counts: pa.Table, codes: pa.Table, rules: Mapping[str, Rule]) -> dict[str, pa.ChunkedArray]:
    """The columns of CODE_RECORDS for what the engine counted: codes of the resolved map by its rows, others as they are."""
    said = codes.take(counts["resolved_row"])
    unasked = pc.is_null(counts["resolved_row"])
    concept = pc.coalesce(counts["concept_id"], pa.scalar(0, pa.int32())).cast(pa.int32())
    found = pc.greater(concept, 0)
    table = _looked_up(counts["rule"], {folder: rule.table for folder, rule in rules.items()})
    places = pc.binary_join_element_wise(table, counts["role"], " ")
    expected = _looked_up(
        places, {f"{own} {role}": _expected_domain(own, role) for own, role in _places(table, counts)}
    )
    spec = {
        "code": counts["code"],
        "source_concept_id": pa.scalar(0, pa.int32()),
        "target_concept_id": concept,
        "targets": pc.if_else(found, concept.cast(pa.string()), ""),
        "status": pc.if_else(found, Status.MAPPED.value, Status.UNMAPPED.value),
        "authority": pa.scalar(SPEC),
    }
    columns = {name: said[name] for name in _RESOLVED}
    columns |= {name: pc.if_else(unasked, value, said[name]) for name, value in spec.items()}
    return columns | {
        "source": _looked_up(counts["rule"], {folder: rule.source for folder, rule in rules.items()}),
        "table": table,
        "role": counts["role"],
        "domain_id": pc.coalesce(said["domain_id"], expected),
        "year": counts["year"],
        "records": counts["records"],
    }


def _places(table: pa.ChunkedArray, counts: pa.Table) -> set[tuple[str, str]]:
    distinct = pa.table({"table": table, "role": counts["role"]}).group_by(["table", "role"]).aggregate([])
    return set(zip(distinct["table"].to_pylist(), distinct["role"].to_pylist(), strict=True))


def _looked_up(keys: pa.ChunkedArray, values: Mapping[str, str | None]) -> pa.ChunkedArray:
    """What a small table gives for each key."""
    names = pa.array(list(values), pa.string())
    return pa.chunked_array([pa.array(list(values.values()), pa.string())]).take(pc.index_in(keys, value_set=names))


def _units(
    seen: pa.Table, codes: Sequence[ResolvedCode], rules: Mapping[str, Rule]
) -> dict[tuple[str | None, ...], dict[str, int]]:
    """The records of each code without a concept by unit, by (source, table, role and the five parts of the request)."""
    units: dict[tuple[str | None, ...], dict[str, int]] = {}
    for row in seen.to_pylist():
        rule, number = rules[row["rule"]], row["resolved_row"]
        request = (None, row["code"], None, None, None) if number is None else codes[number].request
        known = units.setdefault((rule.source, rule.table, "code", *request), {})
        known[row["unit"]] = known.get(row["unit"], 0) + row["records"]
    return units


def _expected_domain(table: str, role: str) -> str | None:
    """The domain that codes of a role should have: that of the entry's table for its main code."""
    return domains().get(table) if role == "code" else _role_domains().get(role)


@cache
def _role_domains() -> dict[str, str]:
    text = files("dure.accounting").joinpath("role_domains.csv").read_text(encoding="utf-8")
    return {row["role"]: row["domain_id"] for row in csv.DictReader(text.splitlines())}
