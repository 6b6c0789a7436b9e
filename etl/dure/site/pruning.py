"""Taking the wrong pieces out of a spec, so that the rest can be checked in the same go."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from dure.cdm.roles import spec_tables
from dure.site.yaml_text import Step

NAMED_SECTIONS = ("sources", "maps", "vocabularies", "defaults")
# For checks only: a spec that needed one of these is never returned.
_STAND_INS = {"id": "site", "name": "site", "holder": "site", "timezone": "UTC"}


def entries_of(data: Any, table: str) -> list[Any]:
    """The entries of one table as they stand in the file, whatever they are."""
    tables = data.get("tables") if isinstance(data, dict) else None
    entries = tables.get(table) if isinstance(tables, dict) else None
    return entries if isinstance(entries, list) else []


def pruned(data: Any, trails: Sequence[Sequence[Step]]) -> tuple[Any, dict[str, list[int]], dict[str, set[str]]]:
    """(the spec without the pieces that `trails` lead into, places of the entries left, names of the pieces by section).

    A piece is an entry, a source, a map, a vocabulary, a default, or else one key of a section.
    """
    data = copy.deepcopy(data) if isinstance(data, dict) else {}
    broken: dict[str, set[str]] = {section: set() for section in (*NAMED_SECTIONS, "tables")}
    positions = {table: list(range(len(entries_of(data, table)))) for table in spec_tables()}
    for trail in trails:
        if len(trail) < 2:
            # A wrong top-level key; a missing one leaves no trail and is not ours to invent.
            if trail:
                _drop(data, trail[0])
            continue
        section, name = str(trail[0]), trail[1]
        if section == "tables" and isinstance(name, str):
            broken["tables"].add(name)
            if len(trail) > 2 and isinstance(trail[2], int) and name in positions:
                positions[name] = [place for place in positions[name] if place != trail[2]]
            else:
                positions.pop(name, None)
        else:
            _drop(data.get(section), name)
            if section in NAMED_SECTIONS:
                broken[section].add(str(name))
    tables = data.get("tables")
    for table in list(tables) if isinstance(tables, dict) else []:
        entries = entries_of(data, table)
        if table in positions and isinstance(tables[table], list):
            tables[table] = [entries[place] for place in positions[table]]
        else:
            del tables[table]
    if isinstance(data.get("site"), dict):
        data["site"] = {**_STAND_INS, **data["site"]}
    data["spec_version"] = "1"
    return data, {table: positions.get(table, []) for table in spec_tables()}, broken


def _drop(section: Any, name: Step) -> None:
    if isinstance(section, dict):
        section.pop(name, None)
