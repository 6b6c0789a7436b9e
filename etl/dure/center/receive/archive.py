"""A package in one file, read block by block by our own code.

The archive that `dure publish` writes is known beforehand to the last byte but for its contents: names and sizes stand
in the manifest, owners and times are fixed. So each header is compared with the only one that can stand there. Links,
devices, paths that lead out, repeated or hidden members, sparse files and extended headers have no way in, because
nothing that a header says is ever acted upon.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from dure.center.receive.limits import CHUNK
from dure.center.receive.refused import PackageRefused, refuse

BLOCK = tarfile.BLOCKSIZE
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder",
    b"6": "a pipe",
    b"x": "an extended header",
    b"g": "an extended header",
    b"X": "an extended header",
    b"L": "a long name",
    b"K": "a long link",
    b"S": "a sparse file",
    b"V": "a volume label",
    b"M": "a continued file",
}


class Archive:
    """One archive, read once from its beginning to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._read = 0

    def first(self, name: str, most: int) -> bytes:
        """The content of the next member, which must be `name` with at most `most` bytes."""
        header = self._header(name)
        size = _size(header)
        if size is not None and size > most:
            raise refuse("too_large", name, size=size, most=most)
        self._compare(header, name, size if size is not None else 0)
        content = self._exactly(size or 0, name)
        self._padding(len(content), name)
        return content

    def lists(self, names: Sequence[str]) -> None:
        """Nothing to hold against the manifest yet: a member is seen when its turn has come."""

    def take(self, name: str, size: int, target: Path) -> str:
        """Writes the next member, which must be `name` with `size` bytes, to a new file; its SHA-256."""
        self._compare(self._header(name), name, size)
        digest = hashlib.sha256()
        left = size
        with target.open("xb") as out:
            while left:
                piece = self._exactly(min(left, CHUNK), name)
                out.write(piece)
                digest.update(piece)
                left -= len(piece)
        self._padding(size, name)
        return digest.hexdigest()

    def end(self) -> None:
        """Nothing may follow but the zeros with which an archive ends."""
        ending = 2 * BLOCK
        ending += -(self._read + ending) % tarfile.RECORDSIZE
        found = self._file.read(ending + 1)
        if len(found) < ending and not any(found):
            raise refuse("cut_short", "the end of the archive")
        if len(found) != ending or any(found):
            raise refuse("more_than_listed", "the end of the archive", kind=_kind(found[:BLOCK]))

    def _header(self, name: str) -> bytes:
        header = self._file.read(BLOCK)
        self._read += len(header)
        if len(header) < BLOCK:
            raise refuse("cut_short", name)
        if not any(header):
            raise refuse("member_missing", name)
        return header

    def _compare(self, header: bytes, name: str, size: int) -> None:
        if header == header_of(name, size):
            return
        raise self._other(header, name, size)

    def _other(self, header: bytes, name: str, size: int) -> PackageRefused:
        kind = _kind(header)
        if kind in _KINDS.values():
            return refuse("not_a_file", name, kind=kind)
        if kind == "no archive header":
            return refuse("no_archive", name)
        if header[:100].rstrip(b"\0") != name.encode():
            return refuse("another_member", name)
        found = _size(header)
        if found != size:
            return refuse("another_size", name, found=-1 if found is None else found, expected=size)
        return refuse("another_header", name)

    def _exactly(self, size: int, name: str) -> bytes:
        content = self._file.read(size)
        self._read += len(content)
        if len(content) < size:
            raise refuse("cut_short", name)
        return content

    def _padding(self, size: int, name: str) -> None:
        if any(self._exactly(-size % BLOCK, name)):
            raise refuse("another_header", name)


def header_of(name: str, size: int) -> bytes:
    """The only header with which `dure publish` writes a member."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, 0
    return member.tobuf(tarfile.GNU_FORMAT)


def _kind(header: bytes) -> str:
    if header[257:262] != b"ustar":
        return "no archive header"
    return _KINDS.get(header[156:157], "a file")


def _size(header: bytes) -> int | None:
    """The size that a header says, None where it says none in octal digits."""
    try:
        return int(header[124:136].rstrip(b"\0 ").decode("ascii"), 8)
    except ValueError:
        return None
