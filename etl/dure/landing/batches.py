"""What every reader hands on: rows of text with their record numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

RowNumbers: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int64]]"


@dataclass(frozen=True)
class TextBatch:
    """Rows of one file: a text column a name, and the number of each row's record in the file."""

    columns: dict[str, pa.Array]
    rows: RowNumbers
    # whether the reader has already turned untrimmed null values into NULL
    nulls_done: bool


class NeedsCare(Exception):
    """The quick reading met something that only the careful one can take apart."""


class RecordNumbers:
    """The numbers of the records that come through, given those that do not.

    The parser counts the records that it is given: `invalid` are its refusals in that count, `removed` the numbers in the
    file of records that it never saw. Both grow while the file is read, never behind what was taken already.
    """

    def __init__(self, first: int, removed: list[int]) -> None:
        self._before = first - 1
        self._removed = removed
        self.invalid: list[int] = []
        self._taken = 0
        self._next_invalid = 0

    @property
    def seen(self) -> int:
        """How many records the parser has passed so far."""
        return self._taken

    def take(self, count: int) -> RowNumbers:
        """The record numbers of the next `count` rows."""
        skipped = self._next_invalid
        end = self._taken + count
        while skipped < len(self.invalid) and self.invalid[skipped] <= end:
            skipped += 1
            end += 1
        seen = np.arange(self._taken + 1, end + 1, dtype=np.int64)
        if skipped > self._next_invalid:
            seen = seen[~np.isin(seen, np.array(self.invalid[self._next_invalid : skipped], np.int64))]
        self._taken, self._next_invalid = end, skipped
        return self.in_file(seen)

    def in_file(self, seen: RowNumbers) -> RowNumbers:
        """Record numbers in the file of records counted by the parser."""
        if not self._removed:
            return seen + self._before
        removed = np.array(self._removed, np.int64) - self._before
        # the k-th removed record had removed[k] - 1 - k parsed ones before it
        return seen + self._before + np.searchsorted(removed - np.arange(len(removed)), seen, side="right")
