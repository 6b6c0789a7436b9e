"""Which run holds a site, seen from outside: without taking the lock, which would stop a run that begins just now."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_KERNEL = Path("/proc/locks")


@dataclass(frozen=True)
class Holder:
    """What the lock file says of the run that took it last, and whether that still holds it (None: not to be told here)."""

    pid: int
    host: str
    since: datetime
    holds: bool | None


def holder_of(site_folder: Path) -> Holder | None:
    """The run that holds the site, or that died holding it; None when the last one ended in good order."""
    path = site_folder / "lock"
    try:
        said = json.loads(path.read_bytes() or b"null")
        inode = path.stat().st_ino
        pid, host, since = int(said["pid"]), str(said["host"]), datetime.fromisoformat(said["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Holder(pid, host, since, _holds(pid, inode) if host == socket.gethostname() else None)


def _holds(pid: int, inode: int) -> bool | None:
    """Whether the process has a lock on that file; its device is not compared, as some file systems show another."""
    try:
        locks = _KERNEL.read_text("ascii")
    except OSError:
        return None
    # 1: FLOCK  ADVISORY  WRITE 4711 08:01:1234567 0 EOF, and lines with -> for those that wait.
    for line in locks.splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[1] == "FLOCK" and fields[4] == str(pid) and fields[5].endswith(f":{inode}"):
            return True
    return False
