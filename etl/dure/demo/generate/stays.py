"""Visits as a ward system keeps them: an emergency and the admission it ends in are two rows."""

from __future__ import annotations

import numpy as np

from dure.demo.generate.dirt import kinds
from dure.demo.generate.frames import DAY, LAST, Array, Frame, rows, take
from dure.demo.generate.plans import ADMITTED, INPATIENT, OUTPATIENT
from dure.demo.generate.record import Recorded


def visit_rows(recorded: Recorded) -> Frame:
    """One row a row of the visit file, with the swapped ones.

    Columns: person, seq, ward (0 or 1), class, plan, start, end, closed (the end is known), still (the stay goes on),
    died, dirt. The start and end of a swapped visit are as they will be written, the wrong way round.
    """
    visits, swapped = recorded.visits, recorded.swapped
    admitted = visits["class"] == ADMITTED
    ward = take(visits, admitted)
    first, second, wrong = _part(visits, 0), _part(ward, 1), _part(swapped, 0)
    first["end"] = np.where(admitted, visits["out"], visits["end"])
    first["died"] = visits["died"] & ~admitted
    second["start"] = ward["into"]
    second["class"] = np.full(rows(ward), INPATIENT)
    wrong["class"] = np.full(rows(swapped), INPATIENT)
    wrong["start"], wrong["end"] = swapped["end"], swapped["start"]
    wrong["died"] = np.zeros(rows(swapped), bool)
    wrong["dirt"] = np.full(rows(swapped), kinds()["swapped_dates"].number)
    found = {name: np.concatenate([first[name], second[name], wrong[name]]) for name in first}
    found = take(found, np.lexsort((found["ward"], found["seq"], found["person"])))
    stays = found["class"] != OUTPATIENT
    over = found["end"] >= (LAST + 1) * DAY
    return found | {"closed": stays & ~over, "still": stays & over}


def _part(visits: Frame, ward: int) -> Frame:
    count = rows(visits)
    kept = {name: visits[name] for name in ("person", "seq", "class", "plan", "start", "end", "died")}
    return kept | {"ward": np.full(count, ward), "dirt": np.zeros(count, np.int64)}


def ward_rows(recorded: Recorded) -> tuple[Frame, Array]:
    """One row a stay on a ward: visit, ward, nth, into, out; and which are over. A long stay ends on a second ward."""
    visits = recorded.visits
    stays = np.flatnonzero(visits["stay"] > 0)
    admitted = visits["class"][stays] == ADMITTED
    begin, end = np.where(admitted, visits["into"][stays], visits["start"][stays]), visits["end"][stays]
    long = end - begin > 7 * DAY
    change = np.where(long, begin + (end - begin) * 2 // 3, end)
    both = np.r_[np.arange(len(stays)), np.flatnonzero(long)]
    nth = np.r_[np.zeros(len(stays), np.int64), np.ones(int(long.sum()), np.int64)]
    order = np.lexsort((nth, both))
    which, nth = both[order], nth[order]
    found = {
        "visit": stays[which],
        "ward": admitted[which].astype(np.int64),
        "nth": nth,
        "into": np.where(nth == 1, change[which], begin[which]),
        "out": np.where(nth == 1, end[which], change[which]),
    }
    found = take(found, found["into"] < (LAST + 1) * DAY)
    return found, found["out"] < (LAST + 1) * DAY
