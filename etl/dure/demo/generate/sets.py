"""What is measured as a set: vital signs at visits, a day of the lifelog, a health check; and the notes."""

from __future__ import annotations

import numpy as np

from dure.demo.generate.catalogue import facts
from dure.demo.generate.frames import DAY, FIRST, LAST, NEVER, Array, Frame, expand, rows, take, years
from dure.demo.generate.plans import OUTPATIENT, plans
from dure.demo.generate.population import HOSPITALS
from dure.demo.generate.results import NO_ANSWER, Results
from dure.demo.generate.seeds import stream

VITALS = ("systolic", "diastolic", "pulse", "temperature", "respiration", "height", "weight", "bmi", "spo2")
LIFELOG = ("steps", "sleep", "resting_heart_rate")
CHECKS = [
    "height",
    "weight",
    "waist",
    "systolic",
    "diastolic",
    "glucose",
    "cholesterol",
    "triglyceride",
    "hdl",
    "ldl",
    "hemoglobin",
    "creatinine",
    "ast",
    "alt",
]
_BREATHERS = ("PUL", "CAR", "INF")
_DAYS_LOGGED = 45
_WEARS = 0.2
NOTE_KINDS = ("progress", "discharge", "emergency")


def vital_signs(seed: int, block: int, persons: Frame, visits: Frame, results: Results) -> Frame:
    """One row a set: person, visit, minute, a column a sign (NaN where not taken), `smoking` (an answer or none)."""
    rng = stream(seed, block, "vitals")
    count = rows(visits)
    out = visits["class"] == OUTPATIENT
    times = np.where(out, rng.random(count) < 0.4, 1 + np.minimum(visits["stay"] // 2, 4)).astype(np.int64)
    visit, nth = expand(times)
    kind_out = out[visit]
    later = (visits["start"][visit] // DAY + 2 * nth) * DAY + 540 + rng.integers(0, 60, len(visit))
    minute = np.where(nth == 0, visits["start"][visit] + np.where(kind_out, 0, 8), later)
    keep = (minute <= visits["end"][visit] + 1) & (minute < (LAST + 1) * DAY)
    visit, minute, kind_out, nth = visit[keep], minute[keep], kind_out[keep], nth[keep]
    person, day, plan = visits["person"][visit], minute // DAY, visits["plan"][visit]
    made: Frame = {"person": person, "visit": visit, "minute": minute}
    breathes = np.array([found.department in _BREATHERS for found in plans()])[plan]
    close = ~kind_out | breathes
    weighed = (nth == 0) & (rng.random(len(visit)) < np.where(kind_out, 0.35, 0.7))
    for name in ("systolic", "diastolic", "pulse", "temperature"):
        made[name] = results.measured(facts().number[name], person, day, plan, rng)[0]
    for name in ("respiration", "spo2"):
        found = results.measured(facts().number[name], person, day, plan, rng)[0]
        made[name] = np.where(close, np.minimum(found, 100) if name == "spo2" else found, np.nan)
    height = persons["height"][person]
    weight = np.round(persons["weight"][person] + rng.normal(0, 1.2, len(visit)), 1)
    made["height"] = np.where(weighed, height, np.nan)
    made["weight"] = np.where(weighed, weight, np.nan)
    made["bmi"] = np.where(weighed, np.round(weight / (height / 100) ** 2, 1), np.nan)
    asked = weighed & (rng.random(len(visit)) < 0.5) & (day - persons["birth"][person] > 19 * 366)
    made["smoking"] = np.where(asked, results.answer("smoking", person, day, plan, rng), NO_ANSWER)
    return made


def lifelog(seed: int, block: int, persons: Frame, visits: Frame, death: Array) -> Frame:
    """One row a day of a person of haneul who wears a tracker: person, day, steps, sleep (hours), resting_heart_rate."""
    rng = stream(seed, block, "lifelog")
    count = rows(persons)
    first = np.full(count, NEVER)
    at_first = visits["hospital"] == HOSPITALS.index("haneul")
    np.minimum.at(first, visits["person"][at_first], visits["start"][at_first] // DAY)
    wears = np.flatnonzero((rng.random(count) < _WEARS) & (first < LAST - 200) & (persons["birth"] < FIRST - 15 * 365))
    start = first[wears] + rng.integers(1, 120, len(wears))
    owner, nth = expand(np.full(len(wears), _DAYS_LOGGED))
    person, day = wears[owner], start[owner] + nth
    alive = (day < death[person]) & (day <= LAST)
    person, day = person[alive], day[alive]
    age = (day - persons["birth"][person]) / 365.25
    habit, pulse, night = rng.normal(0, 0.35, count), rng.normal(0, 6, count), rng.normal(0, 0.5, count)
    steps = np.exp(8.95 - 0.008 * (age - 40) + habit[person] + rng.normal(0, 0.4, len(person)))
    return {
        "person": person,
        "day": day,
        "steps": np.round(np.minimum(steps, 45000)),
        "sleep": np.round(np.clip(6.9 + night[person] + rng.normal(0, 0.9, len(person)), 2, 12), 1),
        "resting_heart_rate": np.round(np.clip(64 + pulse[person] + rng.normal(0, 2.5, len(person)), 40, 110)),
    }


def health_checks(seed: int, block: int, persons: Frame, death: Array, results: Results) -> Frame:
    """One row a year in which an adult of gangsan goes to the health check, every other year at best."""
    rng = stream(seed, block, "checks")
    of_gangsan = (persons["home"] == 2) | (persons["second"] == 2)
    year, person = np.meshgrid(np.arange(2016, 2024), np.flatnonzero(of_gangsan), indexing="ij")
    order = np.argsort(person.ravel(), kind="stable")
    year, person = year.ravel()[order], person.ravel()[order]
    day = (year - 1970) * 365 + (year - 1968) // 4 + rng.integers(60, 360, len(year))
    due = (years(persons["birth"][person]) + year) % 2 == 0
    grown = day - persons["birth"][person] > 20 * 366
    which = due & grown & (day < death[person]) & (rng.random(len(year)) < 0.7)
    year, person, day = year[which], person[which], day[which]
    none = np.full(len(person), -1)
    made: Frame = {"person": person, "year": year}
    for name in CHECKS:
        if name == "height":
            made[name] = np.round(persons["height"][person])
        elif name == "weight":
            made[name] = np.round(persons["weight"][person] + rng.normal(0, 1.2, len(person)))
        else:
            made[name] = results.measured(facts().number[name], person, day, none, rng)[0]
    made["urine_protein"] = results.answer("urine_protein", person, day, none, rng)
    made["smoking"] = results.answer("smoking", person, day, none, rng)
    return made


def notes(seed: int, block: int, visits: Frame) -> Frame:
    """One row a note: person, visit, minute, kind (progress, discharge, emergency), dirt."""
    rng = stream(seed, block, "notes")
    count = rows(visits)
    out = visits["class"] == OUTPATIENT
    stays = visits["stay"] > 0
    draw = rng.random(count)
    written = np.where(out, draw < 0.15, True)
    kind = np.where(out, 0, np.where(stays, 1, 2))
    made = {
        "person": visits["person"],
        "visit": np.arange(count),
        "minute": np.where(out, visits["start"], visits["end"]),
        "kind": kind,
        "dirt": np.zeros(count, np.int8),
    }
    return take(made, written & ~visits["open"])
