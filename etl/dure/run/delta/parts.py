"""The landed parts of one source, read by row group: what is wanted of them, on several threads, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Longs = npt.NDArray[np.int64]
Made = TypeVar("Made")

# Row groups at a time: each is held in memory while it is looked at.
THREADS = 2
# The rows of one source that are chosen: (part, row group) -> rows of it, ascending.
Rows = dict[tuple[int, int], Longs]


@dataclass(frozen=True)
class Parts:
    """The Parquet files of one landed source, in the order of their names."""

    files: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> Parts:
        return cls(tuple(sorted(folder.glob("*.parquet"))))

    @cached_property
    def groups(self) -> tuple[tuple[int, int, int], ...]:
        """(part, row group, rows) of every row group."""
        found = []
        for part, file in enumerate(self.files):
            metadata = pq.read_metadata(file)
            found += [(part, n, metadata.row_group(n).num_rows) for n in range(metadata.num_row_groups)]
        return tuple(found)

    @property
    def rows(self) -> int:
        return sum(rows for _, _, rows in self.groups)

    @property
    def schema(self) -> pa.Schema:
        return pq.read_schema(self.files[0])

    def read(
        self, columns: Sequence[str] | None, make: Callable[[int, int, pa.Table], Made], only: Rows | None = None
    ) -> Iterator[Made]:
        """What `make` gives for the table of each row group (of those in `only`), in their order."""

        def one(group: tuple[int, int, int]) -> Made:
            part, number, _ = group
            with pq.ParquetFile(self.files[part]) as file:
                names = list(columns) if columns is not None else None
                return make(part, number, file.read_row_group(number, columns=names, use_threads=False))

        wanted = [group for group in self.groups if only is None or (group[0], group[1]) in only]
        with ThreadPoolExecutor(THREADS) as pool:
            # No more than the threads hold, and one each that waits to be taken.
            coming = []
            for group in wanted:
                coming.append(pool.submit(one, group))
                if len(coming) > 2 * THREADS:
                    yield coming.pop(0).result()
            for future in coming:
                yield future.result()

    def take(self, rows: Rows, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The chosen rows, a table a row group."""

        def chosen(part: int, group: int, table: pa.Table) -> pa.Table:
            wanted = rows[part, group]
            return table if len(wanted) == table.num_rows else table.take(pa.array(wanted))

        yield from self.read(columns, chosen, only=rows)

    def places(self, numbers: Longs, parts: Sequence[int]) -> Rows:
        """Rows by their place in `parts` read one after the other, ascending, as rows of their row groups."""
        places: Rows = {}
        start = 0
        for part, group, rows in self.groups:
            if part not in parts:
                continue
            low, high = np.searchsorted(numbers, (start, start + rows))
            if high > low:
                places[part, group] = numbers[low:high] - start
            start += rows
        return places


def count(rows: Rows) -> int:
    return sum(map(len, rows.values()))


def united(one: Rows, other: Rows) -> Rows:
    """The rows of either."""
    made = dict(one)
    for place, rows in other.items():
        made[place] = np.union1d(made[place], rows) if place in made else rows
    return made


def without(one: Rows, other: Rows) -> Rows:
    """The rows of one that the other has not."""
    left = {place: np.setdiff1d(rows, other[place]) if place in other else rows for place, rows in one.items()}
    return {place: rows for place, rows in left.items() if len(rows)}


def marked(rows: Rows, some: Rows) -> npt.NDArray[np.bool_]:
    """Which of the rows, in the order in which they are taken, are among the others."""
    found = [
        np.isin(rows[place], some[place]) if place in some else np.zeros(len(rows[place]), np.bool_)
        for place in sorted(rows)
    ]
    return np.concatenate([np.zeros(0, np.bool_), *found])
