"""Landing one source: its files decoded into Parquet, one row a record, all text, each row named and accounted for."""

from __future__ import annotations

import shutil
from pathlib import Path

from dure.errors import ExtractNotReadyError, IntegrityError, Problem, SourceError
from dure.landing.changes import read_changes
from dure.landing.files import FilesLanding, Unread
from dure.landing.find import Found, find_files
from dure.landing.header import NFKC_SUFFIX, all_names, check_columns_named, landed_columns, read_heads
from dure.landing.landed import Base, FileLanded, Landed, Note, hashed_keys, read_digest, rows_digest, write_note
from dure.landing.layout import Layout, layout_of
from dure.landing.nightly import Night
from dure.landing.opened import InputFile, input_file
from dure.landing.parts import cannot_write
from dure.landing.reading import size_and_sha256
from dure.landing.reuse import Earlier
from dure.landing.rows import RowMaker
from dure.progress import Progress
from dure.site.spec import Defaults, FileSource

# Where files land before change files are applied to them; no source has such a name.


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
    base: Base | None = None,
    read_all: bool = False,
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

    `base` is the landing of the snapshot before. The part of a file that has the same bytes as then is used again, unless
    `read_all`. Change files are applied to the full files of the extract, or where it has none to `base`.

    Raises ExtractNotReadyError for files that are not there or change while they are read, SourceError for files that
    cannot be read as declared, ConfigurationError where `out` takes no more bytes and IntegrityError should the rows not
    add up.
    """
    landing = _SourceLanding(
        layout_of(name, source, defaults), source, extract, out, person or (), opted_out, left_behind, base, progress
    )
    try:
        with Unread(name, out) as unread:
            landed = landing.land(unread, known_columns, read_all=read_all)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(_arriving(out, name), ignore_errors=True)
    ends = landed.rows_landed + sum(landed.rejected.values()) + landed.opted_out + sum(landed.by_changes.values())
    if landed.rows_read + landed.rows_before != ends:
        found = f"{landed.rows_read:,} rows read and {landed.rows_before:,} from before, but {ends:,} accounted for"
        raise IntegrityError(Problem(landing.layout.where, found, "report this as a bug"))
    return landed


class _SourceLanding:
    """One source on its way."""

    def __init__(
        self,
        layout: Layout,
        source: FileSource,
        extract: Path,
        out: Path,
        person: tuple[str, ...],
        opted_out: frozenset[str],
        left_behind: frozenset[str],
        base: Base | None,
        progress: Progress | None,
    ) -> None:
        self.layout = layout
        self._source = source
        self._extract = extract
        self._out = out
        self._folder = out / layout.source
        self._person = person
        self._opted_out = opted_out
        self._left_behind = left_behind
        self._base = base
        self._progress = progress

    def land(self, unread: Unread, known: tuple[str, ...] | None, *, read_all: bool) -> Landed:
        changes = self._source.changes
        where = self.layout.where
        found = find_files(where, self._source.path, self._extract, "all" if changes else "none")
        if changes is None:
            landed, _ = self._files(found, self._folder, unread, known, read_all=read_all)
            unread.finish()
            return landed
        arrived = find_files(f"{where}.changes", changes.path, self._extract, "any")
        left_over = () if read_all else self._left_over(found)
        if not found.files or left_over:
            landed = self._changed(arrived, *self._gone_on_from(), None, unread, left_over)
        elif not arrived.files:
            landed, _ = self._files(found, self._folder, unread, known, read_all=read_all)
        else:
            folder = self._arriving / self.layout.source
            landed, note = self._files(found, folder, unread, known, read_all=read_all)
            landed = self._changed(arrived, Base(landed.base or "", self._arriving), note, landed, unread)
        unread.finish()
        return landed

    @property
    def _arriving(self) -> Path:
        return _arriving(self._out, self.layout.source)

    def _left_over(self, found: Found) -> tuple[InputFile, ...]:
        """The full files, where they are those from which rows came that were changed since: they would undo the changes."""
        note = self._base.note(self.layout.source) if self._base else None
        known = {file.path: file for file in note.full} if note and note.changed else {}
        if {file.shown: file.state.size for file in found.files} != {name: file.bytes for name, file in known.items()}:
            return ()
        files = []
        for file in found.files:
            size, sha256 = size_and_sha256(file.path)
            files.append(input_file(file.path, file.shown, self.layout.at(file.shown), file.state, size, sha256))
        return tuple(files) if all(file.sha256 == known[file.path].sha256 for file in files) else ()

    def _files(
        self, found: Found, folder: Path, unread: Unread, known: tuple[str, ...] | None, *, read_all: bool
    ) -> tuple[Landed, Note]:
        """Lands full files."""
        layout = self.layout
        heads = read_heads(layout, found)
        names = all_names(layout, heads)
        self._check_named(names)
        new = new_columns(layout, names, known)
        maker = RowMaker(layout, names, self._person, self._opted_out, self._left_behind)
        rows = rows_digest(layout, maker.columns, maker.hashed)
        left_out = hashed_keys(self._opted_out)
        read = read_digest(layout, rows, self._person, left_out if self._person else ())
        earlier = Earlier(None if read_all else self._base, layout, read)
        same: dict[str, str] = {}
        files: list[FileLanded] = []
        with FilesLanding(layout, maker, folder, unread) as landing:
            for part, headed in enumerate(heads):
                again = earlier.used_again(headed.file, folder / f"part-{part:05d}.parquet", unread)
                if again is not None:
                    same[again.part] = earlier.name_of(again)
                files.append(again or landing.land(headed, part, self._progress))
        parts = {file.part: file.part_sha256 for file in files}
        full = tuple(file.file for file in files)
        note = Note(rows, read, names, maker.columns, parts, tuple(files), left_out, full)
        write_note(self._out, layout.source, note)
        rows_read = sum(file.rows_read for file in files)
        warnings = [*found.warnings, *of_new_columns(layout, new)]
        if rows_read == 0:
            warnings.append(Problem(layout.where, "has no rows", "is that so in the hospital's system?"))
        landed = Landed(
            name=layout.source,
            columns=landed_columns(layout, names),
            files=full,
            rows_read=rows_read,
            rows_landed=sum(file.rows_landed for file in files),
            rejected=unread.rejected(),
            opted_out=unread.opted_out,
            new_columns=new,
            warnings=tuple(warnings),
            base=self._base.snapshot if self._base and same else None,
            same_parts=same,
            unchanged=len(same) == len(files) and set(same.values()) == earlier.parts,
        )
        return landed, note

    def _gone_on_from(self) -> tuple[Base, Note]:
        """The landing that change files are applied to; raises ExtractNotReadyError where it does not serve."""
        layout, base = self.layout, self._base
        do = "put a full extract of this source into the folder once"
        note = base.note(layout.source) if base else None
        if base is None or note is None:
            found = "no full extract of it is there, and none was landed before that changes could be applied to"
            raise ExtractNotReadyError(Problem(layout.where, found, do))
        maker = RowMaker(layout, note.names, self._person, self._opted_out, self._left_behind)
        if rows_digest(layout, maker.columns, maker.hashed) != note.rows:
            found = f"its key, null_values, nfkc or columns left out are not those of snapshot {base.snapshot}"
            raise ExtractNotReadyError(Problem(layout.where, f"{found}, so its rows cannot be kept", do))
        return base, note

    def _changed(
        self,
        found: Found,
        base: Base,
        note: Note,
        full: Landed | None,
        unread: Unread,
        left_over: tuple[InputFile, ...] = (),
    ) -> Landed:
        """Applies change files to a landing: that of `full`, landed just now, or that of the snapshot before."""
        layout, spec = self.layout, self._source.changes
        assert spec is not None
        folder = self._arriving / "changes"
        changes = read_changes(layout, spec, found, note, self._left_behind, folder, unread, self._progress)
        night = Night(layout, spec, base, note, self._out, self._person, self._opted_out, left_over)
        return night.apply(changes, unread, full)

    def _check_named(self, names: tuple[str, ...]) -> None:
        layout = self.layout
        named = [("key", column) for column in layout.key] + [("nfkc", column) for column in layout.nfkc]
        check_columns_named(layout, names, named + [("person", column) for column in self._person])


def new_columns(
    layout: Layout,
    names: tuple[str, ...],
    known: tuple[str, ...] | None,
    do: str = "export them again; columns that come and go stand under optional: [...]",
) -> tuple[str, ...]:
    """The columns that the snapshot before did not have; raises SourceError when one of its columns is gone."""
    if known is None:
        return ()
    # What nfkc added comes and goes with the spec, not with the files.
    known = tuple(c for c in known if not (c.endswith(NFKC_SUFFIX) and c.removesuffix(NFKC_SUFFIX) in known))
    if lost := [column for column in known if column not in names]:
        found = f"lost columns that the snapshot before had: {', '.join(lost)}"
        raise SourceError(Problem(layout.where, found, do))
    return tuple(column for column in names if column not in known)


def of_new_columns(layout: Layout, new: tuple[str, ...]) -> list[Problem]:
    """A warning for the columns that the snapshot before did not have."""
    do = "map them, or name them under left_out"
    return [Problem(layout.where, f"new columns: {', '.join(new)}", do)] if new else []


def _arriving(out: Path, name: str) -> Path:
    """Where full files of a night with changes wait for these; each source has its own, as they land side by side."""
    return out / f"_arriving-{name}"
