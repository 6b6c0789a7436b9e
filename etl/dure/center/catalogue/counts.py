"""The counts of all places, one concept of one table at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dure.center.catalogue.suppress import Counts
from dure.errors import IntegrityError, Problem

RECORDS = "records.parquet"
# Rows held at once.
PART_ROWS = 2_000_000
_COLUMNS = ("table", "concept_id", "year", "records", "persons")
NO_YEAR = 0


@dataclass(frozen=True)
class Block:
    """One concept of one table: persons and records of the places (by number) in the years that have any."""

    table: str
    concept_id: int
    places: tuple[int, ...]
    years: tuple[int, ...]
    persons: Counts
    records: Counts


@dataclass(frozen=True)
class _Rows:
    table: NDArray[np.int64]
    concept: NDArray[np.int64]
    place: NDArray[np.int64]
    year: NDArray[np.int64]
    persons: Counts
    records: Counts


def blocks(files: Sequence[tuple[int, Path]], part_rows: int = PART_ROWS) -> Iterator[Block]:
    """Every concept of every table; `files` are the counts of places by the place's number, several may have one."""
    total = sum(_read_metadata(path) for _, path in files)
    parts = max(1, -(-total // part_rows))
    tables: dict[str, int] = {}
    for part in range(parts):
        rows = [_rows(place, path, part, parts, tables) for place, path in files]
        names = {number: name for name, number in tables.items()}
        yield from _blocks(_joined(rows), names)


def _read_metadata(path: Path) -> int:
    try:
        found = pq.read_metadata(path)
        missing = [name for name in _COLUMNS if name not in found.schema.to_arrow_schema().names]
    except (OSError, pa.ArrowInvalid):
        missing, found = ["all"], None
    if missing or found is None:
        do = "receive the delivery again"
        raise IntegrityError(Problem(str(path), f"is no table of counts (lacks {', '.join(missing)})", do))
    return int(found.num_rows)


def _rows(place: int, path: Path, part: int, parts: int, tables: dict[str, int]) -> _Rows:
    held: list[pa.Table] = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1 << 18, columns=list(_COLUMNS)):
            if parts > 1:
                mine = np.asarray(batch["concept_id"].cast(pa.int64())) % parts == part
                batch = batch.filter(pa.array(mine))
            held.append(pa.Table.from_batches([batch]))
    found = pa.concat_tables(held) if held else None
    if found is None or not found.num_rows:
        nothing = np.zeros(0, np.int64)
        return _Rows(*[nothing] * 6)
    names = found["table"].cast(pa.string()).combine_chunks().dictionary_encode()
    numbers = np.array([tables.setdefault(name, len(tables)) for name in names.dictionary.to_pylist()], np.int64)
    year, concept, persons, records = (
        pc.fill_null(found[name].cast(pa.int64()), NO_YEAR).to_numpy()
        for name in ("year", "concept_id", "persons", "records")
    )
    table = numbers[names.indices.to_numpy()]
    return _Rows(table, concept, np.full(len(table), place, np.int64), year, persons, records)


def _joined(rows: Sequence[_Rows]) -> _Rows:
    def column(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(each, name) for each in rows]) if rows else np.zeros(0, np.int64)

    return _Rows(*(column(name) for name in ("table", "concept", "place", "year", "persons", "records")))


def _blocks(rows: _Rows, names: dict[int, str]) -> Iterator[Block]:
    rank = {number: place for place, number in enumerate(sorted(names, key=lambda each: names[each]))}
    ranks = np.array([rank[number] for number in range(len(names))], np.int64)
    order = np.lexsort((rows.concept, ranks[rows.table] if len(names) else rows.table))
    table, concept = rows.table[order], rows.concept[order]
    edges = np.flatnonzero((table[1:] != table[:-1]) | (concept[1:] != concept[:-1])) + 1
    for chosen in np.split(order, edges):
        if not len(chosen):
            continue
        places, at = np.unique(rows.place[chosen], return_inverse=True)
        years, when = np.unique(rows.year[chosen], return_inverse=True)
        persons = np.zeros((len(places), len(years)), np.int64)
        records = np.zeros_like(persons)
        # Hospitals of one consortium add up: a person of two of them has two pseudonyms.
        np.add.at(persons, (at, when), rows.persons[chosen])
        np.add.at(records, (at, when), rows.records[chosen])
        yield Block(
            names[int(rows.table[chosen[0]])],
            int(rows.concept[chosen[0]]),
            tuple(int(place) for place in places),
            tuple(int(year) for year in years),
            persons,
            records,
        )
