"""Columns of text made from arrays of numbers without a loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.demo.generate.frames import DAY, LAST, Array, day

_FIRST_DAY = day(1900)
_LAST_DAY = LAST + 400
NO_DATE = _LAST_DAY + 1
"""The day that is written as 00000000."""


def fixed(*parts: str | Array) -> pa.Array:
    """One text a row, its parts side by side: literal text, or a matrix of characters as `digits` makes."""
    count = next(len(part) for part in parts if not isinstance(part, str))
    columns = []
    for part in parts:
        if isinstance(part, str):
            columns.append(np.broadcast_to(np.frombuffer(part.encode("ascii"), np.uint8), (count, len(part))))
        else:
            columns.append(part)
    data = np.concatenate(columns, axis=1)
    offsets = np.arange(count + 1, dtype=np.int32) * data.shape[1]
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data)))


def digits(numbers: Array, width: int) -> Array:
    """The last `width` decimal digits of each number, with leading zeros."""
    left = np.asarray(numbers, np.int64)
    made = np.empty((len(left), width), np.uint8)
    for place in range(width - 1, -1, -1):
        left, digit = np.divmod(left, 10)
        made[:, place] = digit + 48
    return made


def words(choices: Sequence[str], which: Array) -> pa.Array:
    """The word of each number; empty text and -1 are an empty cell."""
    listed = pa.array([choice or None for choice in choices] + [None], pa.string())
    return listed.take(pa.array(np.where(which < 0, len(choices), which)))


def numbers(found: Array) -> pa.Array:
    """Each number as short as it can be written; NaN is an empty cell."""
    return pc.cast(pa.array(found, from_pandas=True), pa.string())


def integers(found: Array) -> pa.Array:
    return pc.cast(pa.array(found), pa.string())


def iso_dates(days: Array) -> pa.Array:
    return _dates("-").take(pa.array(days - _FIRST_DAY))


def plain_dates(days: Array) -> pa.Array:
    return _dates("").take(pa.array(days - _FIRST_DAY))


def iso_moments(minutes: Array) -> pa.Array:
    days = minutes // DAY
    return fixed(_characters("-")[days - _FIRST_DAY], " ", _times(":")[minutes - days * DAY], ":00")


def plain_moments(minutes: Array) -> pa.Array:
    days = minutes // DAY
    return fixed(_characters("")[days - _FIRST_DAY], _times("")[minutes - days * DAY])


def plain_times(minutes: Array) -> pa.Array:
    return fixed(_times("")[minutes % DAY])


def where(condition: Array, yes: pa.Array | None, no: pa.Array | None) -> pa.Array:
    """`yes` where the condition holds, else `no`; None is an empty cell."""
    none = pa.scalar(None, pa.string())
    return pc.if_else(pa.array(condition), none if yes is None else yes, none if no is None else no)


@cache
def _texts(separator: str) -> list[str]:
    days = np.arange(_FIRST_DAY, _LAST_DAY + 1).astype("datetime64[D]").astype(str)
    return [str(text).replace("-", separator) for text in days]


@cache
def _dates(separator: str) -> pa.Array:
    return pa.array([*_texts(separator), "00000000"])


@cache
def _characters(separator: str) -> Array:
    listed = _texts(separator)
    return np.frombuffer("".join(listed).encode("ascii"), np.uint8).reshape(len(listed), -1)


@cache
def _times(separator: str) -> Array:
    listed = [f"{minute // 60:02d}{separator}{minute % 60:02d}" for minute in range(DAY)]
    return np.frombuffer("".join(listed).encode("ascii"), np.uint8).reshape(DAY, -1)
