"""How many persons of the copy are alone, or nearly, with their year of birth, sex, province and year of death."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds


@dataclass(frozen=True)
class Uniqueness:
    """`unique` persons share the four with nobody, `fewer` with less than k, themselves counted, of `persons`."""

    persons: int
    unique: int
    fewer: int
    k: int


def uniqueness(copy: Path, k: int) -> Uniqueness:
    """Counted over the copy's own files, so over what a reader of it can combine."""
    person = _table(copy, "person", ["person_id", "year_of_birth", "gender_concept_id", "location_id"])
    places = _table(copy, "location", ["location_id", "state"])
    death = _table(copy, "death", ["person_id", "death_date"])
    years = (
        pa.table({"person_id": death["person_id"], "died": pa.compute.year(death["death_date"])})
        .group_by("person_id")
        .aggregate([("died", "min")])
    )
    joined = person.join(places, "location_id", join_type="left outer").join(years, "person_id", join_type="left outer")
    cells = joined.group_by(["year_of_birth", "gender_concept_id", "state", "died_min"]).aggregate([([], "count_all")])
    sizes = Counter(cells["count_all"].to_pylist())
    fewer = sum(size * cells_ for size, cells_ in sizes.items() if size < k)
    return Uniqueness(person.num_rows, sizes[1], fewer, k)


def _table(copy: Path, name: str, columns: list[str]) -> pa.Table:
    return ds.dataset(sorted((copy / name).glob("*.parquet"))).to_table(columns=columns)
