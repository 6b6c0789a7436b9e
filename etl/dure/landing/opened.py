"""One file of the extract while it is read: its bytes unpacked, its SHA-256 on the way, and whether it stayed the same."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dure.errors import ExtractNotReadyError, Problem, SourceError

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class InputFile:
    """One input file as it was read: path relative to the extract, size, SHA-256 of its bytes, time of change (UTC)."""

    path: str
    bytes: int
    sha256: str
    modified: str


@dataclass(frozen=True)
class FileState:
    """What must not change between the first look at a file and the last byte read."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        stat = path.stat()
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


class HashedFile:
    """The stored bytes of a file; everything read goes through the hash."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb", buffering=0)
        self._hash = hashlib.sha256()
        self.bytes = 0

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (part := self._file.read(size)):
            self._hash.update(part)
            self.bytes += len(part)
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def drain(self) -> str:
        """The SHA-256 of the whole file, reading what nobody asked for."""
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Refused: what is skipped would miss the hash. gzip needs it in name only."""
        raise io.UnsupportedOperation("seek")

    def close(self) -> None:
        self._file.close()


class OpenedFile:
    """A context that reads a file, unpacked when it is gzip (known by its first bytes, not its name)."""

    def __init__(self, path: Path, shown: str, where: str, state: FileState) -> None:
        self.path = path
        self.shown = shown
        self.where = where
        self._state = state
        self._stored: HashedFile | None = None
        self._unpacked: gzip.GzipFile | None = None
        self.error: SourceError | None = None

    def __enter__(self) -> Self:
        try:
            with self.path.open("rb") as start:
                magic = start.read(4)
            self._stored = HashedFile(self.path)
        except OSError as error:
            raise self._unreadable(error) from error
        if magic == ZIP_MAGIC:
            raise SourceError(Problem(self.where, "is a zip archive", "unpack it, or pack it with gzip"))
        if magic.startswith(GZIP_MAGIC):
            self._unpacked = gzip.GzipFile(fileobj=self._stored, mode="rb")
        elif self.path.suffix == ".gz":
            raise SourceError(Problem(self.where, "is named .gz but is not gzip", "export it again, or rename it"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stored is not None:
            self._stored.close()

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        assert self._stored is not None, "used outside its context"
        try:
            return self._unpacked.read(size) if self._unpacked is not None else self._stored.read(size)
        except EOFError as error:
            found = f"the gzip file ends too early, after {self._stored.bytes:,} bytes"
            self.error = SourceError(Problem(self.where, found, "copy or export it again; nothing of it was used"))
            raise self.error from error
        except (zlib.error, gzip.BadGzipFile) as error:
            self.error = SourceError(Problem(self.where, "the gzip file is damaged", "copy or export it again"))
            raise self.error from error
        except OSError as error:
            self.error = self._unreadable(error)
            raise self.error from error

    def finish(self) -> InputFile:
        """What was read; raises ExtractNotReadyError when the file is no longer the one that was first looked at."""
        assert self._stored is not None, "used outside its context"
        sha256 = self._stored.drain()
        return input_file(self.path, self.shown, self.where, self._state, self._stored.bytes, sha256)

    def _unreadable(self, error: OSError) -> SourceError:
        return SourceError(
            Problem(self.where, f"cannot be read: {error.strerror}", "check the file and its permissions")
        )


def input_file(path: Path, shown: str, where: str, before: FileState, size: int, sha256: str) -> InputFile:
    """The ledger entry of a file that was read to its end and did not change meanwhile."""
    refuse_changed(path, where, before, size)
    modified = datetime.fromtimestamp(before.modified_ns // 1_000_000_000, UTC).isoformat()
    return InputFile(shown, size, sha256, modified)


def refuse_changed(path: Path, where: str, before: FileState, read: int | None = None) -> None:
    """Raises ExtractNotReadyError, saying how, where a file is no longer what it was, or had another size when `read`."""
    if (found := how_changed(path, before, read)) is not None:
        do = "let the export finish first (write under another name, then rename), and run again"
        raise ExtractNotReadyError(Problem(where, f"the file {found} while it was read", do))


def how_changed(path: Path, before: FileState, read: int | None = None) -> str | None:
    """What happened to a file since it was first looked at; None where nothing did."""
    try:
        after = FileState.of(path)
    except OSError:
        return "vanished"
    if (after.device, after.inode) != (before.device, before.inode):
        return "was replaced by another"
    if after.size > before.size or (read is not None and read > before.size):
        return "grew"
    if after.size < before.size or (read is not None and read < before.size):
        return "was cut"
    return "was written to" if after.modified_ns != before.modified_ns else None
