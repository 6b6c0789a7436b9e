"""The rows that belong together with some rows, by the ties of their site."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.landing.keys import escaped, joined, null_where_all_null
from dure.run.delta.parts import Longs, Parts, Rows, count, united
from dure.run.delta.ties import Fixed, Tie, Ties
from dure.run.delta.ties import Parts as KeyParts

_NOTHING = "\\N"  # no key text of one part is that


def texts(parts: KeyParts, table: pa.Table, nulls: bool = False) -> pa.Array:
    """The key text of each row, as the engine makes it of the same parts; NULL, or with `nulls` a text of its own, where
    all columns are empty."""
    if parts == ("_row_hash",):
        return table["_row_hash"].combine_chunks().cast(pa.string())
    columns = {part: table[part].combine_chunks() for part in parts if isinstance(part, str)}
    if len(parts) == 1 and columns:
        text = escaped(next(iter(columns.values())))
    else:
        shown = [
            pa.repeat(pa.scalar(part.text), table.num_rows) if isinstance(part, Fixed) else columns[part]
            for part in parts
        ]
        text = null_where_all_null(joined(shown), list(columns.values())) if columns else joined(shown)
    return pc.fill_null(text, _NOTHING) if nulls else text


class _Values:
    """Key texts in the order in which they were met, each once."""

    def __init__(self) -> None:
        self.met: list[pa.Array] = []
        self._all: set[str] = set()

    def add(self, values: pa.Array) -> None:
        new = [value for value in pc.unique(values).to_pylist() if value is not None and value not in self._all]
        if new:
            self._all.update(new)
            self.met.append(pa.array(new, pa.string()))

    def since(self, seen: int) -> list[pa.Array]:
        return self.met[seen:]


class Closure:
    """Chooses rows of the personal sources of one landing: those that were asked for, and all that are tied to them.

    `landing` is the folder with the landed sources. Rows of another landing may take part by their values alone.
    """

    def __init__(self, ties: Ties, landing: Path) -> None:
        self._ties = ties
        self.parts = {name: Parts.of(landing / name) for name in ties.personal}
        self.chosen: dict[str, Rows] = {name: {} for name in ties.personal}
        # By space: values of rows that define them, or of any row where others define them.
        self._active: dict[str, _Values] = defaultdict(_Values)
        self._asked: dict[str, _Values] = defaultdict(_Values)
        # (source, parts of the tie) -> how many of these lists the source was searched for.
        self._seen: dict[tuple[str, KeyParts], tuple[int, int]] = defaultdict(lambda: (0, 0))

    def values(self, source: str, table: pa.Table) -> None:
        """Takes rows of a source into account that this landing has not: what they are tied to is chosen."""
        for tie in self._ties.of(source):
            known = self._active if tie.defines else self._asked
            known[tie.space].add(texts(tie.parts, table, tie.nulls))

    def activate(self, space: str, values: pa.Array) -> None:
        """Takes values of a space into account as if a row defined them."""
        self._active[space].add(values)

    def choose(self, source: str, rows: Rows) -> None:
        """Chooses rows of a source."""
        new = {
            place: np.setdiff1d(of_group, self.chosen[source][place]) if place in self.chosen[source] else of_group
            for place, of_group in rows.items()
        }
        new = {place: of_group for place, of_group in new.items() if len(of_group)}
        if new:
            self.chosen[source] = united(self.chosen[source], new)
            for table in self.parts[source].take(new, self._columns(source)):
                self.values(source, table)

    def close(self, most: float = 1.0) -> bool:
        """Goes on choosing until no tie leads out; False where that are more than this share of all rows."""
        total = sum(parts.rows for parts in self.parts.values())
        # What a small source defines, a large one need not be searched for twice.
        by_size = sorted(self._ties.personal, key=lambda name: self.parts[name].rows)
        while True:
            searched = [self._search(name) for name in by_size]
            if any(searched):
                if self.rows > most * total:
                    return False
            else:
                return True

    @property
    def rows(self) -> int:
        return sum(map(count, self.chosen.values()))

    def find(self, source: str, parts: KeyParts, values: pa.Array) -> Rows:
        """The rows of a source whose columns have one of these values as key text."""
        columns = [part for part in parts if isinstance(part, str)]
        found: Rows = {}

        def search(part: int, group: int, table: pa.Table) -> None:
            hits = _where(pc.is_in(texts(parts, table), value_set=values))
            if len(hits):
                found[part, group] = hits

        for _ in self.parts[source].read(columns, search):
            pass
        return found

    def _columns(self, source: str) -> list[str]:
        return list(dict.fromkeys(column for tie in self._ties.of(source) for column in tie.columns))

    def _search(self, source: str) -> bool:
        """Chooses the rows of a source that have values met since it was searched last; whether there was any to search."""
        wanted: list[tuple[Tie, pa.Array]] = []
        for tie in self._ties.of(source):
            active, asked = self._active[tie.space], self._asked[tie.space]
            seen = self._seen[source, tie.parts]
            values = active.since(seen[0]) + (asked.since(seen[1]) if tie.defines else [])
            self._seen[source, tie.parts] = (len(active.met), len(asked.met))
            if values:
                wanted.append((tie, pa.concat_arrays(values)))
        if not wanted:
            return False
        columns = self._columns(source)
        chosen = self.chosen[source]

        def search(part: int, group: int, table: pa.Table) -> tuple[tuple[int, int], Longs, pa.Table]:
            hit = None
            for tie, values in wanted:
                found = pc.is_in(texts(tie.parts, table, tie.nulls), value_set=values)
                hit = found if hit is None else pc.or_(hit, found)
            rows = _where(hit)
            if (part, group) in chosen:
                rows = np.setdiff1d(rows, chosen[part, group])
            return (part, group), rows, table.take(pa.array(rows))

        new: Rows = {}
        for place, rows, table in self.parts[source].read(columns, search):
            if len(rows):
                new[place] = rows
                self.values(source, table)
        self.chosen[source] = united(chosen, new)
        return True


def _where(mask: pa.Array | pa.ChunkedArray) -> Longs:
    return np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))
