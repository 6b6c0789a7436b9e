"""One CDM table of two snapshots, row for row, in bounded memory; no engine takes part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dure.cdm.schema import table as cdm_table
from dure.run.delta.parts import Longs, Parts, Rows
from dure.run.verify.hashes import Hashes, cell_hashes, row_hashes
from dure.stages.tables import arrow_schema

Chooses = Callable[[pa.Table], npt.NDArray[np.bool_]]

# Rows of each side that are held in memory at a time, as a hash and a place; more are put by on disk by their hash first.
HELD = 32_000_000
_PUT_BY = np.dtype([("hash", np.uint64), ("place", np.int64)])


@dataclass(frozen=True)
class Side:
    """The files of a table, and which of their rows take part; all where `chooses` is None."""

    parts: Parts
    chooses: Chooses | None = None

    @classmethod
    def of(cls, folder: Path, chooses: Chooses | None = None) -> Side:
        return cls(Parts.of(folder), chooses)


@dataclass(frozen=True)
class TableCompared:
    """What came out for one table.

    Rows are told by the record id where the table has one: `changed` rows are on both sides and differ, `columns` says how
    many do in each column. A table without one has rows on one side only; its `columns` say how many values of those rows
    stand for others on the other side. `types` are columns that are missing or of another type than the CDM's, and not compared.
    """

    table: str
    rows: int = 0
    recomputed: int = 0
    only_snapshot: int = 0
    only_recomputed: int = 0
    changed: int = 0
    columns: dict[str, int] = field(default_factory=dict)
    types: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        return not (self.only_snapshot or self.only_recomputed or self.changed or self.types or self.unreadable)


def compare_table(table: str, snapshot: Side, recomputed: Side, work: Path) -> TableCompared:
    """Compares the rows of both sides that take part; `work` takes what does not fit into memory."""
    unreadable = _unreadable(snapshot.parts)
    if unreadable:
        return TableCompared(table, unreadable=unreadable)
    schema = arrow_schema(table)
    odd = {f.name for side in (snapshot, recomputed) for file in side.parts.files for f in _odd(file, schema)}
    names = [name for name in schema.names if name not in odd]
    try:
        return _compared(table, names, tuple(sorted(odd)), snapshot, recomputed, work)
    except (pa.ArrowException, OSError):
        # Metadata that can be read, and pages that cannot.
        unreadable = _unreadable(snapshot.parts, pages=True)
        if not unreadable:
            raise
        return TableCompared(table, unreadable=unreadable)


def _compared(
    table: str, names: Sequence[str], odd: tuple[str, ...], snapshot: Side, recomputed: Side, work: Path
) -> TableCompared:
    turns = -(-max(snapshot.parts.rows, recomputed.parts.rows) // HELD) or 1
    with (
        _PutBy(snapshot, names, work / "snapshot", turns) as one,
        _PutBy(recomputed, names, work / "new", turns) as two,
    ):
        lonely = [_lonely(one.turn(turn), two.turn(turn)) for turn in range(turns)]
    mine = np.sort(np.concatenate([places for places, _ in lonely]))
    theirs = np.sort(np.concatenate([places for _, places in lonely]))
    rows = {"rows": one.rows, "recomputed": two.rows, "types": odd}
    if not (len(mine) or len(theirs)):
        return TableCompared(table, **rows)  # type: ignore[arg-type]
    here, there = _Lonely(snapshot.parts, mine), _Lonely(recomputed.parts, theirs)
    key = cdm_table(table).primary_key
    if key is None or key not in names:
        columns = {name: _apart(here.column(name), there.column(name)) for name in names}
        pairs = 0
    else:
        at, other_at = _paired(here.column(key), there.column(key))
        pairs = len(at)
        columns = {
            name: int((here.column(name)[at] != there.column(name)[other_at]).sum()) for name in names if name != key
        }
    return TableCompared(
        table,
        **rows,  # type: ignore[arg-type]
        only_snapshot=len(mine) - pairs,
        only_recomputed=len(theirs) - pairs,
        changed=pairs,
        columns={name: n for name, n in columns.items() if n},
    )


class _PutBy:
    """The hashes and places of a side's rows, in turns by hash; a context, as several turns stand on disk."""

    def __init__(self, side: Side, names: Sequence[str], folder: Path, turns: int) -> None:
        self._side, self._names, self._folder, self._turns = side, names, folder, turns
        self._held: list[npt.NDArray[np.void]] = []
        self.rows = 0

    def __enter__(self) -> _PutBy:
        starts = _starts(self._side.parts)

        def look(part: int, group: int, table: pa.Table) -> npt.NDArray[np.void]:
            at = np.arange(table.num_rows) + starts[part, group]
            if self._side.chooses is not None:
                chosen = self._side.chooses(table)
                table, at = table.filter(pa.array(chosen)), at[chosen]
            made = np.empty(table.num_rows, _PUT_BY)
            made["hash"], made["place"] = row_hashes(table, self._names), at
            return made

        for found in self._side.parts.read(None, look):
            self.rows += len(found)
            if self._turns == 1:
                self._held.append(found)
                continue
            self._folder.mkdir(parents=True, exist_ok=True)
            for turn in range(self._turns):
                with (self._folder / str(turn)).open("ab") as file:
                    found[found["hash"] % np.uint64(self._turns) == turn].tofile(file)
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._folder.glob("*"):
            file.unlink()

    def turn(self, turn: int) -> npt.NDArray[np.void]:
        if self._turns == 1:
            return np.concatenate([np.empty(0, _PUT_BY), *self._held])
        file = self._folder / str(turn)
        return np.fromfile(file, _PUT_BY) if file.exists() else np.empty(0, _PUT_BY)


