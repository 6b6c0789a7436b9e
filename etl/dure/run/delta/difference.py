"""Which rows of a source came and which went from one landing to the next.

Rows are told by `_row_hash`, which covers every column that is kept, those of the key included. Two different rows share
one with a chance of one in 2^64, so that a source of 10^9 rows of which a million change is misread once in 10^4 years of
nights. Rows that are alike are counted: of three that were there and two that are, one went.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dure.run.delta.parts import Longs, Parts, Rows, count

# So many hashes of each landing are held in memory at a time; more rows are gone through in several turns.
HELD = 100_000_000


@dataclass(frozen=True)
class Difference:
    """Rows of the new landing that the old one has not (`came`), and of the old one that the new one has not (`went`)."""

    came: Rows
    went: Rows

    def __bool__(self) -> bool:
        return bool(self.came or self.went)

    @property
    def rows(self) -> int:
        return count(self.came) + count(self.went)


def difference(old: Parts, new: Parts) -> Difference:
    """The rows that came and went; parts that are one file under two names are not even read."""
    same = _same_files(old.files, new.files)
    old_parts = [n for n, file in enumerate(old.files) if file not in same]
    new_parts = [n for n, file in enumerate(new.files) if file not in same.values()]
    turns = -(-max(_rows_of(old, old_parts), _rows_of(new, new_parts)) // HELD) or 1
    came, went = [], []
    for turn in range(turns):
        before, before_at = _hashes(old, old_parts, turn, turns)
        after, after_at = _hashes(new, new_parts, turn, turns)
        start, end = _alike(before, after)
        before, after = before[start : len(before) - end], after[start : len(after) - end]
        first, second = np.sort(before), np.sort(after)
        came.append(after_at[start + _of_values(after, *_more(second, first))])
        went.append(before_at[start + _of_values(before, *_more(first, second))])
    return Difference(
        new.places(np.sort(np.concatenate(came)), new_parts), old.places(np.sort(np.concatenate(went)), old_parts)
    )


def _same_files(old: tuple[Path, ...], new: tuple[Path, ...]) -> Mapping[Path, Path]:
    """Old part -> new part, where both are names of one file."""
    known = {_identity(file): file for file in old}
    return {known[_identity(file)]: file for file in new if _identity(file) in known}


def _identity(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_dev, stat.st_ino


def _rows_of(parts: Parts, wanted: list[int]) -> int:
    return sum(rows for part, _, rows in parts.groups if part in wanted)


def _hashes(parts: Parts, wanted: list[int], turn: int, turns: int) -> tuple[Longs, Longs]:
    """The hashes of the rows of one turn and their places in the parts, one after the other."""
    only = {(part, group): np.empty(0, np.int64) for part, group, _ in parts.groups if part in wanted}
    hashes, places, start = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for found in parts.read(["_row_hash"], lambda _part, _group, table: table["_row_hash"].to_numpy(), only):
        at = np.arange(start, start + len(found))
        start += len(found)
        if turns > 1:
            mine = found.astype(np.uint64) % np.uint64(turns) == turn
            found, at = found[mine], at[mine]
        hashes.append(found)
        places.append(at)
    return np.concatenate(hashes), np.concatenate(places)


def _alike(one: Longs, other: Longs) -> tuple[int, int]:
    """How many values both have in common at their beginning, and then at their end: rows often are only added."""
    shorter = min(len(one), len(other))
    unlike = np.flatnonzero(one[:shorter] != other[:shorter])
    start = int(unlike[0]) if len(unlike) else shorter
    left = shorter - start
    unlike = np.flatnonzero(one[len(one) - left :] != other[len(other) - left :])
    return start, left - 1 - int(unlike[-1]) if len(unlike) else left


def _more(one: Longs, other: Longs) -> tuple[Longs, Longs]:
    """The values that `one` has more often than `other`, and how often more; both are sorted."""
    values, times = _runs(one)
    there = np.searchsorted(other, values, "right") - np.searchsorted(other, values, "left")
    more = times > there
    return values[more], (times - there)[more]


def _runs(values: Longs) -> tuple[Longs, Longs]:
    """The distinct values of a sorted array, and how often each occurs."""
    if len(values) == 0:
        return values, np.empty(0, np.int64)
    first = np.ones(len(values), np.bool_)
    first[1:] = values[1:] != values[:-1]
    at = np.flatnonzero(first)
    return values[at], np.diff(np.append(at, len(values)))


def _of_values(values: Longs, wanted: Longs, times: Longs) -> Longs:
    """The places of the last so many rows of each wanted value."""
    if len(wanted) == 0:
        return np.empty(0, np.int64)
    near = np.minimum(np.searchsorted(wanted, values), len(wanted) - 1)
    at = np.flatnonzero(wanted[near] == values)
    which = near[at]
    if len(at) == times.sum():
        return at
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(wanted)))
    from_the_end = ends[which[order]] - np.arange(len(at))
    return np.sort(at[order][from_the_end <= times[which[order]]])
