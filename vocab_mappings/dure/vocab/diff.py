"""What another vocabulary release, or another map, would do to a site's codes, before anyone runs it.

Both sides go through the resolver that a run uses, so authority, validity, moved targets and errors count; the weight of
a difference is the number of records that the site's newest snapshot has with the code, in the years that it touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pandas as pd
import pyarrow as pa

from dure.site.local_concepts import LocalConcept
from dure.vocab.coverage import Status, resolved_codes
from dure.vocab.resolution import REQUEST
from dure.vocab.resolve import CodeMapping, resolve
from dure.vocab.store import VocabularyStore

Request = tuple[str | None, ...]
# What may change, in the order in which a code's kind of change is named.
CHANGES = ("gained", "lost", "target", "domain", "table", "value", "equivalence", "source_concept")
COLUMNS = (
    "change",
    "changes",
    *REQUEST,
    "description",
    "records",
    "valid_start",
    "valid_end",
    *(
        f"{side}_{part}"
        for part in ("targets", "names", "domains", "tables", "status", "by", "source_concept_id")
        for side in ("old", "new")
    ),
)
OTHER_TABLE = "observation"


@dataclass(frozen=True)
class Side:
    """One of the two states compared: a vocabulary, and the maps and local concepts before it."""

    store: VocabularyStore
    vocabularies: Mapping[str, CodeMapping] = field(default_factory=dict)
    local_concepts: Sequence[LocalConcept] = ()


@dataclass(frozen=True)
class Routes:
    """Where rows go: the CDM tables that take a domain, the preferred one first, and the tables whose rows are routed."""

    by_domain: Mapping[str, Sequence[str]]
    routed: frozenset[str]


@dataclass
class Weight:
    """What a site's records say of one code: how many a year, the entries' tables, and what the hospital calls it."""

    records: dict[int | None, int] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    description: str | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a code becomes on a stretch of days."""

    targets: tuple[tuple[int, str, int | None], ...]
    equivalence: str | None
    source_concept_id: int
    status: str
    by: str

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(target for target, _, _ in self.targets)

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(domain for _, domain, _ in self.targets))


_Stretch = tuple[date, date, _Outcome]


def weights(records: pa.Table) -> dict[Request, Weight]:
    """The weight of each code that the evidence of a snapshot names by vocabulary."""
    columns = [*REQUEST, "table", "role", "description", "year", "records"]
    found: dict[Request, Weight] = {}
    for *request, table, role, description, year, n in zip(
        *(records[name].to_pylist() for name in columns), strict=True
    ):
        if request[0] is None:
            continue
        weight = found.setdefault(tuple(request), Weight())
        weight.records[year] = weight.records.get(year, 0) + n
        weight.tables.add(table)
        weight.roles.add(role)
        weight.description = weight.description or description
    return found


def differences(old: Side, new: Side, codes: Mapping[Request, Weight], routes: Routes) -> list[dict[str, object]]:
    """One row a (code, stretch of days) whose concepts differ, in COLUMNS, most records first.

    `change` is the first of `changes`.
    """
    before, after = _outcomes(old, codes), _outcomes(new, codes)
    names = _names(old, (before,)) | _names(new, (before, after))
    rows: list[dict[str, object]] = []
    for request, weight in codes.items():
        for start, end, was, becomes in _pieces(before[request], after[request]):
            tables = [_tables(outcome, weight, routes) for outcome in (was, becomes)]
            changes = _changes(was, becomes, *tables)
            if not changes:
                continue
            row: dict[str, object] = dict(zip(REQUEST, request, strict=True)) | {
                "change": changes[0],
                "changes": " ".join(changes),
                "description": weight.description,
                "records": sum(n for year, n in weight.records.items() if _touches(year, start, end)),
                "valid_start": None if start == date.min else start.isoformat(),
                "valid_end": None if end == date.max else end.isoformat(),
            }
            for side, outcome, goes_to in zip(("old", "new"), (was, becomes), tables, strict=True):
                row |= {
                    f"{side}_targets": " ".join(map(str, outcome.ids)),
                    f"{side}_names": "; ".join(names.get(target, "") for target in outcome.ids),
                    f"{side}_domains": " ".join(outcome.domains),
                    f"{side}_tables": " ".join(goes_to),
                    f"{side}_status": outcome.status,
                    f"{side}_by": outcome.by,
                    f"{side}_source_concept_id": outcome.source_concept_id,
                }
            rows.append(row)
    return sorted(rows, key=lambda row: (-int(str(row["records"])), *(str(row[name] or "") for name in REQUEST)))


