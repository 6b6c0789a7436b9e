"""The visits that take place: one person is in one place at a time, nobody comes after death, stays end or stay open."""

from __future__ import annotations

import numpy as np

from dure.demo.generate.frames import DAY, FIRST, LAST, NEVER, Array, Frame, rows, take
from dure.demo.generate.plans import ADMITTED, EMERGENCY, INPATIENT, OUTPATIENT, plans
from dure.demo.generate.seeds import stream

_APART = 3
"""Days between the end of a stay and the next visit, so that no two stays of a person could be taken for one."""
_SECOND = 0.35
"""The share of visits that go to the second hospital of those who have one."""


def visits(seed: int, block: int, persons: Frame, planned: Frame) -> tuple[Frame, Array]:
    """One row a visit, by person and start; and the day each person dies, NEVER if not in the time covered.

    Columns: person, plan, nth, class, start and end (minutes), out (an admission's end of the emergency), into (its
    start on the ward), stay (days), hospital, died (the stay ends in death), open (still there on the last day), seq.
    """
    rng = stream(seed, block, "visits")
    made = _timed(planned, rng)
    made = take(made, (made["day"] >= np.maximum(persons["birth"][made["person"]], FIRST)) & (made["day"] < LAST - 1))
    made = take(made, np.lexsort((made["start"], made["person"])))
    made = take(made, _apart(made))
    death = _deaths(persons, made)
    made = take(made, made["day"] <= death[made["person"]])
    _cut_by_death(made, death)
    made["open"] = made["end"] >= (LAST + 1) * DAY
    made["seq"] = np.arange(rows(made)) - np.searchsorted(made["person"], made["person"])
    return made, death


def _timed(planned: Frame, rng: np.random.Generator) -> Frame:
    count = rows(planned)
    kind, when = planned["class"], planned["day"]
    stays = np.array([plan.stay or 2 for plan in plans()])[planned["plan"]]
    fatal = np.array([plan.fatality for plan in plans()])[planned["plan"]]
    by_day = 510 + 10 * rng.integers(0, 54, count)
    start = when * DAY + np.where(
        kind == OUTPATIENT, by_day, np.where(kind == INPATIENT, by_day, rng.integers(0, DAY, count))
    )
    out = start + rng.integers(120, 480, count)
    into = out + rng.integers(0, 360, count)
    stay = 1 + rng.poisson(np.maximum(stays - 1, 0))
    leaves = np.where(kind == ADMITTED, into, start) // DAY * DAY + stay * DAY + 600 + 10 * rng.integers(0, 12, count)
    hospital_draw, dies = rng.random(count), rng.random(count)
    end = np.choose(np.array([0, 2, 1, 2])[kind], [start, out, leaves])
    return planned | {
        "start": start,
        "end": end,
        "out": out,
        "into": into,
        "stay": np.where((kind == INPATIENT) | (kind == ADMITTED), stay, 0),
        "died": (dies < fatal) & (kind != OUTPATIENT),
        "other": hospital_draw < _SECOND,
    }


def _apart(made: Frame) -> Array:
    """Which visits do not fall into a stay of their person, or into the days after it; the earlier one stays."""
    stays = made["class"] != OUTPATIENT
    # A person's number in the high bits makes the running maximum start anew with each person.
    base = made["person"].astype(np.int64) << 40
    ends = base + np.where(stays, made["end"] + _APART * DAY, 0)
    before = np.r_[0, np.maximum.accumulate(ends)[:-1]]
    kept: Array = base + made["start"] > before
    return kept


def _deaths(persons: Frame, made: Frame) -> Array:
    death: Array = persons["death"].copy()
    fatal = made["died"]
    np.minimum.at(death, made["person"][fatal], made["end"][fatal] // DAY)
    return np.where(death > LAST, NEVER, death)


def _cut_by_death(made: Frame, death: Array) -> None:
    """Ends on the day of death what would have gone on; an admission cut before the ward stays an emergency."""
    day = death[made["person"]]
    latest = np.where(day == NEVER, np.int64(NEVER) * DAY, (day + 1) * DAY - 10)
    over = made["end"] > latest
    made["end"] = np.minimum(made["end"], latest)
    made["died"] = (made["end"] // DAY == day) & (made["class"] != OUTPATIENT)
    never_in = over & (made["class"] == ADMITTED) & (made["into"] >= latest)
    made["class"] = np.where(never_in, EMERGENCY, made["class"])
    made["out"] = np.minimum(made["out"], made["end"])
    made["stay"] = np.where(made["stay"] > 0, np.maximum(made["end"] // DAY - made["start"] // DAY, 0), 0) * ~never_in


def choose_hospital(persons: Frame, made: Frame) -> Array:
    """The hospital of each visit: home, or for some the second one."""
    who = made["person"]
    second = persons["second"][who]
    return np.where((second >= 0) & made["other"], second, persons["home"][who])
