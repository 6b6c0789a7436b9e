"""What happens at the visits: diagnoses, orders, tests, procedures, each a row with its fact and moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from dure.demo.generate.catalogue import facts, read
from dure.demo.generate.frames import DAY, LAST, NEVER, Array, Frame, expand, joined, rows, take
from dure.demo.generate.plans import OUTPATIENT, Plan, plans
from dure.demo.generate.seeds import stream

MAIN, SUB, RULED_OUT = range(3)
_COMORBID = 0.12
_TAKES_IT = 0.95
_GROUPS = {"condition": "diagnoses", "drug": "orders", "lab": "labs", "procedure": "procedures", "device": "procedures"}


@dataclass(frozen=True)
class Item:
    """One thing that a plan's visits may bring."""

    plan: str
    fact: int
    visits: str
    probability: float
    by_person: bool
    every_days: int
    days: int
    draw: str
    sex: str


@cache
def items() -> dict[str, list[Item]]:
    number = facts().number
    found: dict[str, list[Item]] = {}
    for row in read("items"):
        found.setdefault(row["plan"], []).append(
            Item(
                row["plan"],
                number[row["fact"]],
                row["visits"],
                float(row["probability"]),
                row["by"] == "person",
                int(row["every_days"]),
                int(row["days"] or 0),
                row["draw"] or row["fact"],
                row["sex"],
            )
        )
    return found


def care(seed: int, block: int, persons: Frame, visits: Frame, since: Array) -> dict[str, Frame]:
    """`diagnoses`, `orders`, `labs`, `procedures`: one row a fact; columns visit, fact, minute and the group's own."""
    made: dict[str, list[Frame]] = {group: [] for group in ("diagnoses", "orders", "labs", "procedures")}
    order = np.argsort(visits["plan"], kind="stable")
    bounds = np.searchsorted(visits["plan"][order], np.arange(len(plans()) + 1))
    for plan in plans():
        of_plan = order[bounds[plan.number] : bounds[plan.number + 1]]
        if plan.fact >= 0:
            made["diagnoses"].append(
                _rows(plan.fact, visits, of_plan, visits["start"][of_plan]) | _zeros(of_plan, MAIN)
            )
        for item in items().get(plan.name, []):
            rng = stream(seed, block, f"item {plan.name} {item.draw}")
            group = _GROUPS[facts().kind[item.fact]]
            made[group].append(_item_rows(item, plan, persons, visits, of_plan, rng))
    made["diagnoses"].append(_comorbidities(visits, since, stream(seed, block, "comorbidities")))
    return {group: _in_order(joined(frames), visits) for group, frames in made.items()}


def _item_rows(
    item: Item, plan: Plan, persons: Frame, visits: Frame, of_plan: Array, rng: np.random.Generator
) -> Frame:
    draw = rng.random(len(of_plan))
    if item.by_person:
        takes = rng.random(rows(persons)) < item.probability
        chosen = takes[visits["person"][of_plan]] & (draw < _TAKES_IT)
    else:
        chosen = draw < item.probability
    if item.sex:
        chosen &= persons["female"][visits["person"][of_plan]] == (item.sex == "F")
    kind, nth = visits["class"][of_plan], visits["nth"][of_plan]
    where = {
        "any": np.True_,
        "first": nth == 0,
        "outpatient": kind == OUTPATIENT,
        "acute": kind != OUTPATIENT,
        "stay": visits["stay"][of_plan] > 0,
    }
    which = of_plan[chosen & where[item.visits]]
    late = rng.integers(15, 90, len(which)) * (visits["class"][which] != OUTPATIENT)
    if not item.every_days:
        made = _rows(item.fact, visits, which, visits["start"][which] + late)
        draws = np.zeros(len(which), np.int64)
    else:
        owner, draws = expand(1 + visits["stay"][which] // item.every_days)
        at_six = (
            (visits["start"][which][owner] // DAY + draws * item.every_days) * DAY
            + 360
            + rng.integers(0, 30, len(owner))
        )
        minute = np.where(draws == 0, (visits["start"][which] + late)[owner], at_six)
        made = _rows(item.fact, visits, which[owner], minute)
    inside = (made["minute"] <= visits["end"][made["visit"]] + 1) & (made["minute"] < (LAST + 1) * DAY)
    kind_of = facts().kind[item.fact]
    if kind_of == "condition":
        made |= _zeros(made["visit"], SUB)
    elif kind_of == "drug":
        made["days"] = np.full(len(draws), item.days)
    elif kind_of == "lab":
        made["draw"] = draws
    return take(made, inside)


def _rows(fact: int, visits: Frame, which: Array, minute: Array) -> Frame:
    return {
        "person": visits["person"][which],
        "visit": which,
        "fact": np.full(len(which), fact),
        "minute": minute,
        "dirt": np.zeros(len(which), np.int8),
    }


def _zeros(like: Array, rank: int) -> Frame:
    return {"rank": np.full(len(like), rank, np.int8)}


def _comorbidities(visits: Frame, since: Array, rng: np.random.Generator) -> Frame:
    """Further lasting diseases of the person, named at outpatient visits for another."""
    out = np.flatnonzero((visits["class"] == OUTPATIENT) & (rng.random(rows(visits)) < 0.5))
    when, who, why = visits["start"][out] // DAY, visits["person"][out], visits["plan"][out]
    made = []
    for plan in plans():
        if plan.course != "chronic":
            continue
        ill = np.flatnonzero(
            (since[plan.number][who] <= when) & (why != plan.number) & (since[plan.number][who] < NEVER)
        )
        which = out[ill[rng.random(len(ill)) < 2 * _COMORBID]]
        made.append(_rows(plan.fact, visits, which, visits["start"][which]) | _zeros(which, SUB))
    return joined(made)


def _in_order(frame: Frame, visits: Frame) -> Frame:
    """By visit (visits are ordered by person and start), then moment; within it as the plans are written."""
    minute = frame["minute"] - visits["start"][frame["visit"]]
    return take(frame, np.argsort((frame["visit"] << 24) + minute, kind="stable"))
