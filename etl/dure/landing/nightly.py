"""A night with change files: the landing of before, or the full extract just landed, with tonight's changes applied."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dure.errors import ExtractNotReadyError, Problem
from dure.landing.apply import Verdict, meet, write_parts
from dure.landing.changes import INSERT, UPDATE, Changes, Flags
from dure.landing.files import Unread
from dure.landing.header import landed_columns
from dure.landing.landed import Base, Landed, Note, hashed_keys, sha256_of, write_note
from dure.landing.layout import Layout
from dure.landing.opened import InputFile
from dure.landing.parts import landed_schema
from dure.landing.reuse import opted_out_before
from dure.landing.rows import RowMaker
from dure.site.spec import ChangeFiles

TOUCHED = pa.schema([pa.field("_key", pa.string()), pa.field("_change", pa.string(), nullable=False)])


@dataclass(frozen=True)
class Night:
    """What changes are applied with: to `base`, whose note is `note`, into `out`.

    `left_over` are full files that lie there since before the changes of nights ago.
    """

    layout: Layout
    spec: ChangeFiles
    base: Base
    note: Note
    out: Path
    person: tuple[str, ...]
    opted_out: Collection[str]
    left_over: tuple[InputFile, ...] = ()

    def apply(self, changes: Changes, unread: Unread, full: Landed | None) -> Landed:
        """Lands the rows of the base that stay and those that the changes bring; `full` tells of a base landed tonight."""
        source, note = self.layout.source, self.note
        if full is None:
            unread.leave_out(opted_out_before(self.base.folder, source).to_batches())
        left_out = hashed_keys(self.opted_out)
        newly_out = set(left_out) - set(note.left_out)
        self._refuse_damaged(parts_may_differ=bool(newly_out))
        person = self.person if newly_out else ()
        maker = RowMaker(self.layout, note.names, self.person, self.opted_out, ())
        parts = [self.base.folder / source / name for name in sorted(note.parts)]
        met = [meet(path, changes, maker, person) for path in parts if path.exists()]
        verdict = Verdict(changes, met, unread.met(changes.keys), self._of_left_out(changes, maker))
        carried = unread.opted_out
        folder = self.out / source
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("part-*.parquet"):
            old.unlink()
        unread.forget(changes.keys.filter(pa.array(verdict.applied)))
        written = write_parts(folder, verdict, landed_schema(note.kept))
        unread.leave_out(written.left_out)
        touched = self._write_touched(verdict, written.left_out)
        names = sorted(path.name for path in folder.glob("part-*.parquet"))
        linked = set(written.linked)
        shas = {name: note.parts[name] if name in linked else sha256_of(folder / name) for name in names}
        write_note(self.out, source, replace(note, parts=shas, files=(), left_out=left_out, changed=True))
        same = {name: name for name in written.linked}
        if full is not None:
            same = {name: full.same_parts[name] for name in written.linked if name in full.same_parts}
        all_linked = len(linked) == len(names) == len(note.parts)
        return Landed(
            name=source,
            columns=landed_columns(self.layout, note.names),
            files=(*(full.files if full else self.left_over), *(file.file for file in changes.files)),
            rows_read=(full.rows_read if full else 0) + changes.rows_read,
            rows_landed=written.rows,
            rejected=unread.rejected(),
            opted_out=unread.opted_out,
            new_columns=full.new_columns if full else (),
            warnings=(*(full.warnings if full else ()), *changes.warnings, *self._warnings(verdict, left_out, full)),
            rows_before=0 if full else sum(each.rows for each in met) + carried,
            by_changes=verdict.by_changes(),
            base=self.base.snapshot if full is None else full.base,
            same_parts=same,
            unchanged=all_linked and not touched and (full.unchanged if full else True),
            touched=str(touched.relative_to(self.out)) if touched and full is None else None,
        )

    def _refuse_damaged(self, *, parts_may_differ: bool) -> None:
        """Raises ExtractNotReadyError where the landing of before is not what it was, but for persons forgotten since."""
        folder = self.base.folder / self.layout.source
        for name, sha256 in self.note.parts.items():
            path = folder / name
            if path.is_file() and (parts_may_differ or sha256_of(path) == sha256):
                continue
            found = "is not there" if not path.is_file() else "is not what was landed: damaged, or changed by hand"
            do = "restore it from a backup, or put a full extract of this source into the folder once"
            raise ExtractNotReadyError(Problem(f"{self.layout.where} {path}", found, do))

    def _of_left_out(self, changes: Changes, maker: RowMaker) -> Flags:
        """Whether the record of each change is of a person who is left out."""
        if not self.person or not self.opted_out or not changes.parts:
            return np.zeros(len(changes.keys), np.bool_)
        tables = [pq.read_table(part.path, columns=list(self.person)) for part in changes.parts]
        every = pa.concat_tables(tables).take(pa.array(changes.at)).combine_chunks()
        columns = [
            pa.concat_arrays(every[name].chunks) if len(every) else pa.array([], pa.string()) for name in self.person
        ]
        flags: Flags = maker.of_opted_out(columns).to_numpy(zero_copy_only=False)
        return flags

    def _write_touched(self, verdict: Verdict, left_out: list[pa.RecordBatch]) -> Path | None:
        """Writes the keys that changes and opt-outs touched; None where there are none."""
        keys, how = verdict.touched()
        gone = [batch["_key"] for batch in left_out]
        every = pa.concat_arrays([keys.cast(pa.string()), *gone])
        ways = pa.concat_arrays([how, *(pa.repeat(pa.scalar("opted_out"), len(each)) for each in gone)])
        if not len(every):
            return None
        path = self.out / "_touched" / f"{self.layout.source}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_arrays([every, ways], schema=TOUCHED), path)
        return path

    def _warnings(self, verdict: Verdict, left_out: tuple[str, ...], full: Landed | None) -> list[Problem]:
        where, spec, changes = f"{self.layout.where}.changes", self.spec, verdict.changes
        found = []
        if self.left_over:
            found.append(
                Problem(
                    self.layout.where,
                    f"the full files are those of before; the rows of snapshot {self.base.snapshot} are gone on from",
                    "take them out of the folder; --full begins with them again, without the changes since",
                )
            )
        elif not changes.files and full is None:
            do = "nothing to do where nothing changed"
            found.append(Problem(where, f"no file came; the rows are those of snapshot {self.base.snapshot}", do))
        if n := int(verdict.unknown.sum()):
            do = "were they deleted before, or is a change file missing?"
            found.append(Problem(where, f"{n:,} deletes of keys that are not there", do))
        new = verdict.rows == 0
        if spec.insert and (n := int((new & (changes.kinds == UPDATE)).sum())):
            do = "they are inserted; is a change file missing?"
            found.append(Problem(where, f"{n:,} updates of keys that are not there", do))
        if spec.update and (n := int((~new & ~verdict.same & (changes.kinds == INSERT)).sum())):
            do = "they replace what was there; was an older file sent again?"
            found.append(Problem(where, f"{n:,} inserts of keys that are there with other content", do))
        if back := set(self.note.left_out) - set(left_out):
            do = "put a full extract of this source into the folder once"
            found.append(Problem(where, f"{len(back):,} persons are no longer left out, but their rows are gone", do))
        return found
