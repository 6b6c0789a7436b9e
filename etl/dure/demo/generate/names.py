"""The numbers of patients, visits and rows as a hospital writes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dure.demo.generate.frames import Array, Frame, rows, running
from dure.demo.generate.plans import ADMITTED
from dure.demo.generate.record import Recorded
from dure.demo.generate.text import digits, fixed, where

_NO_VISIT = 999
"""The visit number of a person that no visit has."""


@dataclass(frozen=True)
class Names:
    """Numbers made of the patient's local number and a running one, so that further patients change nobody's."""

    recorded: Recorded
    patient: str
    visit: str

    def patients(self, person: Array) -> pa.Array:
        return fixed(self.patient, self._local(person)) if self.patient else fixed(self._local(person))

    def visits(self, person: Array, seq: Array, ward: Array) -> pa.Array:
        """The visit's number; `ward` is 1 for the stay that an emergency ended in, 0 else."""
        return fixed(self.visit, self._local(person), digits(seq, 3), digits(ward, 1))

    def of_visits(self) -> pa.Array:
        """The name of each recorded visit: that of its first part."""
        visits = self.recorded.visits
        return self.visits(visits["person"], visits["seq"], np.zeros(rows(visits), np.int64))

    def of_events(self, frame: Frame) -> tuple[pa.Array, pa.Array]:
        """The visit number in each event's row (of the ward or before), and the name of the visit it is part of."""
        visits = self.recorded.visits
        if not rows(visits):
            nothing = pa.nulls(rows(frame), pa.string())
            return nothing, nothing
        orphan, visit = frame["visit"] < 0, np.maximum(frame["visit"], 0)
        person = np.where(orphan, frame["person"], visits["person"][visit])
        seq = np.where(orphan, _NO_VISIT, visits["seq"][visit])
        ward = (visits["class"][visit] == ADMITTED) & (frame["minute"] >= visits["into"][visit]) & ~orphan
        named = self.visits(person, seq, ward.astype(np.int64))
        return named, where(orphan, None, self.visits(person, seq, np.zeros(len(seq), np.int64)))

    def of_rows(self, letters: str, frame: Frame) -> pa.Array:
        """A number of each row: its patient and its place among the patient's rows."""
        return fixed(letters, self._local(frame["person"]), digits(running(frame["person"]), 5))

    def strangers(self, letter: str, person: Array) -> pa.Array:
        """Patient numbers that no patient has."""
        return fixed(letter, self._local(person))

    def _local(self, person: Array) -> Array:
        return digits(self.recorded.persons["local"][person], 8)
