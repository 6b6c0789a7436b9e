"""One reading of one file of the extract, by the reader of its format, one batch ahead of whoever takes the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from dure.landing.batches import TextBatch
from dure.landing.delimited import read_delimited
from dure.landing.fixed_width import read_fixed_width
from dure.landing.header import Headed
from dure.landing.layout import Layout
from dure.landing.opened import InputFile, OpenedFile, input_file
from dure.landing.parquet_text import read_parquet
from dure.landing.rejects import FileRejects


class Reading:
    """A context that reads one file."""

    def __init__(
        self,
        layout: Layout,
        headed: Headed,
        rejects: FileRejects,
        pool: ThreadPoolExecutor,
        wanted: Collection[str],
        *,
        careful: bool,
    ) -> None:
        self._layout, self._headed, self._rejects = layout, headed, rejects
        self._pool = pool
        self._wanted = frozenset(wanted)
        self._careful = careful
        self._opened: OpenedFile | None = None
        self.batches: Iterator[TextBatch] = iter(())

    def __enter__(self) -> Reading:
        layout, file, head = self._layout, self._headed.file, self._headed.head
        where = layout.at(file.shown)
        if layout.format == "parquet":
            self._digest = self._pool.submit(size_and_sha256, file.path)
            self.batches = read_parquet(file.path, where, self._wanted)
            return self
        self._opened = OpenedFile(file.path, file.shown, where, file.state).__enter__()
        careful = self._careful
        if layout.format == "fixed":
            self.batches = read_fixed_width(self._opened, layout, head, self._rejects, careful=careful)
        else:
            self.batches = read_delimited(self._opened, layout, head, self._rejects, self._wanted, careful=careful)
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.__exit__(None, None, None)

    def finish(self) -> InputFile:
        """The ledger entry of the file; raises ExtractNotReadyError if it changed meanwhile."""
        if self._opened is not None:
            return self._opened.finish()
        file = self._headed.file
        size, sha256 = self._digest.result()
        return input_file(file.path, file.shown, self._layout.at(file.shown), file.state, size, sha256)


def read_ahead(batches: Iterator[TextBatch], pool: ThreadPoolExecutor) -> Generator[TextBatch, None, None]:
    """The same batches; each is read and parsed while the one before is being worked on."""
    coming = pool.submit(next, batches, None)
    try:
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
    finally:
        wait([coming])  # so that nobody reads a file that its reading has closed


def size_and_sha256(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file that is not read from end to end otherwise."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