def summary(rows: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """One row a (vocabulary, kind of change): codes and records."""
    found: dict[tuple[str, str], tuple[set[Request], int]] = {}
    for row in rows:
        key = (str(row["vocabulary"]), str(row["change"]))
        codes, records = found.get(key, (set(), 0))
        codes.add(tuple(None if row[name] is None else str(row[name]) for name in REQUEST))
        found[key] = (codes, records + int(str(row["records"])))
    order = {change: n for n, change in enumerate(CHANGES)}
    return [
        {"vocabulary": vocabulary, "change": change, "codes": len(codes), "records": records}
        for (vocabulary, change), (codes, records) in sorted(
            found.items(), key=lambda item: (item[0][0], order[item[0][1]])
        )
    ]


def changed_codes(old: VocabularyStore, new: VocabularyStore) -> list[Request]:
    """The codes of which two vocabularies say different things, as requests; both are read vocabulary by vocabulary."""
    found: list[Request] = []
    for vocabulary in sorted(old.vocabulary_ids() | new.vocabulary_ids()):
        both = [store.of_vocabulary(vocabulary, _COMPARED).to_pandas() for store in (old, new)]
        merged = both[0].merge(both[1], how="outer", on=list(_COMPARED), indicator=True)
        codes = merged.loc[merged["_merge"] != "both", "concept_code"].dropna().unique()
        found += [(vocabulary, str(code), None, None, None) for code in sorted(codes)]
    return found


_COMPARED = ("concept_code", "source_concept_id", "target_concept_id", "target_domain_id", "value_concept_id", "rank")


def _outcomes(side: Side, codes: Iterable[Request]) -> dict[Request, list[_Stretch]]:
    """The stretches of days of each code, which cover all dates, with what it becomes on them."""
    requests = pd.DataFrame(list(codes), columns=list(REQUEST), dtype=object)
    resolution = resolve(requests, side.vocabularies, side.store, side.local_concepts)
    found: dict[Request, dict[tuple[date, date], list[tuple[dict[str, object], str]]]] = {}
    for row, code in zip(resolution.to_arrow().to_pylist(), resolved_codes(resolution), strict=True):
        stretch = (row["valid_start"] or date.min, row["valid_end"] or date.max)
        found.setdefault(code.request, {}).setdefault(stretch, []).append((row, code.status.value))
    return {
        request: [(start, end, _outcome(rows)) for (start, end), rows in sorted(stretches.items())]
        for request, stretches in found.items()
    }


def _outcome(rows: Sequence[tuple[Mapping[str, object], str]]) -> _Outcome:
    first, status = rows[0]
    targets = sorted(
        (int(str(row["target_concept_id"])), str(row["target_domain_id"]), _id(row["value_concept_id"]))
        for row, _ in rows
        if row["target_concept_id"]
    )
    by = " ".join(str(part) for part in (first["authority"], first["provenance"]) if part)
    equivalence = None if first["equivalence"] is None else str(first["equivalence"])
    return _Outcome(tuple(targets), equivalence, int(str(first["source_concept_id"])), status, by)


def _id(value: object) -> int | None:
    return None if value is None else int(str(value))


def _pieces(old: Sequence[_Stretch], new: Sequence[_Stretch]) -> list[tuple[date, date, _Outcome, _Outcome]]:
    """The days on which neither side changes, with what each says; neighbours that say the same are one."""
    out: list[tuple[date, date, _Outcome, _Outcome]] = []
    for start in sorted({start for start, _, _ in (*old, *new)}):
        was, becomes = (next(each for each in reversed(side) if each[0] <= start) for side in (old, new))
        end = min(was[1], becomes[1])
        if out and out[-1][2:] == (was[2], becomes[2]):
            out[-1] = (out[-1][0], end, was[2], becomes[2])
        else:
            out.append((start, end, was[2], becomes[2]))
    return out


def _changes(old: _Outcome, new: _Outcome, old_tables: Sequence[str], new_tables: Sequence[str]) -> list[str]:
    changes = []
    if bool(old.ids) != bool(new.ids):
        changes.append("gained" if new.ids else "lost")
    elif old.ids != new.ids:
        changes.append("target")
    if old.ids and new.ids and old.domains != new.domains:
        changes.append("domain")
    if old_tables != new_tables:
        changes.append("table")
    if old.ids and new.ids:
        if [value for _, _, value in old.targets] != [value for _, _, value in new.targets]:
            changes.append("value")
        if old.equivalence != new.equivalence:
            changes.append("equivalence")
    if old.source_concept_id != new.source_concept_id:
        changes.append("source_concept")
    return changes


def _tables(outcome: _Outcome, weight: Weight, routes: Routes) -> tuple[str, ...]:
    """The CDM tables that records with the code go to; known only for domains where nobody says whose records they are."""
    if outcome.status in (Status.UNMAPPED.value, Status.INVALID.value) or "code" not in (weight.roles or {"code"}):
        return tuple(sorted(weight.tables))
    found = set()
    for domain in outcome.domains:
        takes = routes.by_domain.get(domain, (OTHER_TABLE,))
        stays = {own for own in weight.tables if own in takes or own not in routes.routed}
        found |= stays
        if stays < weight.tables or not weight.tables:
            found.add(takes[0])
    return tuple(sorted(found))


def _touches(year: int | None, start: date, end: date) -> bool:
    return year is None or start.year <= year <= end.year


def _names(side: Side, outcomes: Iterable[Mapping[Request, Sequence[_Stretch]]]) -> dict[int, str]:
    ids = {target for found in outcomes for stretches in found.values() for each in stretches for target in each[2].ids}
    known = side.store.concepts(ids, ["concept_name"])
    names = {int(number): str(name) for number, name in zip(known["concept_id"], known["concept_name"], strict=True)}
    return names | {each.concept_id: each.concept_name for each in side.local_concepts if each.concept_id in ids}
