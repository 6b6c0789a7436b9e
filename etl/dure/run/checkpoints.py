"""Checkpoints of a run: one after each stage, and the choice of going on from the last or beginning anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Self

from dure.errors import DeadlineError, DureError
from dure.progress import Progress
from dure.run.fingerprint import SALTS, different, salts_digest
from dure.run.handed import Handed
from dure.run.state import RunState, Stage
from dure.snapshot.checkpoint import (
    AREAS,
    Checkpoint,
    files_now,
    lost_files,
    read_checkpoint,
    remove_unfinished,
    settle,
    write_checkpoint,
)
from dure.snapshot.durable import disk_is_full
from dure.snapshot.lake import SiteLake, Staging

# A checkpoint from which so many runs got no further is given up: perhaps it is itself what stops them.
ATTEMPTS = 2


class Checkpoints:
    """The checkpoints of one run; a context, on leaving which the newest is on disk.

    Each is written in the background while the next stage runs, so that the run does not wait for the disk. A stage of
    which the checkpoint was not written yet when the machine stopped is done again.
    """

    def __init__(
        self,
        staging: Staging,
        started: datetime,
        inputs: Mapping[str, str],
        last: Checkpoint[Handed] | None = None,
    ) -> None:
        self.staging, self.started, self.inputs = staging, started, inputs
        self._last = last
        self._written = last is not None
        self._done = list(self.finished)
        self._unsaved: set[str] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if error is None:
            self.wait()

    @property
    def finished(self) -> tuple[str, ...]:
        """The stages that need not be done again."""
        return self._last.stages if self._last else ()

    @property
    def written(self) -> bool:
        """Whether a checkpoint is on disk."""
        return self._written

    def give(self, run: RunState) -> None:
        """Fills the state of a run that goes on."""
        if self._last is not None:
            self._last.handed.give(run)

    def after(self, stage: Stage, run: RunState) -> None:
        """Has it written down that the stage has ended; raises what the writing of the one before raised.

        Not where another process could not go on from there: the run says so, or work begun early still makes files
        where this stage made its own. What areas such work is busy in is left to a later checkpoint.
        """
        self.wait()
        self._done.append(stage.name)
        self._unsaved |= {stage.writes}
        busy = run.early.busy
        skipped = len(self._done) > len(self.finished) + 1
        if not run.resumable or self._unsaved & busy or (skipped and busy):
            return
        before = self._last.files if self._last else {}
        files = files_now(self.staging, [area for area in AREAS if area not in busy], before)
        self._last = Checkpoint[Handed](
            snapshot=self.staging.snapshot,
            started=self.started,
            stages=tuple(self._done),
            inputs={**self.inputs, SALTS: salts_digest(run.lake)},
            files=files,
            handed=Handed.of(run),
        )
        self._unsaved.clear()
        new = [name for name, size in files.items() if before.get(name) != size]
        self._writing = self._pool.submit(self._write, self._last, new)

    def _write(self, checkpoint: Checkpoint[Handed], new: Sequence[str]) -> None:
        settle(self.staging, new)
        write_checkpoint(self.staging, checkpoint)
        self._written = True

    def wait(self) -> None:
        """Until the newest checkpoint is on disk; raises what its writing raised."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None


def cut_off_run(
    own: SiteLake,
    inputs: Mapping[str, str],
    stages: Sequence[str],
    progress: Progress,
    not_before: datetime | None = None,
) -> Checkpoints | None:
    """The run that was cut off, where it can be gone on with; what it had begun after its last stage is removed.

    None where there is none, or where it must be begun anew, which is said: something differs on which the outcome
    depends, it began before `not_before`, a file is lost, or runs before got no further from there.
    """
    dead = own.cut_off()
    if dead is None:
        return None
    last = read_checkpoint(own.staged_work(dead), Checkpoint[Handed])
    if last is None or last.snapshot != dead:
        return None
    if why := _why_anew(last, inputs, stages, not_before):
        progress.note(f"the run {dead} was cut off after {last.stage}; beginning anew, as {why}")
        return None
    staging = own.resume(dead)
    if lost := lost_files(staging, last.files):
        progress.note(f"the run {dead} was cut off after {last.stage}; beginning anew, as it lost {len(lost)} files")
        return None
    remove_unfinished(staging, last.files)
    last = last.model_copy(update={"resumed": last.resumed + 1})
    write_checkpoint(staging, last)
    progress.note(f"going on with the run {dead}, which was cut off after {last.stage}")
    return Checkpoints(staging, last.started, inputs, last)


def leaves_a_checkpoint(error: BaseException) -> bool:
    """Whether a run that ends so is to be gone on with: somebody stopped it, its time or memory was up, or what ran it
    broke.

    A mistake in the spec or the extract, rows that do not add up and a full disk are none of these: what the run wrote
    goes, so that the space is there for others.
    """
    if isinstance(error, DeadlineError):
        return True
    return not isinstance(error, DureError) and not disk_is_full(error)


def _why_anew(
    last: Checkpoint[Handed], inputs: Mapping[str, str], stages: Sequence[str], not_before: datetime | None
) -> str:
    if differ := different(last.inputs, inputs):
        return f"these differ now: {', '.join(differ)}"
    if tuple(stages[: len(last.stages)]) != last.stages:
        return "the stages of a run are others now"
    if not_before is not None and last.started < not_before:
        return "what it read of a database is too old"
    if last.resumed >= ATTEMPTS:
        return f"{last.resumed} runs got no further from there"
    return ""
