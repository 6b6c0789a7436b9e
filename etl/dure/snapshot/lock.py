"""One run at a time for a site: a kernel lock, which ends with the process however that ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dure.errors import Problem, SiteLockedError
from dure.snapshot.durable import lake_access


@contextmanager
def held(path: Path, site: str) -> Iterator[None]:
    """Holds the lock file; SiteLockedError, with the holder's process and start, when another run has it.

    The file stays there after the run (removing it would let two runs lock two different files of one name) and says
    nothing then.
    """
    with lake_access(path.parent):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with lake_access(path):
            _take(handle, path, site)
            _write_holder(handle)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _take(handle: int, path: Path, site: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SiteLockedError(
            Problem(
                str(path),
                f"another run holds the site {site}{_holder(handle)}",
                "wait until it ends, or stop it; the lock goes with its process, so never delete the file",
            )
        ) from None


def _write_holder(handle: int) -> None:
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(holder).encode(), 0)


def _holder(handle: int) -> str:
    """Who has it, as far as the file says: it is empty for the instant between locking and writing."""
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f": process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return ", started this moment"
