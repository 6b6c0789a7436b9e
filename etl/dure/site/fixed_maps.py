"""Fixed maps: short lists from a value (or several values together) to a concept, a code of a vocabulary, or a text."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dure.errors import Problem
from dure.site.shapes import LARGEST_CONCEPT_ID
from dure.site.yaml_text import Document, Step, closest, joined_path

_TARGETS = ("concept_id", "vocabulary_id", "concept_code", "text")


@dataclass(frozen=True)
class MapTarget:
    """What one value becomes; a number in a map written in YAML is a concept id and a text, as the place asks."""

    concept_id: int | None = None
    vocabulary_id: str | None = None
    concept_code: str | None = None
    text: str | None = None
    where: str = field(default="", compare=False)

    @property
    def is_concept(self) -> bool:
        return self.concept_id is not None or self.concept_code is not None


@dataclass(frozen=True)
class FixedMap:
    """One map: `arity` columns are looked up together in `values`."""

    name: str
    arity: int
    values: dict[tuple[str, ...], MapTarget]
    where: str = field(default="", compare=False)


def lift_inline_maps(document: Document) -> dict[str, tuple[tuple[Step, ...], dict[str, Any]]]:
    """Replaces each map written at a value by a name, its path; the maps by that name, with their path."""
    lifted: dict[str, tuple[tuple[Step, ...], dict[str, Any]]] = {}

    def lift(value: Any, at: tuple[Step, ...]) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                lift(item, (*at, index))
        elif isinstance(value, dict):
            for key, inner in value.items():
                here = (*at, key)
                if key == "map" and isinstance(inner, dict) and len(at) > 2 and at[-1] != "where":
                    name = joined_path(at)
                    lifted[name] = (here, inner)
                    value[key] = name
                else:
                    lift(inner, here)

    if isinstance(document.data, dict):
        lift(document.data.get("tables"), ("tables",))
    return lifted


def inline_map(
    name: str, written: Mapping[str, object], document: Document, at: tuple[Step, ...]
) -> tuple[FixedMap, list[Problem]]:
    """The map that a spec writes as `{value: target}`."""
    values: dict[tuple[str, ...], MapTarget] = {}
    problems = []
    for value, target in written.items():
        where = f"{document.file}:{document.line((*at, value))}"
        if not isinstance(target, str) or not target.strip():
            problems.append(
                document.problem(at, f"'{value}' has no target", "a concept id, or a text where a text is mapped")
            )
            continue
        target = target.strip()
        values[(value.strip(),)] = MapTarget(concept_id=_concept_id(target), text=target, where=where)
    return FixedMap(name, 1, values, document.where(at)), problems


def read_map(name: str, content: bytes, shown: str) -> tuple[FixedMap | None, list[Problem]]:
    """The map in a CSV file: `value` or `value_1, value_2, …`, then what the value becomes; other columns are notes."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return None, [Problem(f"{shown}:{line}", "not UTF-8", "save the file as CSV UTF-8")]
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        keys, target_columns, problems = _columns(header, shown)
        if problems:
            return None, problems
        values: dict[tuple[str, ...], MapTarget] = {}
        for cells in reader:
            where = f"{shown}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                found = f"{len(cells)} fields where the header has {len(header)}"
                problems.append(Problem(where, found, "a value that holds a comma needs quotes"))
                continue
            row = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
            value = tuple(row[key] for key in keys)
            target, wrong = _target({column: row[column] for column in target_columns}, where)
            if not all(value):
                wrong = [
                    Problem(where, f"{keys[value.index('')]} is empty", "an empty cell of an extract has no concept")
                ]
            elif value in values:
                said = " with ".join(f"'{part}'" for part in value)
                wrong = [Problem(where, f"{said} is mapped twice (first at {values[value].where})", "remove one")]
            problems += wrong
            if target is not None and not wrong:
                values[value] = target
    except csv.Error as error:
        return None, [Problem(f"{shown}:{reader.line_num}", f"not a CSV: {error}", "see that every quote is closed")]
    return FixedMap(name, len(keys), values, f"{shown}:1"), problems


def _columns(header: list[str], shown: str) -> tuple[list[str], list[str], list[Problem]]:
    """(columns looked up, columns of the target, what is wrong with the header)."""
    where = f"{shown}:1"
    several = [column for column in header if column.startswith("value_") and column[6:].isdigit()]
    keys = ["value"] if "value" in header else sorted(several, key=lambda column: int(column[6:]))
    targets = [column for column in _TARGETS if column in header]
    expected = "value (or value_1, value_2, …), then concept_id, or vocabulary_id and concept_code, or text"
    problems = []
    if not header:
        return [], [], [Problem(where, "the file is empty", f"columns: {expected}")]
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        problems.append(Problem(where, f"column {', '.join(twice)} is there twice", "remove one"))
    if (
        not keys
        or ("value" in header and several)
        or keys not in (["value"], [f"value_{i + 1}" for i in range(len(keys))])
    ):
        near = "" if keys else next((hint for column in header if (hint := closest(column, ["value", "value_1"]))), "")
        problems.append(Problem(where, f"no column value, nor value_1, value_2 in order{near}", f"columns: {expected}"))
    if targets not in (["concept_id"], ["vocabulary_id", "concept_code"], ["text"]):
        if len(targets) > 1 or targets:
            found = f"targets {', '.join(targets)}, where one kind is needed"
        else:
            hints = (closest(column, _TARGETS) for column in header if column not in keys)
            found = f"no column says what a value becomes{next(filter(None, hints), '')}"
        problems.append(Problem(where, found, f"columns: {expected}"))
    return keys, targets, problems


def _target(cells: dict[str, str], where: str) -> tuple[MapTarget | None, list[Problem]]:
    empty = [column for column, cell in cells.items() if not cell]
    if empty:
        return None, [Problem(where, f"{', '.join(empty)} is empty", "give the target, or remove the line")]
    if "concept_id" in cells:
        concept_id = _concept_id(cells["concept_id"])
        if concept_id is None:
            return None, [
                Problem(
                    where,
                    f"'{cells['concept_id']}' is not a concept id",
                    f"a whole number from 0 to {LARGEST_CONCEPT_ID}",
                )
            ]
        return MapTarget(concept_id=concept_id, where=where), []
    if "text" in cells:
        return MapTarget(text=cells["text"], where=where), []
    return MapTarget(vocabulary_id=cells["vocabulary_id"], concept_code=cells["concept_code"], where=where), []


def _concept_id(text: str) -> int | None:
    if text.isascii() and text.isdigit() and int(text) <= LARGEST_CONCEPT_ID:
        return int(text)
    return None
