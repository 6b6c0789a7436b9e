"""Hears what a command tells its progress, makes facts of it, and has them written as the command goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from dure.errors import DureError, ExitCode, Problem
from dure.ledger.facts import Command, Outcome, ProblemFacts, RunFacts, StageFacts, WrittenFacts, new_id
from dure.ledger.process import here
from dure.ledger.snapshots import add_snapshot, add_verdict
from dure.progress import Clock, Field, Reporter
from dure.snapshot.lake import Lake, Pointer

# Writes facts somewhere; the flag says that they are the last. Raises nothing.
Save = Callable[[RunFacts, bool], None]
# Is told of a run that has ended, such as to tell others; what it raises becomes a warning.
Ending = Callable[[RunFacts], None]
Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of the machine."""
    return datetime.now(UTC)


def facts_of(command: Command, lake: Path, site: str, name: str, now: datetime) -> RunFacts:
    """The facts of a command that begins now in this process; `site` as the lake knows it, `name` as it was given."""
    where = here()
    return RunFacts(
        id=new_id(now),
        command=command,
        lake=str(lake.resolve()),
        site=site,
        name=name,
        started=now,
        dure_version=version("dure"),
        python_version=_python(),
        pyspark_version=version("pyspark"),
        pysail_version=version("pysail"),
        host=where.host,
        user=where.user,
        pid=where.pid,
        process=where.process,
    )


