"""Keys and references: each reference must fit the key that it points at, and no two entries may share ids."""

from __future__ import annotations

from collections.abc import Iterator

from dure.cdm.roles import REFERENCE_TABLES, roles
from dure.errors import Problem
from dure.site.entries import Entry
from dure.site.loaded import Draft
from dure.site.shapes import Headed
from dure.site.sources import ViewSource
from dure.site.values import EventDetail, EventPerson, EventSpecimen, EventVisit, Not, Present, RefTo
from dure.site.walk import Path

_EVENTS: dict[str, type[Headed]] = {
    "person": EventPerson,
    "visit": EventVisit,
    "visit_detail": EventDetail,
    "specimen": EventSpecimen,
}
# Tables whose rows others point at: their ids come from the key alone, so a label does not set two entries apart.
_ENTITIES = frozenset(REFERENCE_TABLES.values())


def key_length(draft: Draft, table: str, entry: Entry) -> int | None:
    """How many parts the key of an entry's rows has; None where the source has no key."""
    if entry.key:
        return len(entry.key)
    if table == "death":
        return len(_parts_of(entry.given("person")))
    name: str | None = entry.from_
    seen = set[str]()
    while name and name not in seen:
        seen.add(name)
        source = draft.spec.sources.get(name)
        if source is None:
            return None
        if source.key:
            return len(source.key)
        name = source.of if isinstance(source, ViewSource) else None
    return None


def _parts_of(reference: object) -> list[object]:
    value = reference.key if isinstance(reference, RefTo) else reference
    return list(value) if isinstance(value, list) else []


def check_references(draft: Draft) -> Iterator[Problem]:
    keyed: dict[str, list[tuple[Path, int | None]]] = {}
    for table, index, entry in draft.spec.entries():
        source_known = entry.from_ in draft.spec.sources
        if table in _ENTITIES and source_known:
            keyed.setdefault(table, []).append((draft.at(table, index), key_length(draft, table, entry)))
            if table == "person" and keyed[table][-1][1] is None:
                do = "key: the column that tells persons apart, here or at the source"
                yield draft.document.problem(draft.at(table, index), "a person without a key", do)
    filled = {table for table, _, _ in draft.spec.entries()} | draft.broken["tables"]
    for table, index, entry in draft.spec.entries():
        for role, path, reference in _references(draft.at(table, index), table, entry):
            target = REFERENCE_TABLES[role]
            if target not in filled:
                found = f"nothing fills {target}, so this can never be found"
                yield draft.document.problem(path, found, f"add an entry for {target}, or remove {role}")
                continue
            yield from _check_length(draft, path, target, len(_parts_of(reference)), keyed.get(target, []))


def _references(at: Path, table: str, entry: Entry) -> Iterator[tuple[str, Path, object]]:
    for role in roles(table).values():
        value = entry.given(role.name)
        if value is None:
            continue
        if role.kind == "ref":
            yield role.name, (*at, role.name), value
        elif role.kind == "event":
            for name, model in _EVENTS.items():
                if isinstance(value, model):
                    yield name, (*at, role.name, name), getattr(value, name)


def _check_length(
    draft: Draft, path: Path, target: str, length: int, keyed: list[tuple[Path, int | None]]
) -> Iterator[Problem]:
    if not keyed or target in draft.broken["tables"] or any(known == length for _, known in keyed):
        return
    other, known = keyed[0]
    line = draft.document.line(other)
    named = draft.document.where(other).split(" ", 1)[1]
    if known is None:
        if target == "person":
            return  # said of the person already
        found = f"{named} (line {line}) has no key to point at"
        yield draft.document.problem(path, found, "give it a key, there or at its source")
        return
    found = f"{length} key part{'s' * (length > 1)}, but {named} (line {line}) has {known}"
    do = "a reference is the same list, in the same order, as the key it points to"
    yield draft.document.problem(path, found, do)


# ------------------------------------------------------------------------------------------------ labels


def check_labels(draft: Draft) -> Iterator[Problem]:
    """Two entries of one table, source and label that a row may pass both: its two records would share an id."""
    seen: dict[tuple[object, ...], list[tuple[Path, Entry]]] = {}
    for table, index, entry in draft.spec.entries():
        label = "" if table in _ENTITIES else entry.default_label
        key = str(entry.key)
        at = draft.at(table, index)
        for other_at, other in seen.setdefault((table, entry.from_, label, key), []):
            if not _disjoint(entry, other):
                line = draft.document.line(other_at)
                named = f"label '{label}'" if label else "no label either"
                if table in _ENTITIES:
                    found = f"the same rows and key as the entry in line {line}"
                    do = "let where of the two exclude each other, or give them different keys"
                else:
                    found = f"the same rows and {named} as the entry in line {line}, so their ids would be one"
                    do = "give one of them a label, or let where of the two exclude each other"
                yield draft.document.problem(at, found, do)
                break
        seen[table, entry.from_, label, key].append((at, entry))


def _disjoint(one: Entry, other: Entry) -> bool:
    """Whether the conditions of two entries on one column cannot hold together."""
    return any(
        _exclude(condition, (other.where or {})[column])
        for column, condition in (one.where or {}).items()
        if column in (other.where or {})
    )


def _exclude(one: object, other: object) -> bool:
    for a, b in ((one, other), (other, one)):
        if isinstance(a, list) and isinstance(b, list):
            return not set(a) & set(b)
        if isinstance(a, list) and isinstance(b, Not):
            return set(a) <= set(b.not_)
        if isinstance(a, list) and isinstance(b, Present):
            return not b.present
        if isinstance(a, Present) and isinstance(b, Present):
            return a.present != b.present
    return False
