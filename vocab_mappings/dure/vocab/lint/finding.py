"""What lint says: findings, and the edits that would repair those where only one repair is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Edit:
    """One cell to be changed (`column` counts from 0), or a row to be taken out where `column` is None."""

    row: int
    column: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One defect as a rule finds it; `row` is None where the file as a whole is meant."""

    row: int | None
    message: str
    edits: tuple[Edit, ...] = ()
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect of one file; `fix` says what --fix does about it, None where a person must decide."""

    file: str
    row: int | None
    rule: str
    severity: Severity
    message: str
    fix: str | None = None
    edits: tuple[Edit, ...] = ()

    def as_json(self) -> dict[str, str | int | None]:
        return {
            "file": self.file,
            "row": self.row,
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "fix": self.fix,
        }
