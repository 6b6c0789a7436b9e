"""Validity: who speaks for a code on which day, when several maps and a vocabulary do.

Days are proleptic ordinals (`date.toordinal`); `FIRST_DAY` and `LAST_DAY` stand for "always before" and "always after".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

Item = TypeVar("Item")

FIRST_DAY = 0
LAST_DAY = date.max.toordinal() + 1

# OMOP writes "since ever" and "until further notice" so; history before 1970 must not become unmapped by it.
_SINCE_EVER = date(1970, 1, 1).toordinal()
_UNTIL_FURTHER_NOTICE = date(2099, 12, 31).toordinal()


@dataclass(frozen=True, slots=True)
class Span(Generic[Item]):
    """One claim: `item` holds from `start` to `end`, both days included."""

    start: int
    end: int
    item: Item


@dataclass(frozen=True, slots=True)
class Segment(Generic[Item]):
    """One stretch of days with the claims that win on each of its days; no items where no one claims them."""

    start: int
    end: int
    items: tuple[Item, ...]

    @property
    def start_date(self) -> date | None:
        return date.fromordinal(self.start) if self.start > FIRST_DAY else None

    @property
    def end_date(self) -> date | None:
        return date.fromordinal(self.end) if self.end < LAST_DAY else None


def first_day(start: date | None) -> int:
    """The ordinal of a validity's start; unbounded where it is empty or OMOP's 1970-01-01 or before."""
    return FIRST_DAY if start is None or start.toordinal() <= _SINCE_EVER else start.toordinal()


def last_day(end: date | None) -> int:
    """The ordinal of a validity's end; unbounded where it is empty or OMOP's 2099-12-31 or after."""
    return LAST_DAY if end is None or end.toordinal() >= _UNTIL_FURTHER_NOTICE else end.toordinal()


def by_precedence(layers: Sequence[Sequence[Span[Item]]], cuts: Iterable[int] = ()) -> list[Segment[Item]]:
    """All days once, in order: each segment has the claims of the first layer that claims its days.

    Neighbours with the same claims are one segment, except where `cuts` says that a new one starts.
    """
    firm = set(cuts)
    starts = {FIRST_DAY} | firm
    for layer in layers:
        for span in layer:
            starts |= {span.start, span.end + 1}
    bounds = sorted(day for day in starts if FIRST_DAY <= day <= LAST_DAY)
    segments: list[Segment[Item]] = []
    for start, after in zip(bounds, [*bounds[1:], LAST_DAY + 1], strict=True):
        items = _winners(layers, start)
        if segments and segments[-1].items == items and start not in firm:
            segments[-1] = Segment(segments[-1].start, after - 1, items)
        else:
            segments.append(Segment(start, after - 1, items))
    return segments


def _winners(layers: Sequence[Sequence[Span[Item]]], day: int) -> tuple[Item, ...]:
    for layer in layers:
        items = tuple(span.item for span in layer if span.start <= day <= span.end)
        if items:
            return items
    return ()
