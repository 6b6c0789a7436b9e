"""The truth file of generated hospitals, as facts; nothing of the pipeline reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.demo.content import BATCH_ROWS, Hashes, cell_hashes
from dure.demo.facts import Concepts, Facts, facts_of
from dure.errors import ConfigurationError, Problem

_RECORDS = (
    "standard_concept_id", "start_date", "value_as_number", "operator_concept_id", "value_as_concept_id",
    "unit_concept_id",
)  # fmt: skip
_VISITS = ("visit_concept_id", "start_date", "", "", "", "")
_PERSONS = ("gender_concept_id", "", "", "", "", "")
_DEATHS = ("", "death_date", "", "", "", "")


@dataclass(frozen=True)
class Truth:
    """A folder that `dure demo generate` wrote: `records`, `visits` and `persons` as Parquet."""

    folder: Path

    @staticmethod
    def of(folder: Path) -> Truth:
        """Raises ConfigurationError naming each file that is missing or no Parquet."""
        truth = Truth(folder)
        problems = []
        for name in ("records", "visits", "persons"):
            try:
                pq.read_metadata(truth._file(name))
            except (OSError, pa.ArrowInvalid):
                where, found = str(truth._file(name)), "is not there, or is no Parquet file"
                problems.append(Problem(where, found, "name the folder `truth` that `dure demo generate` wrote"))
        if problems:
            raise ConfigurationError(problems)
        return truth

    @property
    def rows(self) -> int:
        """Facts of all sites, to know how many are read at once."""
        return sum(pq.read_metadata(self._file(name)).num_rows for name in ("records", "visits", "persons"))

    def sites(self) -> list[str]:
        """The sites that it speaks of."""
        hospitals = pq.read_table(self._file("persons"), columns=["hospital"])["hospital"]
        return sorted(pc.unique(hospitals).to_pylist())

    def facts(self, site: str, part: int = 0, parts: int = 1) -> dict[str, Facts]:
        """The facts of a site by CDM table, of one part of its persons."""
        found: dict[str, list[tuple[Hashes, Concepts]]] = defaultdict(list)
        for batch in self._batches("records", site, ("cdm_table", *_RECORDS)):
            for table in pc.unique(batch.column("cdm_table")).to_pylist():
                rows = batch.filter(pc.equal(batch.column("cdm_table"), table))
                found[table].append(_facts(rows, _RECORDS, part, parts))
        for batch in self._batches("visits", site, _VISITS):
            found["visit_occurrence"].append(_facts(batch, _VISITS, part, parts))
        for batch in self._batches("persons", site, (*_PERSONS, *_DEATHS)):
            found["person"].append(_facts(batch, _PERSONS, part, parts))
            dead = batch.filter(pc.is_valid(batch.column("death_date")))
            found["death"].append(_facts(dead, _DEATHS, part, parts))
        return {table: Facts.of(given) for table, given in found.items()}

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def _batches(self, name: str, site: str, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        wanted = ["hospital", "person_source_value", *filter(None, columns)]
        for batch in pq.ParquetFile(self._file(name)).iter_batches(BATCH_ROWS, columns=wanted):
            own = batch.filter(pc.equal(batch.column("hospital"), site))
            if own.num_rows:
                yield own


def _facts(batch: pa.RecordBatch, columns: tuple[str, ...], part: int, parts: int) -> tuple[Hashes, Concepts]:
    cells = [batch.column(name) if name else pa.nulls(batch.num_rows, pa.int32()) for name in columns]
    return facts_of(cell_hashes(batch.column("person_source_value")), cells, part, parts)
