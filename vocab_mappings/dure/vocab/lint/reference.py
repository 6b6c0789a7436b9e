"""The small tables that ship with lint: vocabulary ids, code shapes, domains, look-alike characters, specimens."""

from __future__ import annotations

import csv
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


def table(name: str) -> list[dict[str, str]]:
    """The rows of one of the CSV files beside this module."""
    with (_HERE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def athena_ids() -> frozenset[str]:
    """The vocabulary ids that Athena gives out; `dure.site` has the list, and is found without being imported."""
    spec = importlib.util.find_spec("dure.site")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    with (Path(folders[0]) / "athena.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["vocabulary_id"] for row in csv.DictReader(file))


@cache
def vocabulary_written(text: str) -> str | None:
    """Athena's id for a vocabulary as people write it; None where it is none, the id itself where it is one."""
    if text in athena_ids():
        return text
    return _aliases().get(_folded(text))


@cache
def _aliases() -> dict[str, str]:
    ids = {_folded(name): name for name in sorted(athena_ids())}
    return ids | {_folded(row["written"]): row["vocabulary_id"] for row in table("vocabulary_aliases")}


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


@dataclass(frozen=True, slots=True)
class Shape:
    """What the codes of one vocabulary look like, as a pattern and in words."""

    pattern: re.Pattern[str]
    expected: str


@cache
def code_shapes() -> Mapping[str, Shape]:
    rows: dict[str, list[dict[str, str]]] = {}
    for row in table("code_shapes"):
        rows.setdefault(row["vocabulary_id"], []).append(row)
    return {
        vocabulary: Shape(
            re.compile("|".join(f"(?:{row['shape']})" for row in shapes)),
            "; or ".join(row["expected"] for row in shapes if row["expected"]),
        )
        for vocabulary, shapes in rows.items()
    }


@cache
def domain_ids() -> Mapping[str, bool]:
    """The domains of OMOP, and whether a code of events may go to them."""
    return {row["domain_id"]: row["of_events"] == "yes" for row in table("domains")}


@cache
def expected_domains() -> Mapping[str, frozenset[str]]:
    return {row["vocabulary_id"]: frozenset(row["domain_ids"].split("|")) for row in table("expected_domains")}
