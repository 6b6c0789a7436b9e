"""The values of tests and vital signs: what a healthy person would have, what disease and treatment do to it, chance."""

from __future__ import annotations

from functools import cache

import numpy as np

from dure.demo.generate.catalogue import facts, read, values
from dure.demo.generate.frames import DAY, Array, Frame, rows
from dure.demo.generate.plans import plans
from dure.demo.generate.seeds import stream

NO_ANSWER, UNREADABLE = -1, -2
_BREATH = ("fev1", "fvc", "fev1_fvc")
_TREATED_AFTER = 150
"""Days from the onset after which treatment has done what it does."""


@cache
def _models() -> dict[int, dict[str, str]]:
    return {facts().number[row["fact"]]: row for row in read("results")}


@cache
def _effects() -> dict[int, list[dict[str, str]]]:
    found: dict[int, list[dict[str, str]]] = {}
    for row in read("effects"):
        found.setdefault(facts().number[row["fact"]], []).append(row)
    return found


class Results:
    """The value of any test of a person at a moment; traits of a person are the same whenever asked for."""

    def __init__(self, seed: int, block: int, persons: Frame, since: Array) -> None:
        self._persons, self._since = persons, since
        count = rows(persons)
        rng = stream(seed, block, "traits")
        self._traits = {fact: rng.normal(0, 1, count) for fact in _models()}
        self._carrier = rng.random(count) < 0.03
        self._breath = rng.normal(0, 0.10, count)
        self._severity = rng.uniform(0.35, 0.85, count)

    def measured(
        self, fact: int, person: Array, day: Array, plan: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Values and whether each lies below what the test can measure (then the value is that limit)."""
        model = _models()[fact]
        found: Array = self._level(fact, person, day, plan) + rng.normal(0, float(model["within"]), len(person))
        if model["scale"] == "log":
            found = np.exp(found)
        found = np.round(np.clip(found, float(model["low"]), float(model["high"])), int(model["decimals"]))
        if not model["below"]:
            return found, np.zeros(len(found), bool)
        under = found < float(model["below"])
        return np.where(under, float(model["below"]), found), under

    def _level(self, fact: int, person: Array, day: Array, plan: Array) -> Array:
        model, who = _models()[fact], self._persons
        age = (day - who["birth"][person]) / 365.25
        level = (
            float(model["mean"])
            + float(model["female"]) * who["female"][person]
            + float(model["decade"]) * (np.minimum(age, 90) - 50) / 10
            + float(model["between"]) * self._traits[fact][person]
        )
        return level + self._shift(fact, person, day, plan)

    def _shift(self, fact: int, person: Array, day: Array, plan: Array) -> Array:
        shift = np.zeros(len(person))
        number = {found.name: found.number for found in plans()}
        for effect in _effects().get(fact, []):
            of = number[effect["plan"]]
            if effect["of"] == "visit":
                shift += float(effect["shift"]) * (plan == of)
            else:
                ill_for = day - self._since[of][person]
                treated = ill_for > _TREATED_AFTER
                shift += np.where(
                    ill_for >= 0, np.where(treated, float(effect["treated"]), float(effect["shift"])), 0.0
                )
        return shift

    def breath(self, fact: str, person: Array, day: Array, plan: Array, rng: np.random.Generator) -> Array:
        """FEV1 and FVC in litres, their ratio in per cent: narrowed airways in COPD, less so in asthma."""
        who = self._persons
        age = np.clip((day - who["birth"][person]) / 365.25, 10, 90)
        female = who["female"][person]
        forced = (who["height"][person] - 100) * 0.052 - 0.024 * (age - 25) - 0.35 * female + 0.8
        forced = np.clip(forced * (1 + self._breath[person]), 0.9, 7.0)
        number = {found.name: found.number for found in plans()}
        copd = self._since[number["copd"]][person] <= day
        asthma = self._since[number["asthma"]][person] <= day
        ratio = np.where(copd, 0.35 + 0.34 * self._severity[person], np.where(asthma, 0.74, 0.81 - 0.0015 * (age - 40)))
        ratio = np.clip(ratio + rng.normal(0, 0.012, len(person)), 0.2, 0.95)
        if fact == "fev1":
            return np.round(forced * ratio, 2)
        return np.round(forced, 2) if fact == "fvc" else np.round(ratio * 100)

    def answer(self, fact: str, person: Array, day: Array, plan: Array, rng: np.random.Generator) -> Array:
        """The number of the categorical answer (values.csv)."""
        number = values().number
        if fact == "urine_protein":
            latent = self._shift(facts().number[fact], person, day, plan) + rng.normal(0, 0.45, len(person))
            place = np.searchsorted([0.55, 0.95, 1.5, 2.2], latent)
            return np.array([number[name] for name in ("neg_strip", "trace", "plus1", "plus2", "plus3")])[place]
        if fact == "smoking":
            return number["never_smoker"] + self._persons["smoking"][person]
        if fact == "hbsag":
            positive = self._carrier[person]
        else:
            positive = plan == next(found.number for found in plans() if found.name == "covid19")
        return np.where(positive, number["positive"], number["negative"])


def measure_labs(seed: int, block: int, results: Results, labs: Frame, visits: Frame) -> Frame:
    """The laboratory rows with their `value`, `under` (below the limit) and `answer` (-1 where it is a number)."""
    count = rows(labs)
    value, under = np.full(count, np.nan), np.zeros(count, bool)
    answer = np.full(count, NO_ANSWER)
    order = np.argsort(labs["fact"], kind="stable")
    bounds = np.searchsorted(labs["fact"][order], np.arange(len(facts()) + 1))
    plan = visits["plan"][labs["visit"]]
    for fact in facts().of_kind("lab"):
        which = order[bounds[fact] : bounds[fact + 1]]
        name, row = facts().names[fact], facts().first[fact]
        given = labs["person"][which], labs["minute"][which] // DAY, plan[which]
        # The three of one spirometry share their chance, so that the ratio is that of the two volumes.
        rng = stream(seed, block, "lab breath" if name in _BREATH else f"lab {name}")
        if row["result"] == "category":
            answer[which] = results.answer(name, *given, rng)
        elif row["result"] == "titer":
            value[which] = 40.0 * 2.0 ** rng.integers(1, 6, len(which))
        elif name in _BREATH:
            value[which] = results.breath(name, *given, rng)
        else:
            value[which], under[which] = results.measured(fact, *given, rng)
    return labs | {"value": value, "under": under, "answer": answer}
