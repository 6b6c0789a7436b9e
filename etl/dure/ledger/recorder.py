"""Keeps the ledger of one run as it goes, and never harms the run: what the ledger does not take waits beside it."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from dure.errors import DureError, Problem
from dure.ledger.address import PENDING, Address
from dure.ledger.facts import RunFacts
from dure.ledger.pending import add_pending, enter_pending
from dure.ledger.process import is_alive
from dure.ledger.schema import LedgerError
from dure.ledger.snapshots import known_by_snapshot
from dure.ledger.store import BrokenLedgerError, Ledger
from dure.snapshot.lake import Lake

Warn = Callable[[Problem], None]
T = TypeVar("T")
# Seconds after which a ledger that does not answer is left alone: a server may be there and say nothing.
PATIENCE = 20.0
_LOCK = ".ledger.lock"


class Recorder:
    """Writes a run's facts whenever it is told to. What fails is told to `warn`, once, and raises nothing.

    A lake that is not there yet is not made for its ledger: the facts wait until the run has made it.
    """

    def __init__(self, address: Address, lake: Path, warn: Warn, patience: float = PATIENCE) -> None:
        self._address, self._lake, self._warn, self.patience = address, lake.absolute(), warn, patience
        self._ledger: Ledger | None = None
        self._failed = False

    def save(self, facts: RunFacts, *, last: bool = False) -> None:
        """Writes the facts as they are now; the `last` time of a run also asks a ledger that had failed once more."""
        if not self._lake.is_dir() and self._address.of_lake:
            return
        if not self._failed or last:
            try:
                self._enter(facts)
                return
            # Nothing that goes wrong in here may end a run, not even a bug; all of it is told.
            except Exception as error:
                self._tell(error)
        self._keep(facts)

    def _enter(self, facts: RunFacts) -> None:
        if self._ledger is None or self._failed:
            self._open(facts)
            self._failed = False
        ledger = self._ledger
        assert ledger is not None
        self._patiently(lambda: ledger.save([facts]))

    def _open(self, facts: RunFacts) -> None:
        ledger = Ledger(self._address)
        try:
            self._patiently(ledger.prepare)
        except BrokenLedgerError as broken:
            self._replace_broken(broken)
            ledger = Ledger(self._address)
            self._patiently(ledger.prepare)
        if not self._patiently(lambda: ledger.has_runs_of(facts.lake)):
            told = list(known_by_snapshot(Lake(self._lake)))
            self._patiently(lambda: ledger.save(told))
        self._enter_pending(ledger)
        self._patiently(lambda: _end_dead(ledger, facts))
        self._ledger = ledger

    def _enter_pending(self, ledger: Ledger) -> None:
        def enter(runs: Sequence[RunFacts]) -> None:
            self._patiently(lambda: ledger.save(runs))

        pending = self._lake / PENDING
        try:
            aside = enter_pending(pending, enter)
        except OSError as error:
            self._warn(_unusable(pending, error, "what waits there is not in the ledger yet"))
        else:
            if aside is not None:
                found = "holds lines that are no facts of a run, so that the ledger lacks them"
                self._warn(Problem(str(aside), found, "look at them, then remove the file"))

    def _replace_broken(self, broken: BrokenLedgerError) -> None:
        """Moves the broken file aside, unless another run has just done so."""
        file = self._address.file
        assert file is not None
        with _alone(file.parent):
            try:
                Ledger(self._address).prepare()
                return
            except BrokenLedgerError:
                pass
            aside = file.with_name(f"{file.name}.broken-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
            file.rename(aside)
            journal = file.with_name(f"{file.name}-journal")
            if journal.exists():  # it belongs to the broken file, and would break the new one
                journal.rename(aside.with_name(f"{aside.name}-journal"))
        self._warn(
            Problem(
                str(file),
                f"{broken.problems[0].found}; it is kept as {aside.name}",
                "nothing to do: a new ledger is begun, with what the lake's snapshots tell of the runs that made them;"
                " runs that made none are in the file kept",
            )
        )

    def _patiently(self, work: Callable[[], T]) -> T:
        """The result of the work, waited for as long as patience lasts; its thread does not keep the process."""
        result: Future[T] = Future()

        def do() -> None:
            try:
                result.set_result(work())
            except BaseException as error:
                result.set_exception(error)

        threading.Thread(target=do, name="ledger", daemon=True).start()
        try:
            return result.result(self.patience)
        except NoAnswer:
            if result.done():
                raise
            do_this = "see whether it is overloaded or stopped"
            raise LedgerError(
                Problem(self._address.shown, f"has not answered for {self.patience:g} s", do_this)
            ) from None

    def _keep(self, facts: RunFacts) -> None:
        pending = self._lake / PENDING
        try:
            add_pending(pending, facts)
        except OSError as error:
            if facts.outcome is not None:
                self._warn(_unusable(pending, error, f"the run {facts.id} is in no ledger"))

    def _tell(self, error: Exception) -> None:
        if self._failed:
            return
        self._failed = True
        problem = error.problems[0] if isinstance(error, DureError) else _unusable(self._address.shown, error, "")
        kept = f"the run goes on; its facts wait in {self._lake / PENDING} until a later run can enter them"
        self._warn(Problem(f"ledger {problem.where}", problem.found, f"{problem.do}; {kept}" if problem.do else kept))


def _end_dead(ledger: Ledger, facts: RunFacts) -> None:
    """Runs of the same site that have not ended and whose process is gone from this machine."""
    dead = [
        run.id
        for run in ledger.runs(facts.lake, sites=[facts.site], unfinished=True)
        if run.id != facts.id and is_alive(run.host, run.pid, run.process) is False
    ]
    if dead:
        ledger.end_dead(dead)


def _unusable(where: object, error: Exception, consequence: str) -> Problem:
    """What the system says of a file; of any other error its kind alone, as a text may hold anything."""
    found = error.strerror if isinstance(error, OSError) and error.strerror else f"an unexpected {type(error).__name__}"
    return Problem(str(where), f"cannot be used: {found}", consequence)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While one run replaces a broken ledger, others wait. The file stays, or two runs could lock two files of one name."""
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
