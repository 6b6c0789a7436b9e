"""Facts as numbers: what the truth and a snapshot are compared by, table by table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dure.demo.content import Hashes, cell_hashes, row_hashes

# CDM table -> its columns for concept, start date, number, operator, category and unit; empty where it has none.
TABLES: dict[str, tuple[str, str, str, str, str, str]] = {
    "person": ("gender_concept_id", "", "", "", "", ""),
    "visit_occurrence": ("visit_concept_id", "visit_start_date", "", "", "", ""),
    "condition_occurrence": ("condition_concept_id", "condition_start_date", "", "", "", ""),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date", "", "", "", ""),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date", "", "", "", ""),
    "device_exposure": ("device_concept_id", "device_exposure_start_date", "", "", "", ""),
    "measurement": (
        "measurement_concept_id", "measurement_date", "value_as_number", "operator_concept_id", "value_as_concept_id",
        "unit_concept_id",
    ),
    "observation": (
        "observation_concept_id", "observation_date", "value_as_number", "", "value_as_concept_id", "unit_concept_id",
    ),
    "note": ("note_class_concept_id", "note_date", "", "", "", ""),
    "death": ("", "death_date", "", "", "", ""),
}  # fmt: skip
# The truth and the CDM may have been written by different libraries: numbers count to this many decimal places.
_DECIMALS = 6
Concepts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """Facts of one table in ascending order of their hashes, each with its concept."""

    hashes: Hashes
    concepts: Concepts

    @staticmethod
    def of(parts: Iterable[tuple[Hashes, Concepts]]) -> Facts:
        """All facts of the parts together."""
        given = list(parts)
        if not given:
            return Facts(np.empty(0, np.uint64), np.empty(0, np.int64))
        hashes = np.concatenate([one for one, _ in given])
        order = np.argsort(hashes)
        return Facts(hashes[order], np.concatenate([two for _, two in given])[order])

    def without(self, others: Facts) -> Concepts:
        """The concepts of those facts that `others` lacks; a fact that is here twice needs two there."""
        copies = _copy_numbers(self.hashes)
        if not len(others.hashes):
            return self.concepts
        there = np.searchsorted(others.hashes, self.hashes, "right") - np.searchsorted(others.hashes, self.hashes)
        return self.concepts[copies >= there]


def facts_of(person: Hashes, cells: list[pa.Array], part: int = 0, parts: int = 1) -> tuple[Hashes, Concepts]:
    """(hash, concept) of the rows whose person is in this part; `cells` in the order of TABLES.

    No concept and concept 0 count as the same: the truth cannot know whether a cell was empty or not understood.
    """
    concept, start, number, operator, category, unit = cells
    rounded = np.round(np.asarray(pc.fill_null(number.cast(pa.float64()), np.nan)), _DECIMALS)
    concepts = _ids(concept)
    columns = [
        person, _mixed_ids(concepts), cell_hashes(start.cast(pa.date32())), cell_hashes(pa.array(rounded)),
        *[_mixed_ids(_ids(ids)) for ids in (operator, category, unit)],
    ]  # fmt: skip
    hashes = row_hashes(columns, len(person))
    if parts > 1:
        chosen = person % np.uint64(parts) == part
        return hashes[chosen], concepts[chosen]
    return hashes, concepts


def _ids(cells: pa.Array) -> Concepts:
    return np.asarray(pc.fill_null(cells.cast(pa.int64()), 0))


def _mixed_ids(ids: Concepts) -> Hashes:
    return cell_hashes(pa.array(ids))


def _copy_numbers(ordered: Hashes) -> npt.NDArray[np.int64]:
    """0 for the first of equal neighbours, 1 for the second, and so on."""
    if not len(ordered):
        return np.empty(0, np.int64)
    place = np.arange(len(ordered))
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    return place - np.maximum.accumulate(np.where(first, place, 0))
