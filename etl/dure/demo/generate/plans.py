"""Which disease each person of a block has and from when, and the visits that it brings, before death and chance cut in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from dure.demo.generate.catalogue import facts, read
from dure.demo.generate.frames import FIRST, LAST, NEVER, Array, Frame, day, expand, joined, rows
from dure.demo.generate.seeds import stream

OUTPATIENT, INPATIENT, EMERGENCY, ADMITTED = range(4)
"""The kinds of a visit; ADMITTED is an emergency that ends in admission."""
_STARTS = (day(2008), day(2023, 7))
_LEAVES = 0.2
_PREGNANCY_VISITS = 9


@dataclass(frozen=True)
class Plan:
    """How one disease runs: who has it, how often they come, where, and how it ends."""

    number: int
    name: str
    fact: int
    course: str
    department: str
    sex: str
    ages: tuple[int, int]
    among: str
    rate: float
    age_slope: float
    follow_up: int
    mix: tuple[float, ...]
    stay: int
    fatality: float
    window: tuple[int, int]


@cache
def plans() -> tuple[Plan, ...]:
    number = facts().number
    return tuple(
        Plan(
            number=place,
            name=row["plan"],
            fact=number[row["fact"]] if row["fact"] else -1,
            course=row["course"],
            department=row["department"],
            sex=row["sex"],
            ages=(int(row["min_age"]), int(row["max_age"])),
            among=row["among"],
            rate=float(row["rate"]),
            age_slope=float(row["age_slope"]),
            follow_up=int(row["follow_up"]),
            mix=tuple(float(row[kind]) for kind in ("outpatient", "inpatient", "emergency", "admitted")),
            stay=int(row["stay"]),
            fatality=float(row["fatality"]),
            window=(_day(row["first_day"]), _day(row["last_day"])),
        )
        for place, row in enumerate(read("plans"))
    )


def _day(text: str) -> int:
    return day(*(int(part) for part in text.split("-")))


def onsets(seed: int, block: int, persons: Frame) -> Array:
    """A row a plan, a column a person: the day from which the person has a lasting disease, NEVER if not."""
    found = np.full((len(plans()), rows(persons)), NEVER, np.int64)
    for plan in plans():
        if plan.course != "acute":
            found[plan.number] = _onset(plan, persons, stream(seed, block, f"onset {plan.name}"))
    return found


def planned_visits(seed: int, block: int, persons: Frame, since: Array) -> Frame:
    """One row a visit that the plans bring: person, plan, day, class, nth (of its plan and person)."""
    made = []
    for plan in plans():
        rng = stream(seed, block, f"visits {plan.name}")
        if plan.course == "chronic":
            made.append(_follow_up(plan, persons, since[plan.number], rng))
        elif plan.course == "pregnancy":
            made.append(_pregnancy(plan, since[plan.number], rng))
        else:
            made.append(_attacks(plan, persons, since, rng))
    return joined(made)


def _susceptible(plan: Plan, persons: Frame) -> Array:
    """The plan's rate for each person: 0 outside its sex and ages (in 2020)."""
    age = (day(2020) - persons["birth"]) / 365.25
    rate: Array = plan.rate * np.exp(plan.age_slope * (age - 60) / 10)
    if plan.sex:
        rate = rate * (persons["female"] == (plan.sex == "F"))
    return rate * (age + 3 >= plan.ages[0]) * (age <= plan.ages[1])


def _onset(plan: Plan, persons: Frame, rng: np.random.Generator) -> Array:
    count = rows(persons)
    has = rng.random(count) < np.minimum(_susceptible(plan, persons), 0.9)
    start = rng.integers(*_STARTS, count)
    if plan.course == "pregnancy":
        start = rng.integers(FIRST, LAST - 300, count)
    start = np.maximum(start, persons["birth"] + plan.ages[0] * 366)
    has &= (start - persons["birth"] < plan.ages[1] * 365) & (start <= LAST)
    return np.where(has, start, NEVER)


def _follow_up(plan: Plan, persons: Frame, since: Array, rng: np.random.Generator) -> Frame:
    who = np.flatnonzero(since < NEVER)
    start = np.maximum(since[who], FIRST + rng.integers(0, plan.follow_up, len(who)))
    leaves = np.where(rng.random(len(who)) < _LEAVES, rng.integers(FIRST + 200, LAST, len(who)), LAST)
    counts = np.maximum((np.minimum(leaves, persons["death"][who]) - start) // plan.follow_up + 1, 0)
    owner, nth = expand(counts)
    wobble = max(plan.follow_up // 12, 1)
    when = start[owner] + nth * plan.follow_up + rng.integers(-wobble, wobble + 1, len(owner)) * (nth > 0)
    return _frame(plan, who[owner], when, nth, _classes(plan, len(owner), rng))


def _pregnancy(plan: Plan, since: Array, rng: np.random.Generator) -> Frame:
    who = np.flatnonzero(since < NEVER)
    owner, nth = expand(np.full(len(who), _PREGNANCY_VISITS + 1))
    when = since[who][owner] + nth * plan.follow_up + rng.integers(-3, 4, len(owner))
    born = nth == _PREGNANCY_VISITS
    classes = np.where(born, np.where(rng.random(len(owner)) < 0.4, ADMITTED, INPATIENT), OUTPATIENT)
    return _frame(plan, who[owner], when, nth, classes)


def _attacks(plan: Plan, persons: Frame, since: Array, rng: np.random.Generator) -> Frame:
    first, last = plan.window
    rate = np.minimum(_susceptible(plan, persons), 3.0)
    begin = np.maximum(persons["birth"] + 30, first)
    if plan.among:
        before = since[next(other.number for other in plans() if other.name == plan.among)]
        begin = np.maximum(begin, before)
    span = np.maximum(np.minimum(persons["death"], last) - begin, 0)
    owner, nth = expand(rng.poisson(rate * span / 365.25))
    when = begin[owner] + (rng.random(len(owner)) * span[owner]).astype(np.int64)
    return _frame(plan, owner, when, nth, _classes(plan, len(owner), rng))


def _classes(plan: Plan, count: int, rng: np.random.Generator) -> Array:
    return np.searchsorted(np.cumsum(plan.mix)[:-1], rng.random(count), side="right")


def _frame(plan: Plan, person: Array, when: Array, nth: Array, classes: Array) -> Frame:
    return {
        "person": person,
        "plan": np.full(len(person), plan.number),
        "day": when,
        "class": classes,
        "nth": nth,
    }
