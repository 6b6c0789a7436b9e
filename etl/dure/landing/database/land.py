"""Landing one source of a database: its rows become the same parts as those of files, one part a range.

What was read of a range stays when the connection is lost; the next connection goes on behind it, in a transaction of its
own. A range of which the new transaction counts other rows than were read is read again, with all that follow.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from dure.errors import ExtractNotReadyError, IntegrityError, Problem, SourceError
from dure.landing.batches import TextBatch
from dure.landing.database.describe import layout_of_query, refuse_unusable
from dure.landing.database.place import Place, place_of
from dure.landing.database.ranges import NoRangesError, conditions
from dure.landing.database.session import Column, Session
from dure.landing.database.trouble import ConnectionLostError
from dure.landing.files import Unread
from dure.landing.header import landed_columns
from dure.landing.land import new_columns, of_new_columns
from dure.landing.landed import Base, DatabaseRead, Landed, Note, hashed_keys, rows_digest, sha256_of, write_note
from dure.landing.layout import Layout
from dure.landing.links import link_or_copy
from dure.landing.opened import InputFile
from dure.landing.parts import PartWriter, cannot_write
from dure.landing.reading import read_ahead
from dure.landing.rows import RowMaker
from dure.progress import Progress
from dure.site.spec import DatabaseSource, Defaults

# Seconds before a lost connection is made again: enough for a server that starts again.
WAITS = (2.0, 10.0, 30.0, 60.0)


def land_database(
    name: str,
    source: DatabaseSource,
    *,
    defaults: Defaults,
    out: Path,
    person: tuple[str, ...] | None = None,
    opted_out: frozenset[str] = frozenset(),
    left_behind: frozenset[str] = frozenset(),
    known_columns: tuple[str, ...] | None = None,
    base: Base | None = None,
    progress: Progress | None = None,
    wait: Callable[[float], object] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> Landed:
    """Lands source `name` in `out/name/part-*.parquet`, as `land_source` lands the same rows from a file.

    `_file` is `SOURCE@NAME` of the connection, `_row` the place of the row in the order of `partition_on` and the key.

    `base` is the landing of the snapshot before; a part that is byte for byte one of its parts becomes that file.

    `stopped` is asked while the database is waited for, and ends the reading: somebody else's error has ended the run.

    Raises ExtractNotReadyError where the server cannot be reached or the connection is lost more often than `retries`,
    ConfigurationError where the login or the driver is wrong, SourceError where the query cannot be read.
    """
    asked = _Asked(
        place_of(name, source.connection), source, layout_of_query(name, source, defaults), wait, stopped, progress
    )
    try:
        with (
            Unread(name, out) as unread,
            ThreadPoolExecutor(2, thread_name_prefix="landing") as pool,
        ):
            folder = out / name
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("part-*.parquet"):
                old.unlink()

            def maker(names: tuple[str, ...]) -> RowMaker:
                _check_named(asked.layout, names, person or ())
                new_columns(asked.layout, names, known_columns, "put them into the query again")
                return RowMaker(asked.layout, names, person or (), opted_out, left_behind)

            reading = _Reading(asked, folder, pool, maker)
            reading.read()
            for part in reading.done:
                unread.leave_out(part.opted_out)
            reading.remove_empty_parts()
            reading.settle(out, base, hashed_keys(opted_out))
            unread.finish()
    except OSError as error:
        raise cannot_write(out, error) from error
    return reading.landed(base, known_columns, unread.opted_out)


@dataclass(frozen=True)
class _Asked:
    place: Place
    source: DatabaseSource
    layout: Layout
    wait: Callable[[float], object]
    stopped: Callable[[], bool]
    progress: Progress | None

    @property
    def where(self) -> str:
        return self.layout.where


@dataclass
class _Part:
    """One range that was read to its end."""

    path: Path
    rows: int = 0
    landed: int = 0
    bytes: int = 0
    sha256: str = ""
    opted_out: list[pa.RecordBatch] = field(default_factory=list)


class _Reading:
    """One query on its way into a folder."""

    def __init__(
        self, asked: _Asked, folder: Path, pool: ThreadPoolExecutor, maker: Callable[[tuple[str, ...]], RowMaker]
    ) -> None:
        self._asked, self._folder, self._pool, self._make = asked, folder, pool, maker
        self._columns: tuple[Column, ...] = ()
        self._maker: RowMaker | None = None
        self._ranges: tuple[str, ...] = ()
        self._connections = 0
        self._warnings: list[Problem] = []
        self._server = ""
        self._began = datetime.now(UTC)
        self._same: dict[str, str] = {}
        self._unchanged = False
        self.done: list[_Part] = []

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.done)

    def read(self) -> None:
        """Reads all ranges, with a new connection where one is lost, `retries` times for each range."""
        losses, before = 0, 0
        while True:
            try:
                with Session(self._asked.place, self._asked.source, self._asked.stopped) as session:
                    self._connections += 1
                    self._read(session)
                return
            except ConnectionLostError as lost:
                losses = 1 if len(self.done) > before else losses + 1
                before = len(self.done)
                self._give_up_or_wait(losses, lost)

    def _give_up_or_wait(self, losses: int, lost: ConnectionLostError) -> None:
        asked, retries = self._asked, self._asked.source.retries
        read = f", {self.rows:,} rows read" if self._ranges else ""
        if losses > retries:
            tried = f", tried {losses} times" if retries else ""
            raise ExtractNotReadyError(Problem(asked.where, f"{lost.found}{read}{tried}", lost.do))
        seconds = WAITS[min(losses, len(WAITS)) - 1]
        if asked.progress is not None:
            asked.progress.note(f"{asked.where}: {lost.found}{read}; connecting again in {seconds:g} s")
        asked.wait(seconds)

    def _read(self, session: Session) -> None:
        asked = self._asked
        columns = session.columns()
        if self._maker is None:
            refuse_unusable(asked.layout, [column.name for column in columns])
            self._maker = self._make(tuple(column.name for column in columns))
            self._columns, self._server = columns, session.server
        elif columns != self._columns:
            raise SourceError(Problem(asked.where, "the columns of the query changed while it was read", "run again"))
        rows = self._planned(session)
        self._forget_changed(session)
        for number in range(len(self.done), len(self._ranges)):
            self.done.append(self._land(session, number))
        if rows is not None and rows != self.rows:
            found = f"{self.rows:,} rows came, and the database counted {rows:,}"
            if asked.place.dialect.snapshot:
                raise SourceError(
                    Problem(asked.where, f"{found} in the same transaction", "run again; is it repeated?")
                )
            self._warnings.append(Problem(asked.where, found, "rows came or went meanwhile; read at a quiet hour"))

    def _planned(self, session: Session) -> int | None:
        """Cuts the query into ranges, the first time; how many rows must come, None where the server tells it itself."""
        asked, on = self._asked, self._asked.source.partition_on
        if on is not None and not self._ranges:
            column = self._named(on)
            bounds = session.bounds(column)
            try:
                self._ranges = conditions(bounds, session.quoted(column), asked.place.dialect, asked.source.partitions)
            except NoRangesError as error:
                do = "name a column of whole numbers, dates or timestamps"
                raise SourceError(Problem(f"{asked.where}.partition_on", f"'{on}' is {error.kind}", do)) from None
            return bounds.rows
        self._ranges = self._ranges or ("",)
        # PostgreSQL says how many rows each COPY sent.
        return None if asked.place.dialect.name == "postgresql" and not self.done else session.count()

    def _forget_changed(self, session: Session) -> None:
        """Lets go of what was read before a loss, from the first range that no longer has as many rows."""
        for number, part in enumerate(self.done):
            if session.count(self._ranges[number]) != part.rows:
                del self.done[number:]
                return

    def _named(self, name: str) -> Column:
        return next(column for column in self._columns if column.name == name)

    def _land(self, session: Session, number: int) -> _Part:
        """Lands one range as one part."""
        assert self._maker is not None
        part = _Part(self._folder / f"part-{number:05d}.parquet")
        first = self.rows + 1
        digest = hashlib.sha256()
        source = self._asked.source
        # The order of the key within a range; in one range alone it would have the server sort everything.
        ordered = dict.fromkeys((*([source.partition_on] if source.partition_on else ()), *(source.key or ())))
        pieces = session.pieces(
            self._columns,
            self._ranges[number],
            [self._named(name) for name in ordered],
            self._asked.layout.null_values,
        )

        def batches() -> Iterator[TextBatch]:
            for piece in pieces:
                for content in piece.content:
                    digest.update(content)
                    part.bytes += len(content)
                start = first + part.rows
                part.rows += piece.rows
                numbers = np.arange(start, start + piece.rows, dtype=np.int64)
                yield TextBatch(dict(piece.columns), numbers, piece.nulls_done)

        writer = PartWriter(part.path, self._maker.schema, self._pool)
        try:
            with closing(pieces), closing(read_ahead(batches(), self._pool)) as ahead:
                for batch in ahead:
                    landed, out = self._maker.rows(batch, self._asked.place.shown)
                    writer.write(landed)
                    if out is not None:
                        part.opted_out.append(out)
            part.landed = writer.close()
        except BaseException:
            writer.abandon()
            raise
        part.sha256 = digest.hexdigest()
        left_out = sum(map(len, part.opted_out))
        if part.rows != part.landed + left_out:
            found = f"read {part.rows:,}, landed {part.landed:,}, opted out {left_out:,}"
            raise IntegrityError(Problem(self._asked.where, f"rows do not add up: {found}", "report this as a bug"))
        return part

    def remove_empty_parts(self) -> None:
        """Removes the parts of ranges without rows; one part stays, for its columns."""
        stays = next((part for part in self.done if part.landed), self.done[0])
        for part in self.done:
            if not part.landed and part is not stays:
                part.path.unlink()

    def settle(self, out: Path, base: Base | None, left_out: tuple[str, ...]) -> None:
        """Gives parts that are the same as before the file of before, and writes down what the next night asks."""
        assert self._maker is not None
        source, names = self._asked.layout.source, tuple(column.name for column in self._columns)
        shas = {path.name: sha256_of(path) for path in sorted(self._folder.glob("part-*.parquet"))}
        note = base.note(source) if base else None
        if base is not None and note is not None:
            known = {sha256: base.folder / source / name for name, sha256 in note.parts.items()}
            for name, sha256 in shas.items():
                before = known.pop(sha256, None)
                if before is not None and before.is_file() and sha256_of(before) == sha256:
                    (self._folder / name).unlink()
                    link_or_copy(before, self._folder / name)
                    self._same[name] = before.name
            self._unchanged = len(self._same) == len(shas) == len(note.parts)
        layout, maker = self._asked.layout, self._maker
        rows = rows_digest(layout, maker.columns, maker.hashed)
        write_note(out, source, Note(rows, rows, names, maker.columns, shas, (), left_out, (self._file(),)))

    def _file(self) -> InputFile:
        """What came, as the manifest lists a file."""
        digest = hashlib.sha256("".join(part.sha256 for part in self.done).encode()).hexdigest()
        size = sum(part.bytes for part in self.done)
        return InputFile(self._asked.place.shown, size, digest, self._began.isoformat(timespec="seconds"))

    def landed(self, base: Base | None, known: tuple[str, ...] | None, opted_out: int) -> Landed:
        asked = self._asked
        names = tuple(column.name for column in self._columns)
        new = new_columns(asked.layout, names, known, "")
        warnings = [*self._warnings, *of_new_columns(asked.layout, new)]
        if self.rows == 0:
            warnings.append(Problem(asked.where, "has no rows", "is that so in the hospital's system?"))
        if self._connections > 1 and len(self._ranges) > 1:
            found = f"the connection was lost, so its {len(self._ranges)} ranges are of {self._connections} moments"
            warnings.append(Problem(asked.where, found, "rows that changed meanwhile come with the next run"))
        return Landed(
            name=asked.layout.source,
            columns=landed_columns(asked.layout, names),
            files=(self._file(),),
            rows_read=self.rows,
            rows_landed=sum(part.landed for part in self.done),
            rejected={},
            opted_out=opted_out,
            new_columns=new,
            warnings=tuple(warnings),
            base=base.snapshot if base and self._same else None,
            same_parts=dict(self._same),
            unchanged=self._unchanged,
            database=DatabaseRead(
                server=self._server,
                query_sha256=hashlib.sha256(asked.source.query.encode()).hexdigest(),
                ranges=len(self._ranges),
                connections=self._connections,
            ),
        )


def _check_named(layout: Layout, names: tuple[str, ...], person: tuple[str, ...]) -> None:
    """Raises SourceError for columns that the query does not give."""
    wanted = [("key", name) for name in layout.key] + [("nfkc", name) for name in layout.nfkc]
    wanted += [("person", name) for name in person]
    problems = [
        Problem(f"{layout.where}.{place}", f"no column '{name}'", f"the query gives: {', '.join(names)}")
        for place, name in wanted
        if name not in names
    ]
    if problems:
        raise SourceError(problems)
