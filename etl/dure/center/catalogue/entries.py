"""One concept of one table as the catalogue shows it: rounded, without what is hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dure.center.catalogue.counts import Block
from dure.center.catalogue.suppress import Counts, Mask, hide, rounded

Total = tuple[int, int | None, int | None, int]


@dataclass(frozen=True)
class Entry:
    """One concept of one table.

    `cells` are (place, year, persons, records), the last two None where they are hidden. `years` are (year, persons,
    records, of all), `places` (place, persons at least, records, of all): `of all` is 1 where the total is that of all
    counts, 0 where it is that of the shown ones; `of_all` says so of `records`. A person counts in every year with a
    record, so over years only the least number of persons is known.
    """

    table: str
    concept_id: int
    name: str
    of_all: int
    persons: int | None
    records: int | None
    years: tuple[Total, ...]
    places: tuple[Total, ...]
    cells: tuple[tuple[int, int, int | None, int | None], ...]

    def as_json(self) -> dict[str, Any]:
        """As `catalogue.json` has it, lists in the order above."""
        return {
            "table": self.table,
            "concept_id": self.concept_id,
            "name": self.name,
            "persons_at_least": self.persons,
            "records": self.records,
            "of_all": self.of_all,
            "years": self.years,
            "places": self.places,
            "cells": self.cells,
        }


def entry(block: Block, name: str, smallest: int, step: int) -> Entry:
    """What is shown of one block."""
    hidden = hide(block.persons, smallest)
    shown = (block.persons > 0) & ~hidden.cells
    persons, records = (np.where(shown, rounded(counts, step), 0) for counts in (block.persons, block.records))

    def totals(counts: Counts, told: Counts, only_shown: Mask, axis: int) -> Counts:
        return np.where(only_shown, told.sum(axis=axis), rounded(counts.sum(axis=axis), step))

    persons_by_year = totals(block.persons, persons, hidden.years, 0)
    by_year = totals(block.records, records, hidden.years, 0)
    at_least, by_place = persons.max(axis=1), totals(block.records, records, hidden.places, 1)
    of_all = not hidden.years.any()
    whole = rounded(block.records.sum(), step) if of_all else max(by_year.sum(), by_place.sum())
    listed = np.argwhere(block.persons > 0)
    kept = shown[listed[:, 0], listed[:, 1]].tolist()
    told = [counts[listed[:, 0], listed[:, 1]].tolist() for counts in (persons, records)]
    return Entry(
        table=block.table,
        concept_id=block.concept_id,
        name=name,
        of_all=int(of_all),
        persons=max(int(persons_by_year.max()), int(at_least.sum())) or None,
        records=int(whole) or None,
        years=_told(block.years, persons_by_year, by_year, hidden.years),
        places=_told(block.places, at_least, by_place, hidden.places),
        cells=tuple(
            (block.places[row], block.years[n], p if seen else None, r if seen else None)
            for (row, n), seen, p, r in zip(listed.tolist(), kept, *told, strict=True)
        ),
    )


def _told(names: Sequence[int], persons: Counts, records: Counts, only_shown: Mask) -> tuple[Total, ...]:
    lines = zip(names, persons.tolist(), records.tolist(), only_shown.tolist(), strict=True)
    return tuple((name, p or None, r or None, int(not part)) for name, p, r, part in lines)


def rows_of(one: Entry, places: Mapping[int, str]) -> list[list[object]]:
    """The lines of `catalogue.csv`: one a place and year."""
    return [
        [one.table, one.concept_id, one.name, places[place], year or None, persons, records, int(persons is None)]
        for place, year, persons, records in one.cells
    ]
