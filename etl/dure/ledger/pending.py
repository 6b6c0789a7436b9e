"""Facts that the ledger did not take: one JSON document a line, until a later run enters them.

A line is the run as it was then; of several lines of one run the last counts. Lines are added and taken away under a
lock on the file, as runs of many sites share it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from dure.ledger.facts import RunFacts


@dataclass(frozen=True)
class Pending:
    """What a file holds: runs, each as its last line has it, and lines that are none."""

    runs: Sequence[RunFacts]
    unread: Sequence[bytes]


def add_pending(path: Path, facts: RunFacts) -> None:
    """Adds the run as it is now, durably; raises OSError."""
    with _locked(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as handle:
        size = os.fstat(handle).st_size
        torn = size and os.pread(handle, 1, size - 1) != b"\n"  # the machine stopped within a line
        line = (b"\n" if torn else b"") + facts.model_dump_json(exclude_defaults=True).encode() + b"\n"
        try:
            while line:
                line = line[os.write(handle, line) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise


def read_pending(path: Path) -> Pending:
    """What waits; nothing where there is no file. Raises OSError."""
    return _parsed(path.read_bytes()) if path.exists() else Pending((), ())


def enter_pending(path: Path, enter: Callable[[Sequence[RunFacts]], None]) -> Path | None:
    """Gives all that waits to `enter` and then removes the file; it stays whole when `enter` raises.

    Lines that cannot be read are kept in a file beside it, which is returned.
    """
    if not path.exists():
        return None
    aside = None
    with _locked(path, os.O_RDWR) as handle:
        found = _parsed(os.pread(handle, os.fstat(handle).st_size, 0))
        if found.runs:
            enter(found.runs)
        if found.unread:
            aside = path.with_name(f"{path.name}.unread-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
            _private(aside, b"".join(line + b"\n" for line in found.unread))
        path.unlink()
    return aside


def _private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _parsed(content: bytes) -> Pending:
    runs: dict[str, RunFacts] = {}
    unread = []
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            facts = RunFacts.model_validate_json(line)
        except ValidationError:
            unread.append(line)
        else:
            runs[facts.id] = facts
    return Pending(tuple(runs.values()), tuple(unread))


@contextmanager
def _locked(path: Path, flags: int) -> Iterator[int]:
    """The file, open and locked; what is locked is the file of that name, not one that was removed while waiting."""
    while True:
        handle = os.open(path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(handle), path.stat())
            except FileNotFoundError:
                same = False
            if same:
                yield handle
                return
        finally:
            os.close(handle)
