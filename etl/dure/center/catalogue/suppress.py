"""Which counts of one concept are hidden, so that none of the small ones can be computed from what is shown.

The counts are a table of places by years. A count of fewer persons than the threshold is hidden. Where it can be, it is
made a corner of a rectangle of hidden counts whose two neighbours in it are larger than the threshold. Adding a threshold
to the small count and its opposite corner, and taking it from the two neighbours, leaves every total of a place, of a
year and of the whole as it is: so whoever knows all totals exactly still cannot tell the small count from one of a
threshold more, nor any corner within less than a threshold.

A count without such a rectangle is open. The total of its place is that of the shown counts alone, and says nothing of
it. So is the total of its year, unless the open counts of that year hide behind each other: where each could be larger by
a threshold at the cost of the others, or is large and could be smaller by one, the total of the year is that of all. Rounding only widens all of it.
Another count of the same line is hidden where an open one would be hidden alone, against totals known from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Hidden:
    """The counts that are not shown, and the places and years whose total must be that of the shown counts alone."""

    cells: Mask
    places: Mask
    years: Mask


def smallest_shown(threshold: int, step: int) -> int:
    """The fewest persons that are shown: never so few that they would be rounded to none."""
    return max(threshold, (step + 1) // 2, 1)


def rounded(counts: Counts, step: int) -> Counts:
    """To the nearest multiple, halves up."""
    return (counts + step // 2) // step * step


def hide(persons: Counts, smallest: int) -> Hidden:
    """What to hide of the persons by place and year; a zero is no secret and stays."""
    hidden = (persons > 0) & (persons < smallest)
    safe = np.zeros_like(hidden)
    large = persons > smallest
    possible = hidden & _any(large, 1)[:, None] & _any(large, 0)[None, :]
    for place, year in np.argwhere(possible).tolist():
        if safe[place, year]:
            continue
        corner = _rectangle(persons, hidden, place, year, smallest)
        if corner is None:
            continue
        other, then = corner
        for cell in ((place, year), (place, then), (other, year), (other, then)):
            hidden[cell] = safe[cell] = True
    for cells, counts in ((hidden, persons), (hidden.T, persons.T)):  # views: what one hides the other sees
        alone = _any(cells & ~(safe if cells is hidden else safe.T), 1) & (cells.sum(axis=1) == 1)
        for line in np.flatnonzero(alone):
            _pair(counts[line], cells[line])
    return _lines(persons, hidden, safe, smallest)


def _lines(persons: Counts, hidden: Mask, safe: Mask, smallest: int) -> Hidden:
    """Which totals would tell of open counts."""
    alone = hidden & ~safe
    places = _any(alone, 1)
    # Those that may grow at each other's cost: no total of their places is told.
    movable = hidden & places[:, None]
    others = np.where(movable, persons - 1, 0).sum(axis=0) - np.where(alone, persons - 1, 0)
    grows = others >= smallest
    shrinks = (persons > smallest) & (movable.sum(axis=0) > 1)
    return Hidden(hidden, places, _any(alone & ~grows & ~shrinks, 0))


def _any(cells: Mask, axis: int) -> Mask:
    return np.asarray(cells.any(axis=axis))


def _rectangle(persons: Counts, hidden: Mask, place: int, year: int, smallest: int) -> tuple[int, int] | None:
    """The opposite corner of the rectangle that hides the fewest persons more."""
    places = np.flatnonzero(persons[:, year] > smallest)
    years = np.flatnonzero(persons[place] > smallest)
    if not len(places) or not len(years):
        return None
    costs = np.where(hidden, 0, persons)
    opposite = persons[np.ix_(places, years)]
    cost = costs[np.ix_(places, years)] + costs[places, year][:, None] + costs[place, years][None, :]
    cost = np.where(opposite > 0, cost, np.iinfo(np.int64).max)
    best = int(np.argmin(cost))
    row, column = divmod(best, len(years))
    return (int(places[row]), int(years[column])) if opposite[row, column] > 0 else None


def _pair(persons: Counts, hidden: Mask) -> None:
    """Hides the smallest other count of a line in which one is hidden alone."""
    others = np.flatnonzero((persons > 0) & ~hidden)
    if len(others):
        hidden[others[np.argmin(persons[others])]] = True
