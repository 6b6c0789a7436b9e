"""What counting a check may end in."""

from __future__ import annotations

from dataclasses import dataclass

Counts = tuple[int, int]


@dataclass(frozen=True)
class Uncountable:
    """Why a check could not be counted: the cause, in the engine's words without values of rows."""

    cause: str


@dataclass(frozen=True)
class Inapplicable:
    """Why a check has nothing to look at, such as an earlier snapshot."""

    reason: str


@dataclass(frozen=True)
class Judged:
    """The counts of a check whose success somebody else decided."""

    success: bool
    violated: int
    denominator: int


Outcome = Counts | Uncountable | Inapplicable | Judged
