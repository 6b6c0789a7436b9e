"""The profile of a snapshot: what later snapshots of the site are compared with, and the snapshot before.

Only counts and medians by table, field, concept and unit: nothing of a single row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dure.quality.catalogue import Check

PROFILE = "profile.json"
Number = float | int


class Median(BaseModel):
    """Of the values of one concept in one unit: how many, the median, and the median distance from it."""

    model_config = ConfigDict(extra="forbid")
    rows: int
    median: float
    distance: float


class Profile(BaseModel):
    """`rows` by table; `nulls` by table and field; `concepts` by field and concept; `units` by field, concept and unit;
    `medians` by field, then concept and unit with a space between."""

    model_config = ConfigDict(extra="forbid")
    profile_version: int = 1
    rows: dict[str, int] = {}
    nulls: dict[str, dict[str, int]] = {}
    concepts: dict[str, dict[int, int]] = {}
    units: dict[str, dict[int, dict[int, int]]] = {}
    medians: dict[str, dict[str, Median]] = {}

    def as_json(self) -> bytes:
        return self.model_dump_json(indent=1).encode() + b"\n"


@dataclass(frozen=True)
class Before:
    """The snapshot to compare with: its id, the folders of its tables and evidence, and its profile."""

    snapshot: str
    folder: Path
    reports: Path
    profile: Profile


def read_profile(reports: Path) -> Profile | None:
    """The profile in a snapshot's reports; None where there is none that this version can read."""
    file = reports / PROFILE
    if not file.is_file():
        return None
    try:
        return Profile.model_validate_json(file.read_bytes())
    except ValidationError:
        return None


def left_range(now: Number, was: Number, check: Check) -> bool:
    """True where a count moved by more than a share of what it was and by more than chance gives counts this small."""
    moved = abs(now - was)
    return moved > float(check["relative"]) * was and moved > float(check["absolute"]) * max(now + was, 1) ** 0.5
