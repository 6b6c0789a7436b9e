"""Which rows of a snapshot's tables are those of some persons."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dure.cdm.schema import site_tables
from dure.cdm.schema import table as cdm_table
from dure.run.delta.parts import Longs, Parts
from dure.run.verify.two_tables import Chooses, Side

# Tables without a person: compared whole, since they are worked out whole for any sample.
WHOLE = ("location", "care_site", "provider", "cdm_source", "metadata", "source_to_concept_map", "concept")
# ... and those whose rows belong to the person of a record that they name.
BY_RECORD: Mapping[str, str] = {
    "note_nlp": "note_id",
    "cost": "cost_event_id",
    "episode_event": "episode_id",
    "fact_relationship": "fact_id_1",
}


class Scope:
    """Chooses rows by person: `persons` are ids, in two folders of CDM tables that are held against each other."""

    def __init__(self, persons: Collection[int], *cdm: Path) -> None:
        self.persons = np.array(sorted(persons), np.int64)
        self._cdm = cdm
        self._records: Longs | None = None

    def side(self, folder: Path, table: str) -> Side:
        """The rows of a table below `folder` that are these persons'."""
        parts = Parts.of(folder / table)
        return Side(parts, self._chooses(table) if parts.rows else None)

    def _chooses(self, table: str) -> Chooses | None:
        if table in WHOLE:
            return None
        if "person_id" in cdm_table(table).names:
            return _among("person_id", self.persons)
        return _among(BY_RECORD[table], self._all_records())

    def _all_records(self) -> Longs:
        """The ids of the records of these persons on both sides, the persons' own among them."""
        if self._records is None:
            found = [ids for cdm in self._cdm for table in site_tables() for ids in self._records_of(cdm, table)]
            self._records = np.unique(np.concatenate([self.persons, *found]))
        return self._records

    def _records_of(self, cdm: Path, table: str) -> Iterator[Longs]:
        key, mine = cdm_table(table).primary_key, _among("person_id", self.persons)
        if key is None or key == "person_id" or "person_id" not in cdm_table(table).names:
            return

        def ids(part: int, group: int, found: pa.Table) -> Longs:
            return np.asarray(found[key].to_numpy()[mine(found)])

        yield from Parts.of(cdm / table).read([key, "person_id"], ids)


def _among(column: str, wanted: Longs) -> Chooses:
    def chooses(table: pa.Table) -> npt.NDArray[np.bool_]:
        cells = table[column].combine_chunks().fill_null(-1)
        return np.isin(cells.to_numpy(), wanted)

    return chooses
