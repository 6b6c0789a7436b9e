"""What one hospital saw of a block of persons, with its dirt: still facts, in nobody's codes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dure.demo.generate.clinical import Clinical
from dure.demo.generate.dirt import Planter
from dure.demo.generate.frames import Array, Frame, rows, take
from dure.demo.generate.population import HOSPITALS

# Bijections on the numbers below 10^8, so that no patient number of one hospital tells that of another.
_LOCAL = {"haneul": (7919, 10_000_019), "bada": (104_729, 53_000_041), "gangsan": (15_485_863, 29_000_017)}


@dataclass(frozen=True)
class Recorded:
    """The persons known to a hospital (by place in `persons`; `local` is their number there) and what it recorded."""

    hospital: str
    planter: Planter
    persons: Frame
    known: Array
    death: Array
    visits: Frame
    swapped: Frame
    diagnoses: Frame
    orders: Frame
    labs: Frame
    procedures: Frame
    vitals: Frame
    notes: Frame
    lifelog: Frame
    checks: Frame


def record(seed: int, block: int, hospital: str, clinical: Clinical) -> Recorded:
    """The hospital's part of a block; visits are numbered anew, everything else follows."""
    number = HOSPITALS.index(hospital)
    planter = Planter(seed, block, hospital)
    factor, shift = _LOCAL[hospital]
    persons = clinical.persons | {"local": (clinical.persons["number"] * factor + shift) % 100_000_000}
    mine = clinical.visits["hospital"] == number
    place = np.cumsum(mine) - 1
    visits = take(clinical.visits, mine)

    def here(frame: Frame) -> Frame:
        found = take(frame, mine[frame["visit"]])
        return found | {"visit": place[found["visit"]]}

    diagnoses, labs = here(clinical.diagnoses), here(clinical.labs)
    if hospital == "gangsan":
        known = (persons["home"] == number) | (persons["second"] == number)
    else:
        known = np.zeros(rows(persons), bool)
        known[visits["person"]] = True
    return Recorded(
        hospital=hospital,
        planter=planter,
        persons=persons,
        known=np.flatnonzero(known),
        death=clinical.death,
        visits=visits,
        swapped=planter.swapped_visits(visits),
        diagnoses=planter.diagnoses(diagnoses, visits, persons),
        orders=planter.orders(here(clinical.orders)),
        labs=planter.labs(labs, persons, clinical.death),
        procedures=here(clinical.procedures),
        vitals=here(clinical.vitals),
        notes=planter.notes(here(clinical.notes)),
        lifelog=clinical.lifelog,
        checks=clinical.checks,
    )


def limited(recorded: Recorded, patients: int) -> Recorded:
    """Without the persons from number `patients` on: what is planted for the others does not depend on them."""
    inside = recorded.persons["number"] < patients
    if inside.all():
        return recorded
    place = np.cumsum(inside[recorded.visits["person"]]) - 1

    def cut(frame: Frame) -> Frame:
        found = take(frame, inside[frame["person"]])
        if "visit" in found:
            found["visit"] = np.where(found["visit"] < 0, -1, place[found["visit"]])
        return found

    return replace(
        recorded,
        known=recorded.known[inside[recorded.known]],
        visits=take(recorded.visits, inside[recorded.visits["person"]]),
        swapped=take(recorded.swapped, inside[recorded.swapped["person"]]),
        diagnoses=cut(recorded.diagnoses),
        orders=cut(recorded.orders),
        labs=cut(recorded.labs),
        procedures=cut(recorded.procedures),
        vitals=cut(recorded.vitals),
        notes=cut(recorded.notes),
        lifelog=cut(recorded.lifelog),
        checks=cut(recorded.checks),
    )
