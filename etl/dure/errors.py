"""What can go wrong, said so that a person can act on it: where, what was found, what was expected, what to do.

No message carries a patient's value: file names, line numbers, column names, counts and codes of the *site's own
configuration* are allowed; cell contents of an extract are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    PASSED = 0
    GATE_CLOSED = 1
    CONFIGURATION = 2
    SOURCE_UNREADABLE = 3
    SITE_LOCKED = 4
    EXTRACT_NOT_READY = 5
    DEADLINE = 6
    BUG = 70


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: `where: found` and, on a second line, what to do about it."""

    where: str
    found: str
    do: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}" if self.where else self.found
        return f"{text}\n    {self.do}" if self.do else text


class DureError(Exception):
    """The root of all errors that Dure raises on purpose; `problems` are shown sorted and without repeats."""

    exit_code = ExitCode.BUG

    def __init__(self, problems: Iterable[Problem] | Problem | str, do: str = "") -> None:
        if isinstance(problems, str):
            problems = Problem("", problems, do)
        if isinstance(problems, Problem):
            problems = [problems]
        self.problems: list[Problem] = list(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigurationError(DureError):
    """The spec, the maps, the vocabulary, the options or the surroundings are not as they must be."""

    exit_code = ExitCode.CONFIGURATION


class SourceError(DureError):
    """An extract cannot be read as the spec declares it."""

    exit_code = ExitCode.SOURCE_UNREADABLE


class SiteLockedError(DureError):
    """Another run holds this site's lake."""

    exit_code = ExitCode.SITE_LOCKED


class ExtractNotReadyError(DureError):
    """The extract is missing, older than it may be, still growing or far smaller than the one before: not tonight's."""

    exit_code = ExitCode.EXTRACT_NOT_READY


class DeadlineError(DureError):
    """The run stopped between two stages, as its time was up; the next run goes on from there."""

    exit_code = ExitCode.DEADLINE


class MemoryLimitError(DureError):
    """The engine has no more of the memory that it may take; the next run goes on with more, or with fewer threads."""

    exit_code = ExitCode.CONFIGURATION


class IntegrityError(DureError):
    """The rows made do not add up, or keys are not unique: a bug or a case nobody planned for; nothing is published."""

    exit_code = ExitCode.BUG
