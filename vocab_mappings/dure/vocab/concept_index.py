"""Concept ids as row numbers: what lets 60 million relationships be followed with arrays instead of joins."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Ints: TypeAlias = np.ndarray[Any, np.dtype[np.int32]]
Longs: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

# OHDSI's ids are below 50 million, so in a full vocabulary a plain table finds them; the ids of a small vocabulary and
# local concepts (2 billion and up) are searched for.
_DENSE = 1 << 26
_SPREAD = 64


class ConceptIndex:
    """The row number of each concept id among all ids in ascending order; raises ValueError where ids repeat."""

    def __init__(self, ids: Ints) -> None:
        if (np.diff(ids.astype(np.int64)) <= 0).any():
            raise ValueError("the ids of a concept index must ascend without repeats")
        self.ids = ids
        low, high = (int(edge) for edge in np.searchsorted(ids, [0, _DENSE]))
        if high == low or ids[high - 1] > _SPREAD * (high - low):
            high = low
        self._table = np.full(int(ids[high - 1]) + 1 if high > low else 0, -1, np.int32)
        self._table[ids[low:high]] = np.arange(low, high, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, ids: Ints) -> Ints:
        """Row numbers of `ids`, -1 where there is no such concept."""
        near = (ids >= 0) & (ids < len(self._table))
        if near.all():
            return self._table[ids]
        result = np.full(len(ids), -1, np.int32)
        result[near] = self._table[ids[near]]
        if len(self.ids):
            far = ids[~near]
            at = np.minimum(np.searchsorted(self.ids, far), len(self.ids) - 1)
            result[~near] = np.where(self.ids[at] == far, at, -1).astype(np.int32)
        return result

    def known(self, ids: Ints) -> Flags:
        return self.positions(ids) >= 0
