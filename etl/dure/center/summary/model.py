"""`summary.json`: one delivery in a page's worth, for the comparison of hospitals."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

SUMMARY = "summary.json"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VocabularyUsed(_Closed):
    """The release that the hospital mapped to."""

    release: str
    digest: str


class CoverageItem(_Closed):
    """Records or codes of one domain without a standard concept, as the hospital's gate counted them."""

    check: str
    without_concept: int | None
    of: int


class Recomputed(_Closed):
    """The checks that the center counted again: how many, how many differed, and the seed that chose them."""

    checks: int
    differ: int
    seed: int


class Summary(_Closed):
    """One delivery."""

    summary_version: Literal[1] = 1
    site: str
    consortium: str | None
    name: str
    sequence: int
    received: datetime
    as_of: date
    persons: int
    observed_from: date | None
    observed_to: date | None
    vocabulary: VocabularyUsed
    tables: dict[str, int]
    gate: str
    score: float | None
    waived: list[str]
    profile: str
    checks: dict[str, int]
    coverage: list[CoverageItem]
    dure: str
    engine: str
    shifted: bool
    recomputed: Recomputed
    withdrawn: int = 0

    def as_json(self) -> bytes:
        return self.model_dump_json(indent=1).encode() + b"\n"
