"""The whole demonstration: block after block of persons, three extracts and the truth, then one rename."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from dure.demo.generate import bada, gangsan, haneul
from dure.demo.generate.bookkeeping import Desk
from dure.demo.generate.clinical import clinical
from dure.demo.generate.extract import Extract
from dure.demo.generate.frames import LAST
from dure.demo.generate.names import Names
from dure.demo.generate.place import MADE_BY, MARK, check_place, put_in_place
from dure.demo.generate.record import limited, record
from dure.demo.generate.seeds import BLOCK
from dure.demo.generate.truth import Truth
from dure.progress import Progress

FORMAT = 1
"""Goes up when the same patients and seed give other files."""
_SAY_EVERY = 20.0
_HOSPITALS = {"haneul": haneul, "bada": bada, "gangsan": gangsan}
# What begins the numbers of a patient and of a visit.
_PREFIXES = {"haneul": ("HN", "E"), "bada": ("", "V"), "gangsan": ("", "")}


@dataclass(frozen=True)
class Made:
    """What was written: the rows of each hospital's files, and of the truth."""

    files: dict[str, dict[str, int]]
    truth: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(sum(of_hospital.values()) for of_hospital in self.files.values())


def generate(patients: int, seed: int, out: Path, progress: Progress, *, force: bool = False) -> Made:
    """Writes the extracts and the truth of persons 0 to `patients` - 1 to `out`, whole or not at all."""
    check_place(out, force=force)
    with put_in_place(out) as folder:
        return _write(patients, seed, folder, progress)


def _write(patients: int, seed: int, folder: Path, progress: Progress) -> Made:
    extracts = {
        "haneul": Extract(folder / "haneul"),
        "bada": Extract(folder / "bada", encoding="cp949", line_end="\r\n"),
        "gangsan": Extract(folder / "gangsan", encoding="cp949"),
    }
    progress.stage("generate")
    begun = time.monotonic()
    with ExitStack() as files_open:
        truth = files_open.enter_context(Truth(folder / "truth"))
        for extract in extracts.values():
            files_open.enter_context(extract)
        bada.write_lists(extracts["bada"])
        gangsan.write_lists(extracts["gangsan"])
        _write_persons(patients, seed, extracts, truth, progress)
    made = Made({name: extract.rows for name, extract in extracts.items()}, truth.rows)
    for name, of_hospital in made.files.items():
        progress.table(name, sum(of_hospital.values()), time.monotonic() - begun)
    kinds = files("dure.demo.generate.catalogue") / "dirt_kinds.csv"
    (folder / "truth" / "dirt_kinds.csv").write_bytes(kinds.read_bytes())
    (folder / MARK).write_text(json.dumps(_about(patients, seed, made), ensure_ascii=False, indent=1) + "\n", "utf-8")
    return made


def _write_persons(patients: int, seed: int, extracts: dict[str, Extract], truth: Truth, progress: Progress) -> None:
    said = time.monotonic()
    for block in range(-(-patients // BLOCK)):
        happened = clinical(seed, block)
        for hospital, extract in extracts.items():
            seen = limited(record(seed, block, hospital, happened), patients)
            _HOSPITALS[hospital].write(Desk(seen, extract, truth, Names(seen, *_PREFIXES[hospital])))
        if time.monotonic() - said > _SAY_EVERY:
            said = time.monotonic()
            progress.note(f"  {min((block + 1) * BLOCK, patients):,} of {patients:,} persons")


def _about(patients: int, seed: int, made: Made) -> dict[str, object]:
    return {
        "made_by": MADE_BY,
        "format": FORMAT,
        "patients": patients,
        "seed": seed,
        "as_of": str(np.datetime64(LAST, "D")),
        "files": made.files,
        "truth": made.truth,
    }
