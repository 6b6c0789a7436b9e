"""Diagnoses, drugs and results as the CDM should hold them: the rows that are meant to get there."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dure.demo.generate.bookkeeping import Desk
from dure.demo.generate.catalogue import facts
from dure.demo.generate.frames import DAY, Array, Frame, take


def add_diagnoses(desk: Desk, frame: Frame, person: pa.Array, visit: pa.Array, when: Array) -> None:
    """The diagnoses that were made; the table is that of the fact, since a suspicion is no condition."""
    meant = desk.intended(frame)
    fact, at = frame["fact"][meant], pa.array(meant)
    table = np.where(fact < 0, facts().tables.index("condition_occurrence"), facts().table[fact])
    desk.records.add(person.take(at), visit.take(at), fact, when[meant], table=table, dirt=frame["dirt"][meant])


def add_drugs(desk: Desk, frame: Frame, person: pa.Array, visit: pa.Array) -> None:
    """The orders that were given, as the CDM should hold them: start by the day, end by the days of supply."""
    meant = desk.intended(frame)
    found, at = take(frame, meant), pa.array(meant)
    dose, times = doses(found["fact"])
    start = found["minute"] // DAY
    desk.records.add(
        person.take(at),
        visit.take(at),
        found["fact"],
        start,
        table="drug_exposure",
        end=start + found["days"] - 1,
        quantity=dose * times * found["days"],
        days_supply=found["days"],
        dirt=found["dirt"],
    )


def doses(fact: Array) -> tuple[Array, Array]:
    """One dose and the doses a day of each drug; 1 and 1 for a code nobody knows."""
    dose, times = facts().dose
    return np.where(fact < 0, 1.0, dose[fact]), np.where(fact < 0, 1, times[fact])


def add_labs(desk: Desk, frame: Frame, person: pa.Array, visit: pa.Array) -> None:
    """The results as the CDM should hold them: number with operator, or answer; a unit where the result has one."""
    meant = desk.intended(frame)
    found, at = take(frame, meant), pa.array(meant)
    desk.records.add(
        person.take(at),
        visit.take(at),
        found["fact"],
        found["minute"] // DAY,
        table="measurement",
        minute=found["minute"],
        value=found["value"],
        under=found["under"],
        answer=found["answer"],
        dirt=found["dirt"],
    )
