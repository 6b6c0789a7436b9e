"""How a command ends: which exit code, which words, and where a traceback goes that may show values of patients."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from dure.errors import DureError, ExitCode, Problem
from dure.progress import Reporter, reporter
from dure.snapshot.durable import disk_is_full

INTERRUPTED = 130
TERMINATED = 143


@dataclass
class State:
    """What the end of the command needs to know of it, filled in as soon as the options are read."""

    reporter: Reporter | None = None
    debug: bool = False
    lake: Path | None = None
    writes_snapshot: bool = False

    def report(self) -> Reporter:
        return self.reporter or reporter("plain")


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end (SIGTERM, SIGHUP): it stops as for Ctrl-C, so that engines and locks end well."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> NoReturn:
        # Once: a service manager and `run --all` may both ask, and the second time must not cut the ending short.
        for asked in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, signal.SIG_IGN)
        raise Terminated

    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_DFL  # nohup has its reasons
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped(state: State, error: click.Abort) -> int:
    terminated = isinstance(error.__cause__, Terminated)
    text = "stopped on request" if terminated else "stopped by Ctrl-C"
    kept = (
        "the snapshot before is unchanged; the next run goes on after the last stage that ended"
        if state.writes_snapshot
        else ""
    )
    code = TERMINATED if terminated else INTERRUPTED
    _end(state, [Problem("", text, kept)], code)
    return code


def failed(state: State, error: DureError) -> int:
    if state.debug:
        traceback.print_exception(error)
    _end(state, sorted(error.problems, key=_by_place), error.exit_code)
    return int(error.exit_code)


def _by_place(problem: Problem) -> list[tuple[int, str]]:
    """Sorts `site.yaml:9` before `site.yaml:10`."""
    return [(int(part) if part.isdecimal() else 0, part) for part in re.split(r"([0-9]+)", problem.where)]


def apologised(state: State, error: Exception) -> int:
    """An error that nobody planned for. What it says may hold a patient's value, so it goes to a private file alone."""
    kept = "The snapshot before is unchanged. " if state.writes_snapshot else ""
    if disk_is_full(error):
        problem = Problem(
            "",
            "no space left on a disk that the command writes to, or a limit on file sizes is met",
            f"{kept}Make room, then run again.",
        )
        _end(state, [problem], ExitCode.CONFIGURATION)
        return int(ExitCode.CONFIGURATION)
    if state.debug:
        traceback.print_exception(error)
        where = "above"
    else:
        where = f"in {_write_traceback(state.lake, error)} (for your eyes: it may show values of patients)"
    found = f"sorry, this is a bug in Dure: an unexpected {type(error).__name__}; the traceback is {where}"
    _end(state, [Problem("", found, kept.strip())], ExitCode.BUG)
    return int(ExitCode.BUG)


def _end(state: State, problems: list[Problem], code: int) -> None:
    report = state.report()
    report.done()
    report.failed(problems, code)


def _write_traceback(lake: Path | None, error: BaseException) -> Path:
    """A new file that its owner alone can read: in the lake, or among the temporary files when that cannot be."""
    text = "".join(traceback.format_exception(error))
    name = f"dure-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-"
    if lake is not None and lake.is_dir():
        folder = lake / "errors"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            return _private_file(folder, name, text)
        except OSError:
            return _private_file(None, name, text)
    return _private_file(None, name, text)


def _private_file(folder: Path | None, name: str, text: str) -> Path:
    handle, path = tempfile.mkstemp(".txt", name, folder)  # makes it with mode 0600
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(path)
