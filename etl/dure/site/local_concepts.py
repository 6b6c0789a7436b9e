"""Local concepts: a hospital's own codes as source concepts, in the block of ids that its consortium gave it.

`concepts.csv` in the folder of a site or of its consortium has CONCEPT's columns; `blocks.csv` beside the consortium's
file says whose each block of a million ids is (`owner, first_concept_id`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dure.errors import Problem

FIRST_LOCAL, LAST_LOCAL, BLOCK = 2_000_000_000, 2_147_483_647, 1_000_000
COLUMNS = (
    "concept_id",
    "concept_name",
    "domain_id",
    "vocabulary_id",
    "concept_class_id",
    "concept_code",
    "valid_start_date",
    "valid_end_date",
)


@dataclass(frozen=True)
class LocalConcept:
    """One local concept."""

    concept_id: int
    concept_name: str
    domain_id: str
    vocabulary_id: str
    concept_class_id: str
    concept_code: str
    valid_start_date: date
    valid_end_date: date

    def row(self, *, standard: bool = False) -> dict[str, object]:
        """The row of CONCEPT; `standard` where the consortium's map adopts the concept."""
        mark = "S" if standard else None
        return {name: getattr(self, name) for name in COLUMNS} | {"standard_concept": mark, "invalid_reason": None}


def read_blocks(content: bytes, shown: str) -> tuple[dict[str, int], list[Problem]]:
    """Owner -> first id of its block; every mistake of the file."""
    blocks: dict[str, int] = {}
    problems = []
    for line, row in _rows(content):
        owner, first = row.get("owner", ""), row.get("first_concept_id", "")
        if not owner or not first.isdigit() or (int(first) - FIRST_LOCAL) % BLOCK or not _is_local(int(first)):
            problems.append(
                Problem(
                    f"{shown}:{line}", "is no block", f"owner,first_concept_id, from {FIRST_LOCAL} in steps of {BLOCK}"
                )
            )
        elif owner in blocks or int(first) in blocks.values():
            problems.append(
                Problem(f"{shown}:{line}", f"gives {owner} or the block at {first} a second time", "keep one line")
            )
        else:
            blocks[owner] = int(first)
    return blocks, problems


def read_concepts(
    content: bytes, shown: str, owner: str, blocks: Mapping[str, int]
) -> tuple[list[LocalConcept], list[Problem]]:
    """The local concepts of one owner; every mistake of the file, ids outside the owner's block among them."""
    found: list[LocalConcept] = []
    problems = []
    seen: set[object] = set()
    for line, row in _rows(content):
        where = f"{shown}:{line}"
        missing = [name for name in COLUMNS if not row.get(name)]
        if missing:
            problems.append(Problem(where, f"has no {missing[0]}", "fill in " + ", ".join(COLUMNS)))
            continue
        try:
            concept = _concept(row)
        except ValueError:
            problems.append(Problem(where, "has an id or a date that is none", "ids are numbers, dates YYYY-MM-DD"))
            continue
        first = blocks.get(owner)
        if first is None or not first <= concept.concept_id < first + BLOCK:
            expected = f"ids from {first} to {first + BLOCK - 1}" if first else f"a line for {owner} in blocks.csv"
            problems.append(Problem(where, f"concept {concept.concept_id} is not in the block of {owner}", expected))
        for key in (concept.concept_id, (concept.vocabulary_id, concept.concept_code)):
            if key in seen:
                problems.append(Problem(where, f"gives {key} a second time", "keep one line"))
            seen.add(key)
        found.append(concept)
    return found, problems


def _concept(row: Mapping[str, str]) -> LocalConcept:
    return LocalConcept(
        int(row["concept_id"]),
        row["concept_name"],
        row["domain_id"],
        row["vocabulary_id"],
        row["concept_class_id"],
        row["concept_code"],
        date.fromisoformat(row["valid_start_date"]),
        date.fromisoformat(row["valid_end_date"]),
    )


def _is_local(concept_id: int) -> bool:
    return FIRST_LOCAL <= concept_id <= LAST_LOCAL


def _rows(content: bytes) -> list[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
