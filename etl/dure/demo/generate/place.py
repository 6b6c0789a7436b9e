"""A folder that is there whole or not at all: written beside its place, then renamed into it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EWOULDBLOCK
from pathlib import Path

from dure.errors import ConfigurationError, Problem

MARK = "demo.json"
"""The file that says what the folder holds, and by which it is known to be one of ours."""
MADE_BY = "dure demo generate"


def check_place(folder: Path, *, force: bool) -> None:
    """Refuses a place that holds something which is not ours to replace."""
    place = folder.resolve()
    if any(place in (home, *home.parents) for home in (Path.cwd(), Path.home())):
        raise _refused(folder, "holds the working directory or the home directory", "name a folder of its own")
    if place.is_dir():
        if not force and any(place.iterdir()) and not _is_ours(place):
            do = "choose an empty or new folder, or say --force to replace all that it holds"
            raise _refused(folder, f"is not empty, and no {MARK} in it says that this command wrote it", do)
    elif place.exists():
        raise _refused(folder, "is not a folder", "name a folder")


@contextmanager
def put_in_place(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, which takes its place when the block ends well and is gone when it does not.

    What a killed run left beside is cleared away by the next; two at a time are refused.
    """
    place = folder.resolve()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place) as beside:
            try:
                yield beside
                _replace(place, beside)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else str(folder)
        found = error.strerror or type(error).__name__
        raise _refused(
            Path(name), found, "make room, see to the rights, or choose another --out, and run again"
        ) from error


@contextmanager
def _alone(place: Path) -> Iterator[Path]:
    """The emptied folder beside, held by its lock; the lock goes with this process, however it ends."""
    beside = place.with_name(f".{place.name}.new")
    beside.mkdir(exist_ok=True)
    held = os.open(beside, os.O_RDONLY | os.O_DIRECTORY)
    try:
        busy = False
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != EWOULDBLOCK:
                raise
            busy = True
        # Whoever held it a moment ago may have renamed it since: then the lock is on a folder that is no longer here.
        if busy or not beside.exists() or not os.path.samestat(os.fstat(held), beside.stat()):
            raise _refused(place, "another command is writing it now", "wait for that, or choose another --out")
        for left in beside.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield beside
    finally:
        os.close(held)


def _replace(place: Path, beside: Path) -> None:
    if not place.exists():
        beside.rename(place)
        return
    former = place.with_name(f".{place.name}.old")
    shutil.rmtree(former, ignore_errors=True)
    place.rename(former)
    beside.rename(place)
    shutil.rmtree(former, ignore_errors=True)


def _is_ours(place: Path) -> bool:
    try:
        about = json.loads((place / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and about.get("made_by") == MADE_BY


def _refused(folder: Path, found: str, do: str) -> ConfigurationError:
    return ConfigurationError(Problem(str(folder), found, do))
