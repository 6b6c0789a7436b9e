"""What the generator knows, as data: clinical facts with their standard concepts, histories, and each hospital's codes."""

from __future__ import annotations

import csv
from functools import cache, cached_property
from importlib.resources import files

import numpy as np

from dure.demo.generate.frames import Array

Row = dict[str, str]


@cache
def read(name: str) -> tuple[Row, ...]:
    """The rows of one file of the catalogue."""
    text = files(__name__).joinpath(f"{name}.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


class Facts:
    """Every clinical fact by its number, the place of its first row in facts.csv."""

    def __init__(self) -> None:
        self.first = [row for row in read("facts") if row["target"] == "1"]
        self.names = [row["fact"] for row in self.first]
        self.number = {name: number for number, name in enumerate(self.names)}
        self.kind = [row["kind"] for row in self.first]
        self.concept = self._integers("standard_concept_id")
        tables = [row["cdm_table"] for row in self.first]
        self.tables = list(dict.fromkeys([*tables, "note"]))
        self.table = np.array([self.tables.index(table) for table in tables])
        units = {row["unit"]: int(row["unit_concept_id"]) for row in read("units")} | {"": 0}
        self.unit = np.array([units[row["unit"]] for row in self.first])

    def __len__(self) -> int:
        return len(self.names)

    def of_kind(self, kind: str) -> list[int]:
        return [number for number, found in enumerate(self.kind) if found == kind]

    @cached_property
    def second(self) -> dict[int, int]:
        """The further standard concept of the facts that have two."""
        return {self.number[r["fact"]]: int(r["standard_concept_id"]) for r in read("facts") if r["target"] == "2"}

    @cached_property
    def dose(self) -> tuple[Array, Array]:
        """One dose and the doses a day of each fact; 0 where it is no drug."""
        dose, times = np.zeros(len(self)), np.zeros(len(self), np.int64)
        for row in read("doses"):
            dose[self.number[row["fact"]]], times[self.number[row["fact"]]] = float(row["dose"]), int(row["times"])
        return dose, times

    def _integers(self, column: str) -> Array:
        return np.array([int(row[column]) for row in self.first], np.int64)


@cache
def facts() -> Facts:
    return Facts()


class Values:
    """Every categorical answer by its number."""

    def __init__(self) -> None:
        self.rows = read("values")
        self.number = {row["value"]: number for number, row in enumerate(self.rows)}
        self.concept = np.array([int(row["value_as_concept_id"]) for row in self.rows], np.int64)


@cache
def values() -> Values:
    return Values()
