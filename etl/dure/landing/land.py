"""Landing one source: its files decoded into Parquet, one row a record, all text, each row named and accounted for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.errors import IntegrityError, Problem, SourceError
from dure.landing.batches import NeedsCare, TextBatch
from dure.landing.cells import cleaned, nfkc, null_value_set, trimmed_and_null
from dure.landing.delimited import read_delimited
from dure.landing.find import find_files
from dure.landing.fixed_width import read_fixed_width
from dure.landing.header import NFKC_SUFFIX, Headed, all_names, check_columns_named, landed_columns, read_heads
from dure.landing.keys import joined, key_text, null_where_all_null, row_hash
from dure.landing.layout import Layout, layout_of
from dure.landing.opened import InputFile, OpenedFile, input_file
from dure.landing.parquet_text import read_parquet
from dure.landing.parts import PartWriter, cannot_write, landed_schema
from dure.landing.rejects import FileRejects, LandingRejectReason, RejectLog
from dure.landing.text import likely_encodings
from dure.progress import Progress
from dure.site.spec import Defaults, FileSource

# A file of at least this many records of which more than half are rejected is read the wrong way, not dirty.
FEW_RECORDS = 10

OPTED_OUT = pa.schema(
    [
        pa.field("_file", pa.string(), nullable=False),
        pa.field("_row", pa.int64(), nullable=False),
        pa.field("_key", pa.string()),
    ]
)


@dataclass(frozen=True)
class Landed:
    """What became of one source: rows_read = rows_landed + every rejected + opted_out."""

    name: str
    columns: tuple[str, ...]
    files: tuple[InputFile, ...]
    rows_read: int
    rows_landed: int
    rejected: dict[str, int]
    opted_out: int
    new_columns: tuple[str, ...]
    warnings: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def land_source(
    name: str,
    source: FileSource,
    *,
    defaults: Defaults,
    extract: Path,
    out: Path,
    person: tuple[str, ...] | None = None,
    opted_out: frozenset[str] = frozenset(),
    left_behind: frozenset[str] = frozenset(),
    known_columns: tuple[str, ...] | None = None,
    progress: Progress | None = None,
) -> Landed:
    """Lands source `name` in `out/name/part-*.parquet`.

    One row a record: the columns as text, trimmed, NULL where empty or a null value; `_file`, the path relative to the
    extract; `_row`, the number of the record in its file; `_key`, the key text (all columns in the order of their names
    where the source has no key), NULL where every part is; `_row_hash`, over the columns that are kept in the order of
    their names. Columns in `left_behind` are read but not kept (docs/adr/0013-columns-left-behind.md); where the source
    has no key they still are part of the key and the hash.
    Records that cannot be read go to `out/_rejects`, those of patients who opted out (key text of the `person` columns in
    `opted_out`) to `out/_opted_out`, without their content. `known_columns` are those of the snapshot before: a new one is
    a warning, a lost one an error.

    Raises SourceError for files that cannot be read as declared, ConfigurationError where `out` takes no more bytes and
    IntegrityError should the rows not add up.
    """
    layout = layout_of(name, source, defaults)
    found = find_files(layout.where, source.path, extract)
    heads = read_heads(layout, found)
    names = all_names(layout, heads)
    named = [("key", column) for column in layout.key] + [("nfkc", column) for column in layout.nfkc]
    check_columns_named(layout, names, named + [("person", column) for column in person or ()])
    new = _new_columns(layout, names, known_columns)
    warnings = list(found.warnings)
    if new:
        warnings.append(
            Problem(layout.where, f"new columns: {', '.join(new)}", "map them, or name them under left_out")
        )
    try:
        with _Landing(layout, names, out, person or (), opted_out, left_behind) as landing:
            files = [landing.land(headed, part, progress) for part, headed in enumerate(heads)]
            landing.finish()
    except OSError as error:
        raise cannot_write(out, error) from error
    if landing.rows_read == 0:
        warnings.append(Problem(layout.where, "has no rows", "is that so in the hospital's system?"))
    return Landed(
        name=name,
        columns=landed_columns(layout, names),
        files=tuple(files),
        rows_read=landing.rows_read,
        rows_landed=landing.rows_landed,
        rejected={
            reason.value: count for reason, count in sorted(landing.log.counts.items(), key=lambda r: r[0].value)
        },
        opted_out=landing.opted_out,
        new_columns=new,
        warnings=tuple(warnings),
    )


def _new_columns(layout: Layout, names: tuple[str, ...], known: tuple[str, ...] | None) -> tuple[str, ...]:
    """The columns that the snapshot before did not have; raises SourceError when one of its columns is gone."""
    if known is None:
        return ()
    # What nfkc added comes and goes with the spec, not with the files.
    known = tuple(c for c in known if not (c.endswith(NFKC_SUFFIX) and c.removesuffix(NFKC_SUFFIX) in known))
    if lost := [column for column in known if column not in names]:
        found = f"lost columns that the snapshot before had: {', '.join(lost)}"
        do = "export them again; columns that come and go stand under optional: [...]"
        raise SourceError(Problem(layout.where, found, do))
    return tuple(column for column in names if column not in known)


class _Landing:
    """The files of one source on their way; a context that leaves no open file behind."""

    def __init__(
        self,
        layout: Layout,
        names: tuple[str, ...],
        out: Path,
        person: tuple[str, ...],
        opted_out: frozenset[str],
        left_behind: frozenset[str],
    ) -> None:
        needed = {*layout.key, *layout.nfkc, *person}
        kept = tuple(name for name in names if name in needed or name not in left_behind)
        self._layout = layout
        self._columns = landed_columns(layout, kept)
        self._schema = landed_schema(self._columns)
        self._by_name = sorted(kept if layout.key else names)
        self._folder = out / layout.source
        self._opt_out_path = out / "_opted_out" / f"{layout.source}.parquet"
        self._person = person
        self._opted_out_keys = pa.array(sorted(opted_out), pa.string()) if person and opted_out else None
        self._nulls = null_value_set(layout.null_values)
        self._opted_out: list[pa.RecordBatch] = []
        self._stack = ExitStack()
        self.log = RejectLog(layout.source, out)
        self.rows_read = 0
        self.rows_landed = 0
        self.opted_out = 0
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("part-*.parquet"):
            old.unlink()
        self._opt_out_path.unlink(missing_ok=True)

    def __enter__(self) -> _Landing:
        # One thread reads ahead, one writes, and one hashes Parquet.
        self._pool = self._stack.enter_context(ThreadPoolExecutor(3, thread_name_prefix="landing"))
        self._stack.callback(self.log.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def land(self, headed: Headed, part: int, progress: Progress | None) -> InputFile:
        """Lands one file as one part; a second, careful reading follows where the first one met what it cannot read."""
        path = self._folder / f"part-{part:05d}.parquet"
        try:
            return self._land(headed, path, careful=False)
        except NeedsCare:
            if progress is not None:
                progress.note(f"{self._layout.at(headed.file.shown)}: unreadable lines; reading it again, line by line")
            return self._land(headed, path, careful=True)

    def finish(self) -> None:
        """Writes the rejects and opt-outs of all files."""
        self.log.finish()
        if self._opted_out:
            self._opt_out_path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_batches(self._opted_out, OPTED_OUT), self._opt_out_path)
        rejected = sum(self.log.counts.values())
        if self.rows_read != self.rows_landed + rejected + self.opted_out:
            found = f"read {self.rows_read:,}, landed {self.rows_landed:,}, rejected {rejected:,}, opted out {self.opted_out:,}"
            raise IntegrityError(Problem(self._layout.where, f"rows do not add up: {found}", "report this as a bug"))

    def _land(self, headed: Headed, path: Path, *, careful: bool) -> InputFile:
        rejects = self.log.begin_file()
        opted_out: list[pa.RecordBatch] = []
        read = 0
        writer = PartWriter(path, self._schema, self._pool)
        try:
            with _Reading(self._layout, headed, rejects, self._pool, self._by_name, careful=careful) as reading:
                with closing(_read_ahead(reading.batches, self._pool)) as batches:
                    for batch in batches:
                        read += len(batch.rows)
                        landed, out = self._landed(batch, headed.file.shown)
                        writer.write(landed)
                        if out is not None:
                            opted_out.append(out)
                entry = reading.finish()
            read += len(rejects)
            self._refuse_mostly_rejected(headed, rejects, read)
            written = writer.close()
        except BaseException:
            writer.abandon()
            self.log.discard(rejects)
            raise
        self.rows_read += read
        self.rows_landed += written
        self.opted_out += sum(map(len, opted_out))
        self._opted_out += opted_out
        self.log.keep(headed.file.shown, rejects)
        return entry

    def _landed(self, batch: TextBatch, shown: str) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
        """The rows to land and those of patients who opted out."""
        clean = trimmed_and_null if batch.nulls_done else cleaned
        absent = {
            n: pa.repeat(pa.scalar(None, pa.string()), len(batch.rows)) for n in self._by_name if n not in batch.columns
        }
        columns = {n: absent[n] if n in absent else clean(batch.columns[n], self._nulls) for n in self._by_name}
        every = [columns[name] for name in self._by_name]
        whole = joined(every)
        key = [columns[name] for name in self._layout.key]
        for name in self._layout.nfkc:
            columns[name + NFKC_SUFFIX] = nfkc(columns[name], self._nulls)
        landed = pa.RecordBatch.from_arrays(
            [
                *(columns[name] for name in self._columns),
                pa.repeat(pa.scalar(shown, pa.string()), len(batch.rows)),
                pa.array(batch.rows),
                key_text(key) if key else null_where_all_null(whole, every),
                row_hash(whole),
            ],
            schema=self._schema,
        )
        if self._opted_out_keys is None:
            return landed, None
        person = key_text([columns[name] for name in self._person])
        out = pc.is_in(person, value_set=self._opted_out_keys)
        if not pc.any(out).as_py():
            return landed, None
        return landed.filter(pc.invert(out)), landed.filter(out).select(OPTED_OUT.names).cast(OPTED_OUT)

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


class _Reading:
    """One reading of one file by the reader of its format."""

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

    def __enter__(self) -> _Reading:
        layout, file, head = self._layout, self._headed.file, self._headed.head
        where = layout.at(file.shown)
        if layout.format == "parquet":
            self._digest = self._pool.submit(_sha256, file.path)
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
        """The ledger entry of the file; raises SourceError if it changed meanwhile."""
        if self._opened is not None:
            return self._opened.finish()
        file = self._headed.file
        size, sha256 = self._digest.result()
        return input_file(file.path, file.shown, self._layout.at(file.shown), file.state, size, sha256)


def _read_ahead(batches: Iterator[TextBatch], pool: ThreadPoolExecutor) -> Generator[TextBatch, None, None]:
    """The same batches; each is read and parsed while the one before is being worked on."""
    coming = pool.submit(next, batches, None)
    try:
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
    finally:
        wait([coming])  # so that nobody reads a file that its reading has closed


def _sha256(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file that is not read from end to end otherwise."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
