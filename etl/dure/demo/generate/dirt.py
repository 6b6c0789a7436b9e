"""The dirt that is planted, by kind: further rows beside the true ones, so that no true fact is lost to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from dure.demo.generate.care import MAIN, RULED_OUT, SUB
from dure.demo.generate.catalogue import facts, read
from dure.demo.generate.frames import DAY, LAST, NEVER, Array, Frame, expand, joined, rows, running, take
from dure.demo.generate.results import NO_ANSWER, UNREADABLE
from dure.demo.generate.seeds import stream

UNKNOWN, UNDATED = -1, -1
"""The fact of a row whose code nobody knows, the minute of one without a date."""


@dataclass(frozen=True)
class Kind:
    """One kind of dirt: its number in the `dirt` columns, how much of it, and where it must end."""

    number: int
    name: str
    share: float
    hospitals: tuple[str, ...]
    ends: str

    def end_at(self, hospital: str) -> str:
        """Where it ends at one hospital; a kind may end differently by hospital."""
        for part in self.ends.split(";"):
            *where, end = part.split()
            if not where or hospital in where:
                return end
        return self.ends


@cache
def kinds() -> dict[str, Kind]:
    return {
        row["kind"]: Kind(number, row["kind"], float(row["share"]), tuple(row["hospitals"].split()), row["ends"])
        for number, row in enumerate(read("dirt_kinds"), start=1)
    }


@cache
def written_numbers(hospital: str) -> Array:
    """The numbers of the kinds whose rows reach the CDM, 0 (no dirt) among them."""
    ends = [kind.number for kind in kinds().values() if kind.end_at(hospital).startswith("written")]
    return np.array([0, *ends])


class Planter:
    """Plants the dirt of one hospital in the rows of one block."""

    def __init__(self, seed: int, block: int, hospital: str) -> None:
        self._seed, self._block, self._hospital = seed, block, hospital

    def chosen(self, kind: str, frame: Frame, purpose: str, of: Array | None = None) -> Array:
        """The positions of the rows that dirt of this kind is made from."""
        if self._hospital not in kinds()[kind].hospitals:
            return np.zeros(0, np.int64)
        draw = stream(self._seed, self._block, f"dirt {self._hospital} {kind} {purpose}").random(rows(frame))
        hit = draw < kinds()[kind].share
        return np.flatnonzero(hit if of is None else hit & of)

    def diagnoses(self, frame: Frame, visits: Frame, persons: Frame) -> Frame:
        """The rows with what is planted, by person and visit."""
        copies = [
            self._copies("unknown_code", frame, "diagnoses", fact=UNKNOWN),
            self._copies("code_version", frame, "diagnoses"),
            self._copies("zero_date", frame, "diagnoses", minute=UNDATED),
            self._copies("orphan_visit", frame, "diagnoses", visit=-1),
            self._copies("orphan_person", frame, "diagnoses"),
            self._copies("ruled_out", frame, "diagnoses", rank=RULED_OUT),
        ]
        for extra in copies:
            # A visit keeps its one main diagnosis.
            extra["rank"] = np.where(extra["rank"] == MAIN, np.int8(SUB), extra["rank"])
        return _by_person(joined([frame, *copies, self._male_pregnancy(frame, visits, persons)]))

    def orders(self, frame: Frame) -> Frame:
        unknown = self._copies("unknown_code", frame, "orders", fact=UNKNOWN)
        return _by_person(joined([frame, unknown, self._copies("cancelled_order", frame, "orders")]))

    def labs(self, frame: Frame, persons: Frame, death: Array) -> Frame:
        numeric = (frame["answer"] == NO_ANSWER) & (frame["fact"] != facts().number["ana_titer"])
        unknown = self._copies("unknown_code", frame, "labs", numeric & ~frame["under"], fact=UNKNOWN)
        tenfold = self._copies("impossible_value", frame, "labs", frame["fact"] == facts().number["hemoglobin"])
        tenfold["value"] = np.round(tenfold["value"] * 10)
        unread = self._copies("unreadable_result", frame, "labs", numeric, value=np.nan, under=False, answer=UNREADABLE)
        extra = _by_person(joined([unknown, tenfold, unread, self._after_death(frame, persons, death)]))
        # A draw of its own each: a specimen and test must name one result.
        extra["draw"] = 50 + running(extra["person"])
        return _by_person(joined([frame, extra]))

    def notes(self, frame: Frame) -> Frame:
        return _by_person(joined([frame, self._copies("resident_number", frame, "notes")]))

    def swapped_visits(self, visits: Frame) -> Frame:
        """Further stays, to be written with admission and discharge swapped; `seq` goes on after the true visits."""
        chosen = self.chosen("swapped_dates", visits, "visits")
        extra = take(visits, chosen)
        rng = stream(self._seed, self._block, f"dirt {self._hospital} swapped by")
        extra["end"] = extra["start"] + rng.integers(2, 9, len(chosen)) * DAY
        extra["seq"] = 900 + running(extra["person"])
        return extra

    def _copies(self, kind: str, frame: Frame, purpose: str, of: Array | None = None, **cells: float) -> Frame:
        """Some rows once more, marked as this kind of dirt and with these cells changed."""
        made = take(frame, self.chosen(kind, frame, purpose, of))
        changed = cells | {"dirt": kinds()[kind].number}
        return made | {name: np.full(rows(made), cell, frame[name].dtype) for name, cell in changed.items()}

    def _male_pregnancy(self, frame: Frame, visits: Frame, persons: Frame) -> Frame:
        men = ~persons["female"]
        chosen = self.chosen("male_pregnancy", persons, "persons", men)
        first = np.searchsorted(visits["person"], chosen)
        there = (first < rows(visits)) & (visits["person"][np.minimum(first, rows(visits) - 1)] == chosen)
        which = first[there]
        return {
            "person": visits["person"][which],
            "visit": which,
            "fact": np.full(len(which), facts().number["pregnancy"]),
            "minute": visits["start"][which],
            "dirt": np.full(len(which), kinds()["male_pregnancy"].number, np.int8),
            "rank": np.full(len(which), SUB, np.int8),
        }

    def _after_death(self, frame: Frame, persons: Frame, death: Array) -> Frame:
        dead = (death < LAST - 31) & (death < NEVER)
        chosen = self.chosen("after_death", persons, "persons", dead)
        last = np.searchsorted(frame["person"], chosen, side="right") - 1
        there = (last >= 0) & (frame["person"][np.maximum(last, 0)] == chosen)
        made = take(frame, last[there])
        rng = stream(self._seed, self._block, f"dirt {self._hospital} after death by")
        made["minute"] = (death[made["person"]] + rng.integers(3, 31, rows(made))) * DAY + 600
        made["dirt"] = np.full(rows(made), kinds()["after_death"].number, np.int8)
        return made


def repeated(positions: Array, chosen: Array) -> Array:
    """The positions with those chosen twice, one after the other."""
    counts = np.ones(len(positions), np.int64)
    counts[chosen] = 2
    return positions[expand(counts)[0]]


def _by_person(frame: Frame) -> Frame:
    """By person and visit (a row of no visit first), else as it stood."""
    return take(frame, np.argsort((frame["person"] << 32) + frame["visit"], kind="stable"))
