"""The columns of a map: what each format calls a field, and which field a header cell of a file names.

A *field* has Dure's own column name. The names are those of `columns.csv`; a header is compared without regard to case
and surrounding white space. Two kinds of files need more than a table: annotators' workbooks, whose source columns are
called as in CONCEPT (`concept_code`), and files with several targets side by side (`targetConceptId_a`, `…_fixed`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Format = Literal["stcm", "usagi", "dure"]
FORMATS: tuple[Format, ...] = ("stcm", "usagi", "dure")
REQUIRED = ("source_code", "target_concept_id")
# What Usagi puts before the columns that it keeps for others.
ADDED = "ADD_INFO:"

# Usagi writes these always; a file of targets with one of them is its export.
_OF_USAGI = frozenset({"mappingstatus", "sourcename", "matchscore", "conceptid", "statussetby"})
_OF_CONCEPT = {
    "concept_code": "source_code",
    "concept_name": "description_en",
    "concept_synonym": "description_ko",
    "domain_id": "source_domain_id",
    "vocabulary_id": "source_vocabulary_id",
}
_TARGET = re.compile(r"(target[a-z]+)_([a-z0-9]+)")
# Which of several targets side by side is the map: the first of these suffixes, else the last in the file.
_AGREED = ("fixed", "final", "agreed", "consensus")


@cache
def column_names() -> dict[str, dict[str, str]]:
    """By field: the columns of its names in `columns.csv`."""
    text = (files("dure.vocab.maps") / "columns.csv").read_text(encoding="utf-8")
    return {row["field"]: row for row in csv.DictReader(text.splitlines())}


@cache
def fields() -> tuple[str, ...]:
    """All fields, in the order of Dure's own CSV."""
    return tuple(column_names())


@cache
def _by_name() -> dict[str, str]:
    names: dict[str, str] = {}
    for field, row in column_names().items():
        for name in (field, row["stcm"], row["usagi"], *row["also"].split("|")):
            if name:
                names[name.lower()] = field
    return names


def plain_header(cell: str) -> str:
    """A header cell as it is compared."""
    return "_".join(cell.strip("\ufeff\u200b \t\r\n\xa0").lower().split())


@dataclass(frozen=True)
class Layout:
    """What the columns of one file are: the field of each (None for a column of the file's own), and its format.

    `targets` are the groups of columns that describe one target each, by suffix: field → column number; the one that
    is the map has the key `chosen`.
    """

    format: Format
    fields: tuple[str | None, ...]
    targets: dict[str, dict[str, int]]
    chosen: str

    def column(self, field: str) -> int | None:
        return self.fields.index(field) if field in self.fields else None


def layout(header: Sequence[str]) -> Layout:
    """The layout of a header; fields that it names twice are there twice, and none of `REQUIRED` need be there."""
    plain = [plain_header(cell) for cell in header]
    usagi = bool(_OF_USAGI & set(plain))
    found: list[str | None] = [_by_name().get(_without_prefix(name)) for name in plain]
    groups: dict[str, dict[str, int]] = {}
    for number, name in enumerate(plain):
        if match := _TARGET.fullmatch(name):
            field = _by_name().get(match[1])
            if field and found[number] is None:
                groups.setdefault(match[2], {})[field] = number
    whole = {suffix: group for suffix, group in groups.items() if "target_concept_id" in group}
    own = {field: number for number, field in enumerate(found) if field and field.startswith("target_")}
    chosen = ""
    if "target_concept_id" not in own and whole:
        chosen = next((suffix for suffix in _AGREED if suffix in whole), list(whole)[-1])
        for field, number in whole[chosen].items():
            found[number] = field
    elif own:
        whole = {"": own, **whole}
    if "source_code" not in found and "target_concept_id" in found:
        found = [field or _OF_CONCEPT.get(name) for field, name in zip(found, plain, strict=True)]
    return Layout(_format(usagi, found), tuple(found), whole, chosen)


def _without_prefix(name: str) -> str:
    return name.removeprefix(ADDED.lower())


def _format(usagi: bool, found: Sequence[str | None]) -> Format:
    if usagi:
        return "usagi"
    stcm = {field for field, row in column_names().items() if row["stcm"]}
    return "stcm" if all(field in stcm for field in found if field) else "dure"
