"""Runs many commands of Dure, each in a process of its own, so that none of them can harm another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

# Seconds that a child has to end in good order after it was asked to.
GRACE = 60.0
_LAST_LINES = 10.0


@dataclass(frozen=True)
class Child:
    """One command to run: what its lines are marked with, and the arguments after `dure`."""

    name: str
    arguments: Sequence[str]


class Children:
    """Runs children, some at one time. Each has a process group of its own: Ctrl-C comes to them through this one."""

    def __init__(
        self, out: TextIO, *, marked: bool, grace: float = GRACE, program: Sequence[str] = ("-m", "dure.cli")
    ) -> None:
        self._out, self._marked, self._grace, self._program = out, marked, grace, program
        self._guard, self._printing = threading.Lock(), threading.Lock()
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._stopping = False

    def run(
        self, children: Sequence[Child], jobs: int, begins: Callable[[Child], bool], ended: Callable[[Child, int], None]
    ) -> None:
        """Runs each child for which `begins` is true when its turn comes; `ended` hears its exit code, 128 + the signal
        for one that was killed.

        When this process is interrupted, no child begins any more, those that run are asked to end, and then the
        interruption goes on.
        """
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(self._one, child, begins, ended) for child in children]
            try:
                wait(futures)
            except BaseException:
                self._stop(futures)
                raise
            for future in futures:
                future.result()

    def _one(self, child: Child, begins: Callable[[Child], bool], ended: Callable[[Child, int], None]) -> None:
        with self._guard:
            if self._stopping or not begins(child):
                return
            process = subprocess.Popen(
                [sys.executable, *self._program, *child.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
                process_group=0,
            )
            self._running[child.name] = process
        passing = threading.Thread(target=self._pass_on, args=(child, process.stdout), daemon=True)
        passing.start()
        try:
            code = process.wait()
        finally:
            with self._guard:
                del self._running[child.name]
            # What it started itself, such as Java, goes with it: it would hold memory, and the pipe that is read here.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        passing.join(_LAST_LINES)
        ended(child, code if code >= 0 else 128 - code)

    def _pass_on(self, child: Child, lines: Iterable[str]) -> None:
        for line in lines:
            # Where nobody reads any more, the lines are still taken: a child that cannot write would wait for ever.
            with self._printing, suppress(OSError, ValueError):
                print(f"{child.name} | {line}" if self._marked else line, end="", file=self._out, flush=True)

    def _stop(self, futures: Sequence[object]) -> None:
        with self._guard:
            self._stopping = True
        try:
            self._signal(signal.SIGTERM)
            wait(futures, self._grace)  # type: ignore[arg-type]
        finally:  # also when somebody presses Ctrl-C a second time
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._guard:
            for process in self._running.values():
                process.send_signal(number)  # to itself; what it started, it ends
