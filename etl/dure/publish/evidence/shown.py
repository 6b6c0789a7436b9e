"""What the copy itself shows of codes: the measure of what the evidence may say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dure.cdm.roles import PREFIXES, roles
from dure.cdm.schema import table as cdm_table
from dure.publish.deidentify.treatment import Kind, TableTreatment
from dure.tables.routing import EVENT_TABLES

# Rows of these tables move among them by the domain of their concept; a role keeps its name.
_EVENTS = "events"
Place = tuple[str, str]


@dataclass
class Shown:
    """One role of the copy: `texts` are (source value, concept), `sources` (source concept, concept), `concepts` alone.

    `spelled` says that the profile lets the role's source value leave. Pairs are only of tables where it does: what is
    among them may be named.
    """

    spelled: bool = False
    texts: set[tuple[str, int]] = field(default_factory=set)
    sources: set[tuple[int, int]] = field(default_factory=set)
    concepts: set[int] = field(default_factory=set)


def place_of(table: str, role: str) -> Place:
    """Where rows of a spec entry of `table` end up with this role."""
    return (_EVENTS if table in EVENT_TABLES else table), role


def shown_roles(plan: Mapping[str, TableTreatment]) -> dict[Place, Shown]:
    """The roles whose concepts leave, still empty; a role of which nothing leaves is not among them."""
    found: dict[Place, Shown] = {}
    for table, role, columns in _coded(plan):
        shown = found.setdefault(place_of(table, role), Shown())
        shown.spelled |= plan[table].columns.get(columns.text) is Kind.COMMON
    return found


def shown_by(copy: Path, plan: Mapping[str, TableTreatment]) -> dict[Place, Shown]:
    """The roles whose concepts leave, with every pair that a row of the copy holds."""
    found = shown_roles(plan)
    for table, role, columns in _coded(plan):
        for file in sorted((copy / table).glob("*.parquet")):
            _add(found[place_of(table, role)], file, columns, plan[table])
    return found


@dataclass(frozen=True)
class _Columns:
    concept: str
    source: str
    text: str


def _coded(plan: Mapping[str, TableTreatment]) -> Iterable[tuple[str, str, _Columns]]:
    for table, treated in plan.items():
        if treated.left_out or table not in PREFIXES or table == "fact_relationship":
            continue
        for role in roles(table).values():
            if role.kind != "coded" or treated.columns[role.columns["concept_id"]] is Kind.DROPPED:
                continue
            own = f"{PREFIXES[table]}_source_value" if role.name == "code" else role.columns.get("source_value", "")
            text = own if own in cdm_table(table).names else ""
            yield (
                table,
                role.name,
                _Columns(role.columns["concept_id"], role.columns.get("source_concept_id", ""), text),
            )


def _add(shown: Shown, file: Path, columns: _Columns, treated: TableTreatment) -> None:
    text = columns.text if treated.columns.get(columns.text) is Kind.COMMON else ""
    for row in _distinct(file, [name for name in (columns.concept, columns.source, text) if name]):
        concept = row[columns.concept] or 0
        shown.concepts.add(concept)
        if text and row[text] is not None:
            shown.texts.add((row[text], concept))
        if text and row.get(columns.source):
            shown.sources.add((row[columns.source], concept))


def _distinct(file: Path, columns: list[str]) -> list[dict[str, Any]]:
    read = pq.read_table(file, columns=columns, partitioning=None)
    rows: list[dict[str, Any]] = read.group_by(columns).aggregate([]).to_pylist()
    return rows
