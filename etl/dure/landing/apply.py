"""Applying changes to landed rows: parts without a touched row are linked, the others written again without those rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.landing.changes import DELETE, Changes, Flags, Numbers
from dure.landing.links import link_or_copy
from dure.landing.parts import PartWriter
from dure.landing.rows import OPTED_OUT, RowMaker

# Keys are looked up for this many rows at a time.
_KEYS_AT_ONCE = 1 << 20
# So many parts of so few rows become one, since each night with changes adds one.
MANY_PARTS = 30
SMALL_PART = 1 << 17


@dataclass(frozen=True)
class Met:
    """Rows of one landed part: places of those whose key has a change, which change, and their hashes; and places of
    those whose person is left out now."""

    path: Path
    rows: int
    places: Numbers
    change: Numbers
    hashes: Numbers
    left_out: Numbers


def meet(path: Path, changes: Changes, maker: RowMaker, person: Sequence[str]) -> Met:
    """The rows of a part that changes meet, and those of persons left out where `person` columns are given."""
    if not len(changes.keys) and not person:
        nothing = np.empty(0, np.int64)
        return Met(path, pq.read_metadata(path).num_rows, nothing, nothing, nothing, nothing)
    places, change, hashes, left_out = [], [], [], []
    first = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_KEYS_AT_ONCE, columns=["_key", "_row_hash", *person]):
            index = pc.index_in(batch["_key"], value_set=changes.keys)
            hit = np.flatnonzero(index.is_valid().to_numpy(zero_copy_only=False))
            taken = pa.array(hit)
            places.append(hit + first)
            change.append(index.take(taken).to_numpy(zero_copy_only=False).astype(np.int64))
            hashes.append(batch["_row_hash"].take(taken).to_numpy(zero_copy_only=False))
            if person:
                out = maker.of_opted_out([batch[name] for name in person]).to_numpy(zero_copy_only=False)
                left_out.append(np.flatnonzero(out) + first)
            first += len(batch)
    return Met(path, first, _one(places), _one(change), _one(hashes), _one(left_out))


@dataclass(frozen=True)
class Verdict:
    """What becomes of each change, given the rows that it meets: `met` ones and `carried` ones of persons left out.

    `of_left_out` tells the changes whose own record is of a person left out.
    """

    changes: Changes
    met: Sequence[Met]
    carried: Numbers
    of_left_out: Flags

    @cached_property
    def rows(self) -> Numbers:
        """How many rows there were of each key."""
        every = [*(each.change for each in self.met), self.carried]
        return np.bincount(_one(every), minlength=len(self.changes.keys)).astype(np.int64)

    @cached_property
    def deletes(self) -> Flags:
        found: Flags = self.changes.kinds == DELETE
        return found

    @cached_property
    def same(self) -> Flags:
        """Changes to what is there already."""
        hashes = self.changes.hashes.copy()
        there = np.zeros(len(hashes), np.bool_)
        for each in self.met:
            there[each.change[each.hashes == hashes[each.change]]] = True
        there[self.carried] = False
        found: Flags = there & (self.rows == 1) & ~self.deletes & ~self.of_left_out
        return found

    @cached_property
    def unknown(self) -> Flags:
        """Deletes of a key that is not there."""
        found: Flags = self.deletes & (self.rows == 0)
        return found

    @cached_property
    def applied(self) -> Flags:
        found: Flags = ~self.same & ~self.unknown
        return found

    @cached_property
    def brings(self) -> Flags:
        """Changes whose record becomes a landed row."""
        return self.applied & ~self.deletes & ~self.of_left_out

    @cached_property
    def brings_left_out(self) -> Flags:
        """Changes whose record is left out for its person."""
        return self.applied & ~self.deletes & self.of_left_out

    def gone(self, part: Met) -> Numbers:
        """Places of the rows of a part that changes take away."""
        return part.places[self.applied[part.change]]

    def left_out(self, part: Met) -> Numbers:
        """Places of the other rows that leave since their person is left out now."""
        return np.setdiff1d(part.left_out, self.gone(part))

    def by_changes(self) -> dict[str, int]:
        """Rows of before and records of changes that are no row now, by why; each of them once."""
        counts = {
            "replaced": self.rows[self.applied & ~self.deletes].sum(),
            "deleted": self.rows[self.applied & self.deletes].sum(),
            "deletes": (self.applied & self.deletes).sum(),
            "deletes_of_unknown_key": self.unknown.sum(),
            "superseded": self.changes.superseded,
            "same_as_before": self.same.sum(),
        }
        return {name: int(n) for name, n in counts.items() if n}

    def touched(self) -> tuple[pa.Array, pa.Array]:
        """The keys whose rows changed, and how."""
        applied = self.applied
        how = np.where(self.deletes, "deleted", np.where(self.rows > 0, "updated", "inserted"))
        how = np.where(self.brings_left_out, "opted_out", how)
        return self.changes.keys.filter(pa.array(applied)), pa.array(how[applied], pa.string())


@dataclass
class Written:
    """What was written: landed rows, the SHA-less names of parts linked, and rows of persons now left out."""

    rows: int
    linked: list[str]
    left_out: list[pa.RecordBatch]


def write_parts(folder: Path, verdict: Verdict, schema: pa.Schema) -> Written:
    """Writes the parts of `folder`: those of before without what is gone, and one with what the changes bring."""
    small = {each.path for each in verdict.met if each.rows < SMALL_PART}
    merged = small if len(small) > MANY_PARTS else set()
    made = Written(0, [], [])
    number = 1 + max((int(each.path.stem.removeprefix("part-")) for each in verdict.met), default=-1)
    newest = folder / f"part-{number:05d}.parquet"
    with ThreadPoolExecutor(1, thread_name_prefix="landing") as pool:
        new = PartWriter(newest, schema, pool)
        try:
            for part in verdict.met:
                out = verdict.left_out(part)
                leaving = np.union1d(verdict.gone(part), out)
                made.left_out += _rows_at(part.path, out)
                if part.path in merged:
                    _copy(part.path, leaving, schema, new)
                elif not len(leaving):
                    link_or_copy(part.path, folder / part.path.name)
                    made.linked.append(part.path.name)
                    made.rows += part.rows
                elif len(leaving) < part.rows:
                    made.rows += _rewritten(part.path, leaving, schema, folder / part.path.name, pool)
            landed, left_out = _brought(verdict, schema)
            for batch in landed:
                new.write(batch)
            made.left_out += left_out
            rows = new.close()
        except BaseException:
            new.abandon()
            raise
    made.rows += rows
    if rows == 0 and made.rows:
        newest.unlink()
    return made


def _rewritten(path: Path, leaving: Numbers, schema: pa.Schema, target: Path, pool: ThreadPoolExecutor) -> int:
    writer = PartWriter(target, schema, pool)
    try:
        _copy(path, leaving, schema, writer)
        return writer.close()
    except BaseException:
        writer.abandon()
        raise


def _copy(path: Path, leaving: Numbers, schema: pa.Schema, writer: PartWriter) -> None:
    first = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(SMALL_PART, columns=schema.names):
            stays = np.ones(len(batch), np.bool_)
            low, high = np.searchsorted(leaving, [first, first + len(batch)])
            stays[leaving[low:high] - first] = False
            writer.write(batch.select(schema.names).filter(pa.array(stays)).cast(schema))
            first += len(batch)


def _rows_at(path: Path, places: Numbers) -> list[pa.RecordBatch]:
    """The names of the rows at these places, as those of persons left out."""
    if not len(places):
        return []
    names = pq.read_table(path, columns=OPTED_OUT.names).take(pa.array(places))
    batches: list[pa.RecordBatch] = names.select(OPTED_OUT.names).cast(OPTED_OUT).combine_chunks().to_batches()
    return batches


def _brought(verdict: Verdict, schema: pa.Schema) -> tuple[Iterator[pa.RecordBatch], list[pa.RecordBatch]]:
    """The rows that changes bring, and those of them that are left out for their person."""
    at = verdict.changes.at
    left_out: list[pa.RecordBatch] = []
    for batch in _records(verdict.changes, at[verdict.brings_left_out], OPTED_OUT):
        left_out.append(batch)
    return _records(verdict.changes, at[verdict.brings], schema), left_out


def _records(changes: Changes, at: Numbers, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The change records at these places of all parts, each known by what its part is known by."""
    first = 0
    for part in changes.parts:
        with pq.ParquetFile(part.path) as file:
            for batch in file.iter_batches(SMALL_PART, columns=schema.names):
                low, high = np.searchsorted(at, [first, first + len(batch)])
                taken = batch.select(schema.names).take(pa.array(at[low:high] - first))
                first += len(batch)
                if len(taken):
                    named = pa.repeat(pa.scalar(part.shown, pa.string()), len(taken))
                    place = schema.get_field_index("_file")
                    yield taken.set_column(place, "_file", named).cast(schema)


def _one(arrays: Sequence[Numbers]) -> Numbers:
    return np.concatenate(arrays).astype(np.int64) if arrays else np.empty(0, np.int64)
