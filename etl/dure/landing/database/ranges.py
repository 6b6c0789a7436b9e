"""Ranges of a column into which a query is cut, each read by itself: whole numbers, days or moments from least to greatest."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

from dure.landing.database.dialects import Dialect
from dure.landing.database.session import Bounds

ROWS_A_RANGE = 1_000_000
MOST_RANGES = 1_000


class NoRangesError(Exception):
    """The column holds neither numbers nor days; `kind` is the name of its type."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def conditions(bounds: Bounds, column: str, dialect: Dialect, wanted: int | None) -> tuple[str, ...]:
    """The WHERE of each range, together every row once: the first is open below, the last above, and NULL comes after.

    They hold for any rows, those that come later too. One range without a condition where there is nothing to cut.
    `wanted` is how many to make, about; by default one for each million rows.
    """
    number = min(wanted or -(-bounds.rows // ROWS_A_RANGE), MOST_RANGES)
    if number < 2 or bounds.low is None:
        return ("",)
    cuts = list(dict.fromkeys(_cuts(bounds.low, bounds.high, number, dialect)))
    if not cuts:
        return ("",)
    return (
        f" WHERE {column} < {cuts[0]}",
        *(f" WHERE {column} >= {low} AND {column} < {high}" for low, high in pairwise(cuts)),
        f" WHERE {column} >= {cuts[-1]}",
        f" WHERE {column} IS NULL",
    )


def _cuts(low: Any, high: Any, number: int, dialect: Dialect) -> list[str]:
    """The values at which ranges meet, as SQL writes them."""
    low, high = _parsed(low), _parsed(high)
    if isinstance(low, bool) or type(low) is not type(high):
        raise NoRangesError(type(low).__name__)
    if isinstance(low, int | Decimal | float):
        return _between(math.floor(low), math.ceil(high), number, str)
    if isinstance(low, dt.datetime):
        zone = "+00" if low.tzinfo is not None else ""
        # Seconds from there keep the order of moments; the zone, if any, is UTC's by then.
        start = dt.datetime(1, 1, 1, tzinfo=dt.UTC if zone else None)

        def moment(seconds: int) -> str:
            shown = (start + dt.timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(" ", "seconds")
            return dialect.moment.format(shown) if not zone else f"TIMESTAMPTZ '{shown}{zone}'"

        second = dt.timedelta(seconds=1)
        return _between((low - start) // second, (high - start) // second, number, moment)
    if isinstance(low, dt.date):
        return _between(
            low.toordinal(), high.toordinal(), number, lambda day: dialect.day.format(dt.date.fromordinal(day))
        )
    raise NoRangesError(type(low).__name__)


def _between(low: int, high: int, number: int, shown: Callable[[int], str]) -> list[str]:
    """Cuts at multiples of a power of two: a value more at the end leaves the ranges before it what they were."""
    step = 1 << max(0, (-(-(high - low) // number) - 1).bit_length())
    return [shown(cut * step) for cut in range(low // step + 1, high // step + 1)]


def _parsed(value: Any) -> Any:
    """SQLite keeps days and moments as text."""
    if not isinstance(value, str):
        return value
    try:
        return dt.date.fromisoformat(value) if len(value) == 10 else dt.datetime.fromisoformat(value)
    except ValueError:
        raise NoRangesError("text") from None
