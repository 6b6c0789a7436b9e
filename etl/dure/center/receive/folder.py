"""A package as a folder: only plain files that the manifest lists, opened without following a link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dure.center.receive.limits import CHUNK
from dure.center.receive.refused import plain, refuse
from dure.publish.package import SIGNATURE
from dure.snapshot.manifest import MANIFEST

_SAFE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folder:
    """One folder, held open: what is put in its place meanwhile is not looked at."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def first(self, name: str, most: int) -> bytes:
        """The content of one of the files at the top, at most `most` bytes."""
        with self._opened(name) as (file, size):
            if size > most:
                raise refuse("too_large", name, size=size, most=most)
            return file.read(most + 1)[:most]

    def lists(self, names: Sequence[str]) -> None:
        """Every file and folder below must be listed; nothing is opened but the folders of tables."""
        tables = {name.partition("/")[0] for name in names}
        listed = {*names, MANIFEST, SIGNATURE}
        for entry in self._entries(self._handle, ""):
            if entry in tables:
                table = os.open(entry, _SAFE | os.O_DIRECTORY, dir_fd=self._handle)
                try:
                    for inner in self._entries(table, f"{entry}/"):
                        if f"{entry}/{inner}" not in listed:
                            raise refuse("not_listed", plain(f"{entry}/{inner}"))
                finally:
                    os.close(table)
            elif entry not in listed:
                raise refuse("not_listed", plain(entry))

    def take(self, name: str, size: int, target: Path) -> str:
        """Copies a listed file of `size` bytes to a new one; the SHA-256 of what was copied."""
        digest = hashlib.sha256()
        with self._opened(name) as (file, found), target.open("xb") as out:
            if found != size:
                raise refuse("another_size", name, found=found, expected=size)
            left = size
            while left:
                piece = file.read(min(left, CHUNK))
                if not piece:
                    raise refuse("cut_short", name)
                out.write(piece)
                digest.update(piece)
                left -= len(piece)
        return digest.hexdigest()

    def end(self) -> None:
        """Nothing follows in a folder: `lists` has seen all of it."""

    def _entries(self, handle: int, above: str) -> Iterator[str]:
        with os.scandir(handle) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                if not (stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and not above)):
                    raise refuse("not_a_file", plain(above + entry.name), kind=_kind(mode))
                yield entry.name

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[BinaryIO, int]]:
        parent, _, last = name.rpartition("/")
        folder = self._handle
        try:
            if parent:
                folder = os.open(parent, _SAFE | os.O_DIRECTORY, dir_fd=self._handle)
            handle = os.open(last, _SAFE, dir_fd=folder)
        except FileNotFoundError:
            raise refuse("member_missing", name) from None
        except OSError as error:
            raise refuse("not_a_file", name, kind=error.strerror or "something else") from None
        finally:
            if parent and folder != self._handle:
                os.close(folder)
        with os.fdopen(handle, "rb") as file:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode):
                raise refuse("not_a_file", name, kind=_kind(state.st_mode))
            yield file, state.st_size


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")
