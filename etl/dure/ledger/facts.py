"""The facts of one run, as the ledger keeps them: one document, whatever it is written to.

No fact is a patient's value: names, counts, hashes, versions and problems, which hold none by their own rule.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from dure.errors import ExitCode, Problem

Command = Literal["run", "check", "publish"]
_INTERRUPTED = (130, 143)


def _storable(value: object) -> object:
    """Text that every database and JSON can hold: a file name may have bytes that are no UTF-8, PostgreSQL takes no NUL."""
    if not isinstance(value, str):
        return value
    return os.fsencode(value).decode("utf-8", "backslashreplace").replace("\0", "\\0")


def _to_microseconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Text = Annotated[str, BeforeValidator(_storable)]
Moment = Annotated[AwareDatetime, AfterValidator(_to_microseconds)]
Rows = Annotated[int, Field(ge=0)]


class Outcome(StrEnum):
    """How a command ended."""

    PASSED = "passed"  # the gate is open
    CLOSED = "gate closed"
    BUILT = "built"  # a snapshot that nobody checked
    DELIVERED = "delivered"
    DONE = "done"  # on purpose without a result that stands, such as --until
    STOPPED = "stopped"  # at its deadline, between two stages
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DIED = "died"  # its process ended without a word


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class StageFacts(_Record):
    """One stage; `seconds` is None as long as it has not ended."""

    name: Text
    started: Moment
    seconds: float | None = None


class WrittenFacts(_Record):
    """One thing that a stage wrote: a source, a table, a file; `rows` None where nobody counted them."""

    stage: Text
    name: Text
    rows: Rows | None
    seconds: float


class TableFacts(_Record):
    """One table of the snapshot."""

    name: Text
    rows: Rows
    bytes: Rows


class FileFacts(_Record):
    """One file of the extract as it was read."""

    source: Text
    path: Text
    bytes: Rows
    sha256: Text
    modified: Moment


class SourceFacts(_Record):
    """One source, and what became of its rows: read + before = all the other counts.

    `before` are rows of the night before to which change files were applied, `changed` what came to no row by that.
    """

    name: Text
    read: Rows
    before: Rows = 0
    changed: Rows = 0
    mapped: Rows
    unmapped: Rows
    rejected: Rows
    excluded: Rows
    folded: Rows = 0


class MapFacts(_Record):
    """One file of the site's folder, with its digest."""

    path: Text
    sha256: Text


class ProblemFacts(_Record):
    """One warning, or one reason why the command failed."""

    level: Literal["warning", "error"]
    where: Text
    found: Text
    do: Text

    @classmethod
    def of(cls, level: Literal["warning", "error"], problem: Problem) -> Self:
        return cls(level=level, where=problem.where, found=problem.found, do=problem.do)


class RunFacts(_Record):
    """One command on one site. `outcome` None says that it has not ended; whether it still runs, `process` tells."""

    id: Text
    command: Command = "run"
    lake: Text
    site: Text
    name: Text
    started: Moment
    ended: Moment | None = None
    seconds: float | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None

    snapshot: Text | None = None
    as_of: Text | None = None
    gate: Literal["open", "closed"] | None = None
    score: float | None = None
    persons: Rows | None = None
    rows_read: Rows | None = None
    rows_mapped: Rows | None = None
    rows_unmapped: Rows | None = None
    rows_rejected: Rows | None = None
    rows_excluded: Rows | None = None
    target: Text | None = None

    engine: Text | None = None
    engine_version: Text | None = None
    dure_version: Text
    cdm_version: Text | None = None
    vocabulary: Text | None = None
    vocabulary_digest: Text | None = None
    spec_digest: Text | None = None
    python_version: Text | None = None
    pyspark_version: Text | None = None
    pysail_version: Text | None = None
    host: Text
    user: Text
    pid: int
    process: Text

    stages: list[StageFacts] = []
    written: list[WrittenFacts] = []
    tables: list[TableFacts] = []
    sources: list[SourceFacts] = []
    files: list[FileFacts] = []
    maps: list[MapFacts] = []
    problems: list[ProblemFacts] = []

    @property
    def warnings(self) -> list[ProblemFacts]:
        return [problem for problem in self.problems if problem.level == "warning"]

    @property
    def errors(self) -> list[ProblemFacts]:
        return [problem for problem in self.problems if problem.level == "error"]

    def end(self, outcome: Outcome, exit_code: int, ended: datetime, seconds: float) -> None:
        self.outcome, self.exit_code, self.ended, self.seconds = outcome, exit_code, ended, seconds

    def fail(self, problems: Sequence[Problem], exit_code: int, ended: datetime, seconds: float) -> None:
        self.problems = [*self.problems, *(ProblemFacts.of("error", problem) for problem in problems)]
        self.end(outcome_of(exit_code), exit_code, ended, seconds)


def outcome_of(exit_code: int) -> Outcome:
    """What an exit code says of a command that ended without a result."""
    if exit_code in _INTERRUPTED:
        return Outcome.INTERRUPTED
    if exit_code == ExitCode.GATE_CLOSED:
        return Outcome.CLOSED
    if exit_code == ExitCode.DEADLINE:
        return Outcome.STOPPED
    return Outcome.FAILED


def new_id(now: datetime) -> str:
    """An id that sorts by time, such as 20260315T023000Z-5f0c9a1e: runs of many sites may begin in one second."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


# What a run is without its parts.
SUMMARY = set(RunFacts.model_fields) - {"stages", "written", "tables", "sources", "files", "maps", "problems"}
