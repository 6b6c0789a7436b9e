"""Which process a run is, told so that no other process is ever taken for it."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Where:
    """The machine, the account and the process; `process` is of this boot and this start, as process ids come again."""

    host: str
    user: str
    pid: int
    process: str


def here() -> Where:
    """This process."""
    return Where(socket.gethostname(), _user(), os.getpid(), _identity(os.getpid()) or "")


def is_alive(host: str, pid: int, process: str) -> bool | None:
    """Whether that process still runs; None where it cannot be told from here."""
    if host != socket.gethostname():
        return None
    return bool(process) and _identity(pid) == process


def _identity(pid: int) -> str | None:
    """The boot, the process and its start in clock ticks; None where there is no such process (or no /proc)."""
    try:
        # The name of the program, in parentheses, may hold blanks; the start is the 20th field behind it.
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        if after_name[0] == "Z":  # dead, and nobody has asked for its exit code yet
            return None
        return f"{_BOOT.read_text('ascii').strip()}/{pid}/{after_name[19]}"
    except (OSError, IndexError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in containers
        return str(os.getuid())
