"""Change files: records of which each says whether the row of its key is inserted, updated or deleted; the last one counts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.errors import Problem, SourceError
from dure.landing.files import FEW_RECORDS, FilesLanding, Unread
from dure.landing.find import Found
from dure.landing.header import NFKC_SUFFIX, all_names, check_columns_named, read_heads
from dure.landing.landed import FileLanded, Note
from dure.landing.layout import Layout, layout_of_changes
from dure.landing.rejects import LandingRejectReason
from dure.landing.rows import RowMaker
from dure.progress import Progress
from dure.site.spec import ChangeFiles

INSERT, UPDATE, DELETE = range(3)
KINDS = ("insert", "update", "delete")

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Part:
    """One change file as it was landed, with its marker; `shown` is what its rows are known by.

    The name of the file and a piece of its SHA-256: a file of the same name comes every night, and its rows stay.
    """

    path: Path
    shown: str


@dataclass(frozen=True)
class Changes:
    """The changes of one source tonight, of which the last of each key counts.

    One item of `keys`, `kinds`, `hashes` and `at` for each key, in the order of those last changes; `at` is its place among
    all records of all parts, one after the other. `superseded` are changes that a later one of their key made void.
    """

    files: tuple[FileLanded, ...]
    parts: tuple[Part, ...]
    keys: pa.Array
    kinds: Numbers
    hashes: Numbers
    at: Numbers
    superseded: int
    warnings: tuple[Problem, ...] = ()

    @property
    def rows_read(self) -> int:
        return sum(file.rows_read for file in self.files)


def read_changes(
    layout: Layout,
    spec: ChangeFiles,
    found: Found,
    note: Note,
    left_behind: Collection[str],
    folder: Path,
    unread: Unread,
    progress: Progress | None,
) -> Changes:
    """Lands the change files of a source in `folder` and finds the last change of each key.

    `note` tells of the landing that they are applied to: rows here have its columns. Records without a key, and those whose
    marker is not declared, are rejected.
    """
    if not found.files:
        nothing = np.empty(0, np.int64)
        return Changes((), (), pa.array([], pa.string()), nothing, nothing, nothing, 0, found.warnings)
    layout = _layout(layout, spec, found, note)
    heads = read_heads(layout, found)
    names = all_names(layout, heads)
    key = [("key", column) for column in layout.key]
    check_columns_named(layout, names, [*key, ("changes.marker", spec.marker)])
    _refuse_other_columns(layout, spec, names, note, left_behind)
    beside = () if spec.marker in note.kept else (spec.marker,)
    maker = RowMaker(layout, names, (), (), {n for n in names if n not in note.kept}, beside)
    files: list[FileLanded] = []
    with FilesLanding(layout, maker, folder, unread) as landing:
        files += [landing.land(headed, part, progress) for part, headed in enumerate(heads)]
    parts = tuple(Part(folder / file.part, f"{file.file.path}@{file.file.sha256[:12]}") for file in files)
    tables = [pq.read_table(part.path, columns=["_key", "_row_hash", spec.marker]) for part in parts]
    good = [_good(table, spec) for table in tables]
    for index, (part, kinds) in enumerate(zip(parts, good, strict=True)):
        if (bad := kinds < 0).any():
            files[index] = _rejected(layout, files[index], part, bad, tables[index]["_key"].is_null(), unread)
    kinds = np.concatenate(good)
    keys = pa.chunked_array([table["_key"].combine_chunks() for table in tables]).combine_chunks()
    hashes = np.concatenate([table["_row_hash"].to_numpy() for table in tables])
    usable = np.flatnonzero(kinds >= 0)
    last = usable[_last_of_each(keys.take(pa.array(usable)))]
    return Changes(
        tuple(files),
        parts,
        keys.take(pa.array(last)),
        kinds[last],
        hashes[last],
        last,
        len(usable) - len(last),
        found.warnings,
    )


def _layout(layout: Layout, spec: ChangeFiles, found: Found, note: Note) -> Layout:
    """How tonight's change files are read; files without a byte, where they may be, have the columns of before."""
    layout = layout_of_changes(layout, spec)
    if layout.header is None and layout.may_be_empty and not any(file.state.size for file in found.files):
        return replace(layout, header=tuple(dict.fromkeys((*note.names, spec.marker))))
    return layout


def _refuse_other_columns(
    layout: Layout, spec: ChangeFiles, names: tuple[str, ...], note: Note, left_behind: Collection[str]
) -> None:
    """Raises SourceError where rows of the change files would not have the columns of the rows that stay."""
    where = f"{layout.where}.changes"
    own = [name for name in note.kept if not (name.endswith(NFKC_SUFFIX) and name not in note.names)]
    if lost := [name for name in own if name not in names]:
        found = f"the change files have no column {', '.join(lost)}"
        raise SourceError(Problem(where, found, "export every column that the full extract has"))
    if new := [n for n in names if n not in note.names and n != spec.marker and n not in left_behind]:
        found = f"the change files have columns that the rows landed before do not: {', '.join(new)}"
        raise SourceError(Problem(where, found, "put a full extract with them into the folder once"))


def _good(table: pa.Table, spec: ChangeFiles) -> Numbers:
    """The kind of each change; -1 where it has no key or its marker is not declared."""
    words = {word: kind for kind, name in enumerate(KINDS) for word in getattr(spec, name)}
    marker = pc.fill_null(table[spec.marker], "")
    place = pc.fill_null(pc.index_in(marker, value_set=pa.array(list(words), pa.string())), -1).to_numpy()
    kinds: Numbers = np.array([*words.values(), -1], np.int64)[place]
    kinds[table["_key"].is_null().to_numpy()] = -1
    return kinds


def _last_of_each(keys: pa.Array) -> Numbers:
    """The places of the last of each key, ascending."""
    codes = keys.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first_from_end = np.unique(codes[::-1], return_index=True)
    return np.sort(len(codes) - 1 - first_from_end).astype(np.int64)


def _rejected(
    layout: Layout, file: FileLanded, part: Part, bad: Flags, without_key: pa.ChunkedArray, unread: Unread
) -> FileLanded:
    """The file with these landed rows among its rejects; SourceError where that leaves less than half."""
    rejects = unread.log.begin_file()
    no_key = without_key.to_numpy()
    place = 0
    for batch in pq.ParquetFile(part.path).iter_batches():
        here = bad[place : place + len(batch)]
        for index in np.flatnonzero(here):
            row = batch.slice(int(index), 1).to_pylist()[0]
            cells = [value or "" for name, value in row.items() if name not in ("_file", "_row", "_key", "_row_hash")]
            reason = LandingRejectReason.UNKNOWN_MARKER
            if no_key[place + index]:
                reason = LandingRejectReason.CHANGE_WITHOUT_KEY
            rejects.add(row["_row"], reason, layout.delimiter.join(cells).encode(layout.encoding, "backslashreplace"))
        place += len(batch)
    counts = dict(file.rejected)
    for reason, n in rejects.counts().items():
        counts[reason.value] = n
    if file.rows_read >= FEW_RECORDS and 2 * sum(counts.values()) > file.rows_read:
        found = f"{sum(counts.values()):,} of {file.rows_read:,} changes cannot be applied; most of them: "
        most = LandingRejectReason(max(counts, key=lambda name: counts[name]))
        do = "check marker, insert, update and delete of the source's changes, and its key"
        raise SourceError(Problem(layout.at(file.file.path), found + most.description, do))
    unread.log.keep(file.file.path, rejects)
    return replace(file, rejected=counts, rows_landed=file.rows_landed - len(rejects))
