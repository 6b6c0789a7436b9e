"""Tables of arrays of one length, and the few operations on them that histories are made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Frame: TypeAlias = dict[str, Array]

DAY = 1440
"""Minutes; moments are minutes since 1970, days are days since 1970."""
NEVER = 1 << 28


def day(year: int, month: int = 1, day_of_month: int = 1) -> int:
    """The number of a calendar day."""
    return (date(year, month, day_of_month) - date(1970, 1, 1)).days


FIRST, LAST = day(2016), day(2023, 12, 31)
"""The days that the extracts cover; LAST is their as-of date."""


def rows(frame: Frame) -> int:
    return len(next(iter(frame.values())))


def take(frame: Frame, which: Array) -> Frame:
    """The rows that a mask or positions name."""
    return {name: column[which] for name, column in frame.items()}


def joined(frames: Sequence[Frame]) -> Frame:
    """One frame under another; all have the columns of the first."""
    return {name: np.concatenate([frame[name] for frame in frames]) for name in frames[0]}


def expand(counts: Array) -> tuple[Array, Array]:
    """For each of `counts` repeats: whose it is, and the how-manieth."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def running(sorted_groups: Array) -> Array:
    """The how-manieth row of its group each row is, from 0; rows of a group stand together."""
    count = len(sorted_groups)
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]]) if count else np.zeros(0, np.int64)
    return np.arange(count) - np.repeat(starts, np.diff(np.r_[starts, count]))


def years(days: Array) -> Array:
    """The calendar year of each day."""
    found: Array = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return found
