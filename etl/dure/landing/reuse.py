"""A file of the extract that is byte for byte the one of the snapshot before: its landed part is used again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.landing.files import Unread
from dure.landing.find import FoundFile
from dure.landing.landed import Base, FileLanded, sha256_of
from dure.landing.layout import Layout
from dure.landing.links import link_or_copy
from dure.landing.opened import input_file
from dure.landing.reading import size_and_sha256
from dure.landing.rows import OPTED_OUT


class Earlier:
    """What was landed of one source before, as far as it was read as it would be read now."""

    def __init__(self, base: Base | None, layout: Layout, digest: str) -> None:
        self._base = base
        self._layout = layout
        note = base.note(layout.source) if base else None
        self._files = {each.file.path: each for each in note.files} if note and note.read == digest else {}

    def used_again(self, file: FoundFile, part: Path, unread: Unread) -> FileLanded | None:
        """The file as landed before, its rows linked as `part` and the rest of it copied to `unread`.

        None where it has to be read: its bytes are others, or what was landed of it is no longer as it was written.
        A file of another size is known to be another without a look at its bytes.
        """
        known = self._files.get(file.shown)
        if self._base is None or known is None or known.file.bytes != file.state.size:
            return None
        size, sha256 = size_and_sha256(file.path)
        entry = input_file(file.path, file.shown, self._layout.at(file.shown), file.state, size, sha256)
        landed = self._base.folder / self._layout.source / known.part
        if sha256 != known.file.sha256 or not landed.is_file() or sha256_of(landed) != known.part_sha256:
            return None
        opted_out = opted_out_before(self._base.folder, self._layout.source)
        opted_out = opted_out.filter(pc.equal(opted_out["_file"], file.shown))
        rejects = unread.log.begin_file()
        unread.log.copy(self._base.folder, file.shown, rejects)
        counts = {reason.value: n for reason, n in rejects.counts().items()}
        if counts != known.rejected or len(opted_out) != known.opted_out:
            unread.log.discard(rejects)
            return None
        link_or_copy(landed, part)
        unread.log.keep(file.shown, rejects)
        unread.leave_out(opted_out.to_batches())
        return FileLanded(
            entry, part.name, known.part_sha256, known.rows_read, known.rows_landed, counts, known.opted_out
        )

    def name_of(self, file: FileLanded) -> str:
        """The name that the part of a file used again has there."""
        return self._files[file.file.path].part

    @property
    def parts(self) -> frozenset[str]:
        """All parts there."""
        return frozenset(each.part for each in self._files.values())


def opted_out_before(landing: Path, source: str) -> pa.Table:
    """The rows of persons who had opted out, by `_file`, `_row` and `_key`."""
    path = landing / "_opted_out" / f"{source}.parquet"
    return pq.read_table(path, schema=OPTED_OUT) if path.exists() else OPTED_OUT.empty_table()
