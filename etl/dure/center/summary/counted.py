"""Counting while rows go by: records and persons of each key, exactly, however many rows there are.

Rows of a package are sorted by person, so a person's records lie together: what must be remembered from one block to
the next is the last person's keys. Memory grows with the keys, not with the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
# Sums of so many keys are put together at once.
_WAITING = 1 << 20
# So many values of one key are kept to tell its percentiles: exact up to here, then within about 2 % of the ranks.
SAMPLE = 4096
_EMPTY: Ints = np.zeros(0, np.int64)


@dataclass
class Counts:
    """Records and persons of each key."""

    _parts: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)
    _waiting: int = 0
    _last: int | None = None
    _keys_of_last: Ints = field(default_factory=lambda: _EMPTY)

    def add(self, keys: Ints, persons: Ints) -> None:
        """The next rows, sorted by person."""
        if not keys.size:
            return
        order = np.argsort(keys, kind="stable")  # persons stay sorted within each key
        key, person = keys[order], persons[order]
        starts = np.concatenate([[True], key[1:] != key[:-1]])
        firsts = starts | np.concatenate([[True], person[1:] != person[:-1]])
        at = np.flatnonzero(starts)
        found = key[at]
        records = np.diff(np.append(at, key.size))
        distinct = np.add.reduceat(firsts.astype(np.int64), at)
        if self._last is not None and persons[0] == self._last:
            # Counted before: keys that the last person of the block before had already.
            again = (person[at] == self._last) & np.isin(found, self._keys_of_last)
            distinct = distinct - again
        of_last = np.unique(keys[persons == persons[-1]])
        if self._last == persons[-1]:
            of_last = np.union1d(of_last, self._keys_of_last)
        self._last, self._keys_of_last = int(persons[-1]), of_last
        self._parts.append((found, records, distinct))
        self._waiting += found.size
        if self._waiting > _WAITING:
            self._parts = [self.totals()]
            self._waiting = self._parts[0][0].size

    def totals(self) -> tuple[Ints, Ints, Ints]:
        """(keys ascending, records, persons) of all rows so far."""
        if not self._parts:
            return _EMPTY, _EMPTY, _EMPTY
        keys, records, persons = (np.concatenate([part[n] for part in self._parts]) for n in range(3))
        order = np.argsort(keys, kind="stable")
        key = keys[order]
        at = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        return key[at], np.add.reduceat(records[order], at), np.add.reduceat(persons[order], at)


@dataclass
class Values:
    """Numbers of each key: how many, their sum, and a random sample for percentiles, the same for the same rows."""

    seed: int
    _count: dict[int, int] = field(default_factory=dict)
    _sum: dict[int, float] = field(default_factory=dict)
    _sample: dict[int, tuple[Floats, Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def add(self, keys: Ints, values: Floats) -> None:
        """The next rows; what is no finite number is left out."""
        finite = np.isfinite(values)
        keys, values = keys[finite], values[finite]
        if not keys.size:
            return
        order = np.argsort(keys, kind="stable")
        key, value, rank = keys[order], values[order], self._random.random(keys.size)
        at = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        for start, end in zip(at, np.append(at[1:], key.size), strict=True):
            self._add_of_key(int(key[start]), value[start:end], rank[start:end])

    def _add_of_key(self, key: int, values: Floats, ranks: Floats) -> None:
        self._count[key] = self._count.get(key, 0) + values.size
        self._sum[key] = self._sum.get(key, 0.0) + float(values.sum())
        if key in self._sample:
            kept, of_kept = self._sample[key]
            values, ranks = np.concatenate([kept, values]), np.concatenate([of_kept, ranks])
        if values.size > SAMPLE:
            lowest = np.argpartition(ranks, SAMPLE)[:SAMPLE]
            values, ranks = values[lowest], ranks[lowest]
        self._sample[key] = values.copy(), ranks.copy()

    def numeric(self, key: int) -> int:
        return self._count.get(key, 0)

    def mean(self, key: int) -> float | None:
        return self._sum[key] / self._count[key] if key in self._count else None

    def percentiles(self, key: int, shares: tuple[float, ...]) -> list[float | None]:
        if key not in self._sample:
            return [None] * len(shares)
        return [float(value) for value in np.quantile(self._sample[key][0], shares)]
