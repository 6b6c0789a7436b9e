"""An English reading of a Korean word."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """One English reading of a Korean word and how much it counts."""

    english: str
    weight: float
