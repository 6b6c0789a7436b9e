"""What every hospital does alike: repeats rows, reports the dirt it wrote, and records its persons and visits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.demo.generate.catalogue import read
from dure.demo.generate.dirt import kinds, repeated, written_numbers
from dure.demo.generate.extract import Extract
from dure.demo.generate.frames import DAY, LAST, NEVER, Array, Frame, years
from dure.demo.generate.names import Names
from dure.demo.generate.record import Recorded
from dure.demo.generate.truth import Records, Truth, dates, moments

GENDERS = {False: 8507, True: 8532}


class Desk:
    """Writes the files of one hospital for one block, and what it knows of them into the truth."""

    def __init__(self, recorded: Recorded, extract: Extract, truth: Truth, names: Names) -> None:
        self.recorded, self.extract, self.truth, self.names = recorded, extract, truth, names
        self.records = Records(truth, recorded.hospital)
        self._repeats = kinds()["duplicate_row"]
        self._written = written_numbers(recorded.hospital)

    def file(
        self,
        name: str,
        columns: Mapping[str, pa.Array],
        key: list[str],
        dirt: Array | None = None,
        *,
        repeats: bool = False,
        quoted: bool = False,
    ) -> None:
        """Writes rows to a file; `repeats` says that some come twice. Dirty rows go to the truth with their key."""
        count = len(next(iter(columns.values())))
        if not count:
            dirt, repeats = None, False
        if dirt is not None:
            self._report(name, columns, key, np.flatnonzero(dirt), dirt)
        if repeats:
            chosen = self.recorded.planter.chosen("duplicate_row", {"row": np.arange(count)}, name)
            if dirt is not None:
                chosen = chosen[dirt[chosen] == 0]
            self._report(name, columns, key, chosen, np.full(count, self._repeats.number))
            twice = pa.array(repeated(np.arange(count), chosen))
            columns = {column: cells.take(twice) for column, cells in columns.items()}
        self.extract.write(name, columns, quoted=quoted)

    def intended(self, frame: Frame) -> Array:
        """The rows of a frame that must reach the CDM."""
        return np.flatnonzero(np.isin(frame["dirt"], self._written))

    def persons(self, names: pa.Array, *, exact: bool) -> None:
        """The hospital's persons; the month is all that a claim says of a death."""
        found, known = self.recorded.persons, self.recorded.known
        death = self.recorded.death[known]
        dead = death < NEVER
        if not exact:
            months = np.where(dead, death, 0).astype("datetime64[D]").astype("datetime64[M]")
            death = (months + 1).astype("datetime64[D]").astype(np.int64) - 1
        self.truth.add(
            "persons",
            {
                "hospital": pa.repeat(self.recorded.hospital, len(known)),
                "person_source_value": names,
                "person_number": pa.array(found["number"][known]),
                "year_of_birth": pa.array(years(found["birth"][known])),
                "birth_precision": pa.repeat("exact" if exact else "age_group", len(known)),
                "gender_concept_id": pa.array(np.where(found["female"][known], GENDERS[True], GENDERS[False])),
                "death_date": dates(np.where(dead, death, 0), ~dead),
            },
        )

    def visits(self, person: pa.Array, visit: pa.Array, *, timed: bool) -> None:
        """The visits as they should be in the CDM: an emergency with its admission is one; an open stay ends on LAST."""
        found = self.recorded.visits
        count = len(found["person"])
        concepts = {row["visit"]: int(row["visit_concept_id"]) for row in read("visits")}
        order = ("outpatient", "inpatient", "emergency", "emergency_inpatient")
        self.truth.add(
            "visits",
            {
                "hospital": pa.repeat(self.recorded.hospital, count),
                "visit_source_value": visit,
                "person_source_value": person,
                "visit_concept_id": pa.array(np.array([concepts[name] for name in order])[found["class"]]),
                "start_date": dates(found["start"] // DAY),
                "start_datetime": moments(found["start"]) if timed else pa.nulls(count, pa.timestamp("us")),
                "end_date": dates(np.minimum(found["end"] // DAY, LAST)),
                "open": pa.array(found["open"] if timed else np.zeros(count, bool)),
            },
        )

    def _report(self, name: str, columns: Mapping[str, pa.Array], key: list[str], which: Array, dirt: Array) -> None:
        if not len(which):
            return
        at = pa.array(which)
        parts = [columns[column].take(at) for column in key]
        by_number = {kind.number: kind for kind in kinds().values()}
        found = [by_number[int(number)] for number in dirt[which]]
        self.truth.add(
            "dirt",
            {
                "hospital": pa.repeat(self.recorded.hospital, len(which)),
                "kind": pa.array([kind.name for kind in found]),
                "file": pa.repeat(name, len(which)),
                "key": pc.binary_join_element_wise(*parts, "|") if len(parts) > 1 else parts[0],
                "ends": pa.array([kind.end_at(self.recorded.hospital) for kind in found]),
            },
        )
