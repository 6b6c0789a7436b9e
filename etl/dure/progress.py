"""How a run tells people and log collectors what it is doing: always on standard error, results go to standard output.

No line carries a patient's value: stages, tables, counts, seconds and problems, which hold none by their own rule.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from dure.errors import Problem

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

Format = Literal["rich", "plain", "json"]
FORMATS: tuple[Format, ...] = ("rich", "plain", "json")
Clock = Callable[[], float]
Field = str | float | None


class Progress(Protocol):
    """What a run reports to."""

    def stage(self, name: str) -> None:
        """A stage begins, and with it the one before has ended."""

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        """A table (or source, or file) of the stage is written; `rows` None when nobody counted them."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def warn(self, problem: Problem) -> None:
        """Something to look at that stops nothing."""

    def done(self) -> None:
        """The last stage has ended; also called after an error, and harmless when called twice."""


class Reporter(Progress, Protocol):
    """Progress that can end in an error, which the command line reports; `warned` is what it has shown."""

    warned: list[Problem]

    def failed(self, problems: Sequence[Problem], exit_code: int) -> None:
        """The command ends without its result."""

    def bind(self, **fields: str) -> None:
        """From now on these belong to every JSON line, such as the run's id."""

    def ended(self, text: str, **fields: Field) -> None:
        """The command has its result: a last line for people, the fields for log collectors."""


def reporter(form: Format | None, *, quiet: bool = False, stream: TextIO | None = None) -> Reporter:
    """The one that fits: by `form`, or rich on a terminal and plain lines elsewhere. `quiet` leaves warnings and errors."""
    stream = stream or sys.stderr
    if form == "json":
        return JsonProgress(stream, quiet=quiet)
    if quiet:
        return SilentProgress(stream)
    if form == "rich" or (form is None and stream.isatty()):
        return RichProgress(stream)
    return PlainProgress(stream)


class SilentProgress:
    """Only warnings and why a command failed; with no stream, as tests use it, nothing at all."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.warned: list[Problem] = []
        self._stream = stream

    def stage(self, name: str) -> None:
        return

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        return

    def note(self, text: str) -> None:
        return

    def warn(self, problem: Problem) -> None:
        self.warned.append(problem)
        self._say("Warning", problem)

    def done(self) -> None:
        return

    def failed(self, problems: Sequence[Problem], exit_code: int) -> None:
        for problem in problems:
            self._say("Error", problem)

    def bind(self, **fields: str) -> None:
        return

    def ended(self, text: str, **fields: Field) -> None:
        return

    def _say(self, kind: str, problem: Problem) -> None:
        if self._stream:
            print(_lines(kind, problem), file=self._stream, flush=True)


class _Stages:
    """Knows the stage that runs and for how long."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._name: str | None = None
        self._start = 0.0

    def begin(self, name: str) -> None:
        self._name, self._start = name, self._clock()

    def end(self) -> tuple[str, float] | None:
        """The stage that ends now and its seconds; None when none runs."""
        if self._name is None:
            return None
        ended = self._name, self._clock() - self._start
        self._name = None
        return ended


class PlainProgress:
    """One line for each thing, for files, pipes and schedulers."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self.warned: list[Problem] = []
        self._stream = stream
        self._stages = _Stages(clock)

    def stage(self, name: str) -> None:
        self.done()
        self._stages.begin(name)
        self._say(f"{name} ...")

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        self._say(_table_line(name, rows, seconds))

    def note(self, text: str) -> None:
        self._say(text)

    def warn(self, problem: Problem) -> None:
        self.warned.append(problem)
        self._say(_lines("Warning", problem))

    def done(self) -> None:
        if ended := self._stages.end():
            self._say(f"{ended[0]} done in {ended[1]:.1f} s")

    def failed(self, problems: Sequence[Problem], exit_code: int) -> None:
        for problem in problems:
            self._say(_lines("Error", problem))

    def bind(self, **fields: str) -> None:
        return

    def ended(self, text: str, **fields: Field) -> None:
        self._say(text)

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class RichProgress:
    """For people at a terminal: a line for each table, under it the stage that runs."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        from rich.console import Console

        self.warned: list[Problem] = []
        self._console: Console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._stages = _Stages(clock)
        self._status: Status | None = None

    def stage(self, name: str) -> None:
        from rich.text import Text

        self.done()
        self._stages.begin(name)
        self._status = self._console.status(Text(name))
        self._status.start()

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        self._console.print(_table_line(name, rows, seconds))

    def note(self, text: str) -> None:
        self._console.print(text)

    def warn(self, problem: Problem) -> None:
        self.warned.append(problem)
        self._console.print(_lines("Warning", problem), style="yellow")

    def done(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None
        if ended := self._stages.end():
            self._console.print(f"{ended[0]} done in {ended[1]:.1f} s", style="green")

    def failed(self, problems: Sequence[Problem], exit_code: int) -> None:
        for problem in problems:
            self._console.print(_lines("Error", problem), style="red")

    def bind(self, **fields: str) -> None:
        return

    def ended(self, text: str, **fields: Field) -> None:
        self._console.print(text)


class JsonProgress:
    """One JSON object a line, for log collectors: `event`, `level`, `timestamp` and what belongs to the event."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, *, quiet: bool = False) -> None:
        import structlog

        self.warned: list[Problem] = []
        self._quiet = quiet
        self._stages = _Stages(clock)
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            wrapper_class=structlog.BoundLogger,
        )

    def stage(self, name: str) -> None:
        self.done()
        self._stages.begin(name)
        self._info("stage", stage=name)

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        self._info("table", table=name, rows=rows, seconds=round(seconds, 3))

    def note(self, text: str) -> None:
        self._info("note", text=text)

    def warn(self, problem: Problem) -> None:
        self.warned.append(problem)
        self._log.warning("warning", **_fields(problem))

    def done(self) -> None:
        if ended := self._stages.end():
            self._info("stage done", stage=ended[0], seconds=round(ended[1], 3))

    def failed(self, problems: Sequence[Problem], exit_code: int) -> None:
        self._log.error("failed", exit_code=exit_code, problems=[_fields(problem) for problem in problems])

    def bind(self, **fields: str) -> None:
        self._log = self._log.bind(**fields)

    def ended(self, text: str, **fields: Field) -> None:
        self._info("ended", text=text, **fields)

    def _info(self, event: str, **fields: Field) -> None:
        if not self._quiet:
            self._log.info(event, **fields)


def _fields(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "found": problem.found, "do": problem.do}


def _table_line(name: str, rows: int | None, seconds: float) -> str:
    counted = "" if rows is None else f"{rows:,} rows"
    return f"  {name:<40}{counted:>18}{seconds:>8.1f} s"


def _lines(kind: str, problem: Problem) -> str:
    return f"{kind}: {problem}"
