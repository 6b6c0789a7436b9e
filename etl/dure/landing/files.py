"""Landing the files of one source one by one: each file a part, its rows all accounted for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.errors import IntegrityError, Problem, SourceError
from dure.landing.batches import NeedsCare
from dure.landing.header import Headed
from dure.landing.landed import FileLanded, sha256_of
from dure.landing.layout import Layout
from dure.landing.opened import InputFile, OpenedFile, refuse_changed
from dure.landing.parts import PartWriter
from dure.landing.reading import Reading, read_ahead
from dure.landing.rejects import FileRejects, LandingRejectReason, RejectLog
from dure.landing.rows import OPTED_OUT, RowMaker
from dure.landing.text import likely_encodings
from dure.progress import Progress

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]

# A file of at least this many records of which more than half are rejected is read the wrong way, not dirty.
FEW_RECORDS = 10


class Unread:
    """What one source has beside its landed rows: records rejected and rows of persons who opted out; a context."""

    def __init__(self, source: str, out: Path) -> None:
        self._path = out / "_opted_out" / f"{source}.parquet"
        self._path.unlink(missing_ok=True)
        self._opted_out: list[pa.RecordBatch] = []
        self.log = RejectLog(source, out)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.log.close()

    def leave_out(self, rows: list[pa.RecordBatch]) -> None:
        self._opted_out += rows

    def met(self, keys: pa.Array) -> Numbers:
        """For each row left out whose key is one of `keys`, the place of that key."""
        places = [pc.index_in(rows["_key"], value_set=keys).drop_null().to_numpy() for rows in self._opted_out]
        return np.concatenate(places).astype(np.int64) if places else np.empty(0, np.int64)

    def forget(self, keys: pa.Array) -> None:
        """Takes the rows of these keys off the list of those left out."""
        kept = [rows.filter(pc.invert(pc.is_in(rows["_key"], value_set=keys))) for rows in self._opted_out]
        self._opted_out = [rows for rows in kept if len(rows)]

    @property
    def opted_out(self) -> int:
        return sum(map(len, self._opted_out))

    def rejected(self) -> dict[str, int]:
        return {r.value: n for r, n in sorted(self.log.counts.items(), key=lambda each: each[0].value)}

    def finish(self) -> None:
        """Writes what was kept."""
        self.log.finish()
        if self._opted_out:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_batches(self._opted_out, OPTED_OUT), self._path)


class FilesLanding:
    """The files of one source on their way into `folder`, which is cleared of parts; a context that leaves nothing open."""

    def __init__(self, layout: Layout, maker: RowMaker, folder: Path, unread: Unread) -> None:
        self._layout = layout
        self._maker = maker
        self._folder = folder
        self._unread = unread
        self._stack = ExitStack()
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("part-*.parquet"):
            old.unlink()

    def __enter__(self) -> Self:
        # One thread reads ahead, one writes, and one hashes Parquet.
        self._pool = self._stack.enter_context(ThreadPoolExecutor(3, thread_name_prefix="landing"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def land(self, headed: Headed, part: int, progress: Progress | None) -> FileLanded:
        """Lands one file as one part; a second, careful reading follows where the first one met what it cannot read."""
        path = self._folder / f"part-{part:05d}.parquet"
        file = headed.file
        where = self._layout.at(file.shown)
        try:
            try:
                return self._land(headed, path, careful=False)
            except NeedsCare:
                refuse_changed(file.path, where, file.state)
                if progress is not None:
                    progress.note(f"{where}: unreadable lines; reading it again, line by line")
                return self._land(headed, path, careful=True)
        except SourceError:
            # What cannot be read may be what is being written.
            refuse_changed(file.path, where, file.state)
            raise

    def _land(self, headed: Headed, path: Path, *, careful: bool) -> FileLanded:
        log = self._unread.log
        rejects = log.begin_file()
        opted_out: list[pa.RecordBatch] = []
        read = 0
        writer = PartWriter(path, self._maker.schema, self._pool)
        try:
            with Reading(self._layout, headed, rejects, self._pool, self._maker.wanted, careful=careful) as reading:
                with closing(read_ahead(reading.batches, self._pool)) as batches:
                    for batch in batches:
                        read += len(batch.rows)
                        landed, out = self._maker.rows(batch, headed.file.shown)
                        writer.write(landed)
                        if out is not None:
                            opted_out.append(out)
                entry = reading.finish()
            read += len(rejects)
            self._refuse_mostly_rejected(headed, rejects, read)
            written = writer.close()
            left = sum(map(len, opted_out))
            self._add_up(entry, read, written, len(rejects), left)
        except BaseException:
            writer.abandon()
            log.discard(rejects)
            raise
        self._unread.leave_out(opted_out)
        log.keep(headed.file.shown, rejects)
        counts = {reason.value: n for reason, n in rejects.counts().items()}
        return FileLanded(entry, path.name, sha256_of(path), read, written, counts, left)

    def _add_up(self, file: InputFile, read: int, landed: int, rejected: int, opted_out: int) -> None:
        if read != landed + rejected + opted_out:
            found = f"read {read:,}, landed {landed:,}, rejected {rejected:,}, opted out {opted_out:,}"
            where = self._layout.at(file.path)
            raise IntegrityError(Problem(where, f"rows do not add up: {found}", "report this as a bug"))

    def _refuse_mostly_rejected(self, headed: Headed, rejects: FileRejects, read: int) -> None:
        if read < FEW_RECORDS or 2 * len(rejects) <= read:
            return
        layout, file = self._layout, headed.file
        where = layout.at(file.shown)
        reason, _ = rejects.counts().most_common(1)[0]
        do = "check delimiter, quote, header and skip_lines of the source"
        if reason is LandingRejectReason.UNDECODABLE:
            with OpenedFile(file.path, file.shown, where, file.state) as opened:
                likely = likely_encodings(opened.read(1 << 20), layout.encoding)
            do = f"declared is {layout.encoding}" + (f"; {' or '.join(likely)} reads it" if likely else "")
        found = f"{len(rejects):,} of {read:,} records cannot be read; most of them: {reason.description}"
        raise SourceError(Problem(where, found, do))
