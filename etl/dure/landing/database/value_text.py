"""Values of a driver as text, the same that PostgreSQL's COPY writes, so that formats and maps serve files and databases.

text as it is · whole numbers `-12` · decimals with their digits `1.50` · other numbers in plain notation, the shortest that
reads back the same, whole ones without a point (`0.1`, `3`) · `t`, `f` · dates `2024-02-29` · timestamps
`2024-02-29 23:59:00`, a fraction only where there is one (`.5`), in UTC with `+00` where they carry a zone · times
`23:59:00` · lengths of time `26:03:04` · UUIDs in small letters. Bytes and whatever else has no such text are refused.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dure.landing.parquet_text import without_exponent


class NoTextError(Exception):
    """A value has no text; `kind` is the name of its type, and nothing of the value is kept."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def texts(values: Sequence[Any]) -> pa.Array:
    """One text a value, NULL for None; raises NoTextError."""
    kinds = set(map(type, values)) - {type(None)}
    try:
        if len(kinds) == 1 and (quick := _QUICK.get(next(iter(kinds)))):
            with suppress(OverflowError, pa.ArrowInvalid):  # beyond what Arrow holds: one by one
                return quick(values)
        text = {kind: _rule(kind) for kind in kinds}
        return pa.array([None if value is None else text[type(value)](value) for value in values], pa.string())
    except UnicodeError:
        raise NoTextError("text with half a character in it") from None


def _rule(kind: type) -> Callable[[Any], str]:
    """How values of a type, or else of the nearest type that it is a kind of, become text."""
    for base in kind.__mro__:
        if base in _BY_TYPE:
            return _BY_TYPE[base]
    raise NoTextError(kind.__name__)


def numbers(values: pa.Array) -> pa.Array:
    """The shortest text of each floating number that reads back as the same, never with an exponent."""
    text = pc.replace_substring_regex(values.cast(pa.string()), r"\.0$", "")
    text = pc.replace_substring(text, "inf", "Infinity")
    return without_exponent(pc.replace_substring(text, "nan", "NaN"))


def _quick_moments(values: Sequence[Any]) -> pa.Array:
    if any(value.tzinfo is not None or value.microsecond for value in values if value is not None):
        return pa.array([None if value is None else _moment(value) for value in values], pa.string())
    return pa.array(values, pa.timestamp("us")).cast(pa.timestamp("s")).cast(pa.string())


def _float(value: float) -> str:
    return str(numbers(pa.array([value], pa.float64()))[0])


def _moment(value: dt.datetime) -> str:
    zone = ""
    if value.tzinfo is not None:
        value, zone = value.astimezone(dt.UTC).replace(tzinfo=None), "+00"
    return _without_zeros(value.isoformat(" ")) + zone


def _time(value: dt.time) -> str:
    if value.tzinfo is not None:
        raise NoTextError("time with a zone")
    return _without_zeros(value.isoformat())


def _length(value: dt.timedelta) -> str:
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return _without_zeros(f"{sign}{value.days * 24 + minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}")


def _without_zeros(text: str) -> str:
    return text.rstrip("0") if "." in text else text


_BY_TYPE: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: lambda value: "t" if value else "f",
    int: str,
    float: _float,
    Decimal: lambda value: format(value, "f"),
    dt.datetime: _moment,
    dt.date: dt.date.isoformat,
    dt.time: _time,
    dt.timedelta: _length,
    uuid.UUID: str,
}
_QUICK: dict[type, Callable[[Sequence[Any]], pa.Array]] = {
    str: lambda values: pa.array(values, pa.string()),
    int: lambda values: pa.array(values, pa.int64()).cast(pa.string()),
    float: lambda values: numbers(pa.array(values, pa.float64())),
    dt.datetime: _quick_moments,
    dt.date: lambda values: pa.array(values, pa.date32()).cast(pa.string()),
    bool: lambda values: pc.if_else(pa.array(values, pa.bool_()), "t", "f"),
}
