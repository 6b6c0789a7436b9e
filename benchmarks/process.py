"""Runs a command and measures what it and all its descendants used: wall time, CPU time, peak memory.

Linux only: it reads /proc.  A descendant belongs to the command by its session, so a Java engine that was started in
the background counts too.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.05  # seconds between two looks at the processes


class CommandFailed(Exception):
    """A measured command ended badly; the message holds the end of what it said."""


@dataclass(frozen=True)
class Usage:
    """What one command used.

    `cpu` is user plus system seconds of all its processes; `peak_rss` bytes of resident memory of all of them at once,
    pages that they share counted once for each; `first_event` seconds from the start to the first JSON line that `until` chose, or None.
    """

    wall: float
    cpu: float
    peak_rss: int
    first_event: float | None


@dataclass
class _Watch:
    """What was seen of the processes of one session so far."""

    session: int
    cpu: dict[int, float]
    peak_rss: int = 0

    def until(self, over: threading.Event) -> None:
        while not over.wait(_EVERY):
            self.look()
        self.look()

    def look(self) -> None:
        rss = 0
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                stat = Path(entry.path, "stat").read_text(encoding="ascii", errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended between the two calls
            fields = stat.rpartition(")")[2].split()
            if int(fields[3]) != self.session:
                continue
            # utime and stime; the times of ended children are in their own last entry
            self.cpu[int(entry.name)] = (int(fields[11]) + int(fields[12])) / _TICK
            rss += int(fields[21]) * _PAGE
        self.peak_rss = max(self.peak_rss, rss)


def measure(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    until: Mapping[str, frozenset[str]] | None = None,
    environment: Mapping[str, str] | None = None,
    accepted: Sequence[int] = (0,),
) -> Usage:
    """Runs `command` to its end; raises CommandFailed unless it returns one of `accepted`.

    `until` maps a field of a JSON log line on standard error to the values looked for, e.g. {"event": {"table"}}: all
    fields must match.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=dict(environment) if environment is not None else None,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        seen: list[float] = []
        said: list[str] = []
        reader = threading.Thread(target=_listen, args=(process, until or {}, began, seen, said), daemon=True)
        reader.start()
        watch, over = _Watch(process.pid, {}), threading.Event()
        watcher = threading.Thread(target=watch.until, args=(over,), daemon=True)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        over.set()
        watcher.join()
        reader.join(timeout=10)
        if process.returncode not in accepted:
            output.seek(0)
            tail = "".join((said + output.readlines())[-30:])
            raise CommandFailed(f"{' '.join(str(p) for p in command)}\nended with {process.returncode}:\n{tail}")
    # What the kernel says of the command and the children it waited for, or what was seen of all: the larger, since
    # the first misses a Java engine that nobody waits for and the second the time after the last look.
    cpu = max(usage.ru_utime + usage.ru_stime, sum(watch.cpu.values()))
    return Usage(wall, cpu, max(watch.peak_rss, usage.ru_maxrss * 1024), seen[0] if seen else None)


def _listen(
    process: subprocess.Popen[str],
    until: Mapping[str, frozenset[str]],
    began: float,
    seen: list[float],
    said: list[str],
) -> None:
    """Reads standard error to its end; notes when the first wanted line came."""
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if seen or not until or not line.startswith("{"):
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if all(record.get(name) in values for name, values in until.items()):
            seen.append(time.monotonic() - began)
