"""The code cell of a diagnosis, and its moment where none was written."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dure.demo.generate.codes import coding
from dure.demo.generate.dirt import UNDATED, kinds
from dure.demo.generate.frames import Frame
from dure.demo.generate.record import Recorded
from dure.demo.generate.text import words

_UNKNOWN = {"haneul": "ZZ9.9", "bada": "ZZ99", "gangsan": "ZZ99"}
_DOTTED = ("haneul",)


def kcd_codes(frame: Frame, hospital: str) -> pa.Array:
    """KCD as the hospital writes it; one character more where a later edition is planted."""
    plain = coding(hospital, "code", _UNKNOWN[hospital])
    finer = [_finer(code, hospital in _DOTTED) for code in plain]
    later = frame["dirt"] == kinds()["code_version"].number
    fact = np.where(frame["fact"] < 0, len(plain) - 1, frame["fact"])
    return words([*plain, *finer], fact + later * len(plain))


def _finer(code: str, dotted: bool) -> str:
    return f"{code}.9" if dotted and "." not in code else f"{code}{9 if len(code) == 3 else 0}"


def with_moments(recorded: Recorded) -> Frame:
    """The diagnoses, those without a date at the start of their visit and marked `undated`."""
    frame, visits = recorded.diagnoses, recorded.visits
    undated = frame["minute"] == UNDATED
    start = visits["start"][frame["visit"]] if len(visits["start"]) else frame["minute"]
    return frame | {"minute": np.where(undated, start, frame["minute"]), "undated": undated}
