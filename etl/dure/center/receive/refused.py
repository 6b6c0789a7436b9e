"""Why a package is kept out, in words for the hospital: each reason in English and Korean, from `reasons.csv`.

What fills the places in a sentence is ours: counts, days, fingerprints, names of the CDM, and file names of plain
letters. Nothing that a stranger wrote into a package is repeated, and no patient's value is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from dure.errors import DureError, ExitCode, Problem

Language = Literal["en", "ko"]
_PLAIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_./-]{0,79}")


@dataclass(frozen=True)
class Finding:
    """One reason at one place, with what fills its sentences."""

    reason: str
    where: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    def said(self, language: Language) -> dict[str, str]:
        """`found`, `expected` and `do` in one language."""
        row = _reasons()[self.reason]
        shown = {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in self.values.items()}
        return {part: row[f"{part}_{language}"].format(**shown) for part in ("found", "expected", "do")}

    def problem(self) -> Problem:
        said = self.said("en")
        return Problem(self.where, f"{said['found']}; expected: {said['expected']}", said["do"])


class PackageRefused(DureError):
    """The package is not what may come in; the store is as before, but for the report in its quarantine."""

    exit_code = ExitCode.GATE_CLOSED

    def __init__(self, findings: Sequence[Finding] | Finding) -> None:
        self.findings = [findings] if isinstance(findings, Finding) else list(findings)
        super().__init__([finding.problem() for finding in self.findings])


def refuse(reason: str, where: str, **values: str | int | float) -> PackageRefused:
    """The error of one reason, to be raised."""
    return PackageRefused(Finding(reason, where, values))


def plain(name: str) -> str:
    """A name from outside as it may be shown: as it is when it is plain, else only that it is not."""
    return name if _PLAIN.fullmatch(name) and ".." not in name else "(a name that is not shown)"


@cache
def _reasons() -> dict[str, dict[str, str]]:
    text = files("dure.center.receive").joinpath("reasons.csv").read_text("utf-8")
    return {row["reason"]: row for row in csv.DictReader(text.splitlines())}