def _lonely(one: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> tuple[Longs, Longs]:
    """The places of rows on each side that have no equal left on the other; of equal rows some."""
    first, second = np.sort(one["hash"]), np.sort(other["hash"])
    if np.array_equal(first, second):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return _more(one, second), _more(other, first)


def _more(mine: npt.NDArray[np.void], theirs: Hashes) -> Longs:
    order = np.argsort(mine["hash"], kind="stable")
    hashes = mine["hash"][order]
    nth = np.arange(len(hashes)) - np.searchsorted(hashes, hashes, "left")
    there = np.searchsorted(theirs, hashes, "right") - np.searchsorted(theirs, hashes, "left")
    return np.asarray(mine["place"][order[nth >= there]])


class _Lonely:
    """Some rows of a table, a column at a time, in the order of their places."""

    def __init__(self, parts: Parts, places: Longs) -> None:
        self._parts, self._many = parts, len(places)
        self._rows: Rows = parts.places(places, range(len(parts.files)))

    def column(self, name: str) -> Hashes:
        found = [cell_hashes(table[name]) for table in self._parts.take(self._rows, [name])]
        return np.concatenate([np.empty(0, np.uint64), *found])


def _paired(one: Hashes, other: Hashes) -> tuple[Longs, Longs]:
    """The rows of both sides that have one key, where it is one row's on each."""
    first, at, times = np.unique(one, return_index=True, return_counts=True)
    second, other_at, other_times = np.unique(other, return_index=True, return_counts=True)
    first, at = first[times == 1], at[times == 1]
    second, other_at = second[other_times == 1], other_at[other_times == 1]
    _, mine, theirs = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    return at[mine], other_at[theirs]


def _apart(one: Hashes, other: Hashes) -> int:
    """How many values of either side stand for others of the other side; what one has more rows counts nothing."""
    values, which = np.unique(np.concatenate([one, other]), return_inverse=True)
    less = np.bincount(which[: len(one)], minlength=len(values)) - np.bincount(which[len(one) :], minlength=len(values))
    return int(min(less[less > 0].sum(), -less[less < 0].sum()))


def _starts(parts: Parts) -> dict[tuple[int, int], int]:
    starts, start = {}, 0
    for part, group, rows in parts.groups:
        starts[part, group] = start
        start += rows
    return starts


def _odd(file: Path, schema: pa.Schema) -> list[pa.Field]:
    from pyarrow.parquet import read_schema

    found = read_schema(file)
    return [f for f in schema if f.name not in found.names or found.field(f.name).type != f.type]


def _unreadable(parts: Parts, pages: bool = False) -> tuple[str, ...]:
    """The names of the files that are no whole Parquet."""
    from pyarrow.parquet import ParquetFile

    found = []
    for path in parts.files:
        try:
            with ParquetFile(path) as file:
                for _ in file.iter_batches() if pages else ():
                    pass
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError):
            found.append(path.name)
    return tuple(found)
