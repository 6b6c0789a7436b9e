"""What happened to a block of persons, whole and in no hospital's words."""

from __future__ import annotations

from dataclasses import dataclass

from dure.demo.generate.care import care
from dure.demo.generate.frames import Array, Frame
from dure.demo.generate.plans import onsets, planned_visits
from dure.demo.generate.population import persons
from dure.demo.generate.results import Results, measure_labs
from dure.demo.generate.sets import health_checks, lifelog, notes, vital_signs
from dure.demo.generate.visits import choose_hospital, visits


@dataclass(frozen=True)
class Clinical:
    """The facts of a block; each frame names persons and visits by their place in the first two."""

    persons: Frame
    visits: Frame
    death: Array
    diagnoses: Frame
    orders: Frame
    labs: Frame
    procedures: Frame
    vitals: Frame
    notes: Frame
    lifelog: Frame
    checks: Frame


def clinical(seed: int, block: int) -> Clinical:
    """Everything about one block of persons; a pure function of the two numbers."""
    who = persons(seed, block)
    since = onsets(seed, block, who)
    made, death = visits(seed, block, who, planned_visits(seed, block, who, since))
    made["hospital"] = choose_hospital(who, made)
    results = Results(seed, block, who, since)
    events = care(seed, block, who, made, since)
    return Clinical(
        persons=who,
        visits=made,
        death=death,
        diagnoses=events["diagnoses"],
        orders=events["orders"],
        labs=measure_labs(seed, block, results, events["labs"], made),
        procedures=events["procedures"],
        vitals=vital_signs(seed, block, who, made, results),
        notes=notes(seed, block, made),
        lifelog=lifelog(seed, block, who, made, death),
        checks=health_checks(seed, block, who, death, results),
    )
