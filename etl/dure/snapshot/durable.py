"""Writing so that it is still there after a power cut, and saying plainly when the disk refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EDQUOT, EFBIG, ENOLCK, ENOSPC, EOPNOTSUPP, EPERM, EROFS
from pathlib import Path

from dure.errors import DureError, ExitCode, Problem


class LakeError(DureError):
    """The lake cannot be read or written: its disk, its rights, or a file somebody changed by hand."""

    exit_code = ExitCode.CONFIGURATION


_ADVICE = {
    ENOSPC: "make room on that disk",
    EDQUOT: "raise the disk quota of this user, or make room",
    EFBIG: "raise the limit on file sizes (ulimit -f)",
    EACCES: "give this user the right to write there, or choose another --lake",
    EPERM: "give this user the right to write there, or choose another --lake",
    EROFS: "mount that disk for writing, or choose another --lake",
    ENOLCK: "put the lake on a file system that has locks (a local disk)",
    EOPNOTSUPP: "put the lake on a file system that has locks (a local disk)",
}


_FULL = (ENOSPC, EDQUOT, EFBIG)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether that is at the bottom of the error; an engine passes the system's message on as text."""
    while error is not None:
        said = str(error)
        if getattr(error, "errno", None) in _FULL or any(os.strerror(code) in said for code in _FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def lake_access(folder: Path, consequence: str = "") -> Iterator[None]:
    """Turns an OSError inside into a LakeError that names the file, the reason and what to do.

    `consequence` ends the message: what the failure means for the snapshots that are already there.
    """
    try:
        yield
    except OSError as error:
        do = _ADVICE.get(error.errno or 0, "look at the disk that holds the lake") + ", then run again"
        name = error.filename if isinstance(error.filename, str) else str(folder)
        found = error.strerror or type(error).__name__
        raise LakeError(Problem(name, found, f"{do}{consequence and '; ' + consequence}")) from error


@contextmanager
def private_files() -> Iterator[None]:
    """What is made inside, by this process or by the engine in it, is for its owner alone (umask 077)."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(folder: Path) -> None:
    """The folder and its parents, each made one durable in the one above."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's list of names, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Every file below the folder, then every folder, the deepest first."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(parent) / name)
        sync(Path(parent))


def replace_file(path: Path, content: bytes) -> None:
    """The file holds either what it held before or all of `content`, whenever the machine stops."""
    beside = path.with_name(f".{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    beside.replace(path)
    sync(path.parent)