class Recording:
    """A reporter that passes everything on to another one and keeps it as the facts of one command."""

    def __init__(self, inner: Reporter, clock: Clock = time.monotonic, now: Now = utc_now) -> None:
        self._inner, self._clock, self._now = inner, clock, now
        self._began, self.began = clock(), now()
        self._facts: RunFacts | None = None
        self._saves: Sequence[Save] = ()
        self._endings: Sequence[Ending] = ()
        self._stage: StageFacts | None = None
        self._stage_began = 0.0
        # Sources land side by side, each telling from its own thread.
        self._guard = threading.RLock()
        self._saving = False

    def begin(self, facts: RunFacts, saves: Sequence[Save], endings: Sequence[Ending]) -> None:
        """From now on what is told belongs to these facts."""
        facts.problems = [ProblemFacts.of("warning", problem) for problem in self._inner.warned]
        self._facts, self._saves, self._endings = facts, saves, endings
        self._save()

    # ---- what a command tells

    @property
    def warned(self) -> list[Problem]:
        return self._inner.warned

    @warned.setter
    def warned(self, problems: list[Problem]) -> None:
        self._inner.warned = problems

    def stage(self, name: str) -> None:
        with self._guard:
            self._end_stage()
            self._inner.stage(name)
            if self._facts is not None:
                self._stage, self._stage_began = StageFacts(name=name, started=self._now()), self._clock()
                self._facts.stages.append(self._stage)
                self._save()

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        with self._guard:
            self._inner.table(name, rows, seconds)
            if self._facts is not None:
                stage = self._stage.name if self._stage else ""
                self._facts.written.append(WrittenFacts(stage=stage, name=name, rows=rows, seconds=round(seconds, 3)))

    def note(self, text: str) -> None:
        self._inner.note(text)

    def warn(self, problem: Problem) -> None:
        with self._guard:
            self._inner.warn(problem)
            if self._facts is not None:
                self._facts.problems.append(ProblemFacts.of("warning", problem))

    def done(self) -> None:
        with self._guard:
            ended = self._end_stage()
            self._inner.done()
            if ended:
                self._save()

    def bind(self, **fields: str) -> None:
        self._inner.bind(**fields)

    def ended(self, text: str, **fields: Field) -> None:
        self._inner.ended(text, **fields)

    def failed(self, problems: Sequence[Problem], exit_code: int) -> None:
        """The command ends without its result: the facts end with it, after a word of why."""
        self._inner.failed(problems, exit_code)
        if (facts := self._facts) is not None and facts.outcome is None:
            self._end_stage()
            self._add_own_snapshot(facts)
            facts.fail(problems, exit_code, self._now(), self._seconds())
            self._finish(facts)

    # ---- how it ends

    @property
    def run_id(self) -> str | None:
        """The id of what is recorded; None where nothing is."""
        return self._facts.id if self._facts else None

    def as_json(self) -> str:
        """The facts as a document."""
        return self._facts.model_dump_json(indent=1) if self._facts else "null"

    def succeed_run(self, gate_open: bool | None, snapshot: Path | None) -> ExitCode:
        """A run has its result: its exit code by what the gate said; no `snapshot` where none came of it."""
        outcome, code = outcome_of_gate(gate_open, stands=snapshot is not None)
        self.succeed(outcome, code, snapshot)
        return code

    def succeed(
        self, outcome: Outcome, exit_code: int, snapshot: Path | None = None, target: str | None = None
    ) -> None:
        """The command has its result; `snapshot` is the folder of the one that it made or decided on."""
        facts = self._facts
        if facts is None or facts.outcome is not None:
            return
        self.done()
        if snapshot is not None:
            self._add_snapshot(facts, snapshot.parent.name, snapshot.name)
        facts.target = target
        facts.end(outcome, exit_code, self._now(), self._seconds())
        self._finish(facts)

    def succeed_check(self, gate_open: bool, *, decides: bool) -> None:
        """A check has its result, of the latest snapshot; one of a part of the checks `decides` nothing."""
        self._add_verdict("latest", decides=decides)
        outcome, code = outcome_of_gate(gate_open if decides else None, stands=decides)
        self.succeed(outcome, code)

    def succeed_publish(self, place: str) -> None:
        """A publication has its result, at a place that is shown without a password."""
        self._add_verdict("published")
        self.succeed(Outcome.DELIVERED, ExitCode.PASSED, target=place)

    def _add_verdict(self, pointer: Pointer, *, decides: bool = True) -> None:
        """What the gate said of a snapshot that another command made."""
        if (facts := self._facts) is None:
            return
        try:
            own = Lake(Path(facts.lake)).site(facts.site)
            snapshot = own.pointer(pointer)
            if snapshot is not None:
                facts.snapshot = snapshot.name
                if decides:
                    add_verdict(facts, own, snapshot.name)
        except DureError as error:
            for problem in error.problems:
                self.warn(problem)

    def _finish(self, facts: RunFacts) -> None:
        self._save(last=True)
        before = len(facts.problems)
        for ending in self._endings:
            for problem in told(ending, facts):
                self.warn(problem)
        if len(facts.problems) > before:
            self._save(last=True)
        self._inner.ended(
            f"run {facts.id}: {facts.outcome}, exit code {facts.exit_code}, {facts.seconds:.1f} s",
            outcome=str(facts.outcome),
            exit_code=facts.exit_code,
            seconds=facts.seconds,
            snapshot=facts.snapshot,
            gate=facts.gate,
            score=facts.score,
        )

    def _add_snapshot(self, facts: RunFacts, site: str, snapshot: str) -> None:
        for problem in told(lambda facts: add_snapshot(facts, Lake(Path(facts.lake)).site(site), snapshot), facts):
            self.warn(problem)

    def _add_own_snapshot(self, facts: RunFacts) -> None:
        """A run may fail after its snapshot stands, such as in the gate: then the newest one names the run."""
        if facts.command != "run":
            return
        try:
            own = Lake(Path(facts.lake)).site(facts.site)
            newest = own.latest_manifest()
        except DureError:
            return
        if newest is not None and newest.run == facts.id:
            self._add_snapshot(facts, own.site, newest.snapshot)

    def _end_stage(self) -> bool:
        stage, self._stage = self._stage, None
        if stage is None:
            return False
        stage.seconds = round(self._clock() - self._stage_began, 3)
        return True

    def _seconds(self) -> float:
        return round(self._clock() - self._began, 3)

    def _save(self, *, last: bool = False) -> None:
        with self._guard, self._once() as first:
            if first and self._facts is not None:
                for save in self._saves:
                    save(self._facts, last)

    @contextmanager
    def _once(self) -> Iterator[bool]:
        """Whether nothing is being saved yet: a warning of the ledger itself must not ask for the ledger again."""
        first, self._saving = not self._saving, True
        try:
            yield first
        finally:
            if first:
                self._saving = False


def told(work: Ending, facts: RunFacts) -> list[Problem]:
    """Does what belongs to watching a run, and returns why that failed: it never harms the run."""
    try:
        work(facts)
    except DureError as error:
        return error.problems
    # Not even by a bug, which is told by its kind, as its text may hold anything.
    except Exception as error:
        return [Problem("watch", f"failed: an unexpected {type(error).__name__}", "report this bug")]
    return []


def outcome_of_gate(gate_open: bool | None, *, stands: bool = True) -> tuple[Outcome, ExitCode]:
    """How a run ended by what the gate said, None where nobody asked; `stands` is false where no snapshot came of it."""
    if gate_open is not None:
        return (Outcome.PASSED, ExitCode.PASSED) if gate_open else (Outcome.CLOSED, ExitCode.GATE_CLOSED)
    return (Outcome.BUILT if stands else Outcome.DONE), ExitCode.PASSED


def _python() -> str:
    import platform

    return platform.python_version()
