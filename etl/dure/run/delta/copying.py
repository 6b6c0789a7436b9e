"""CDM tables of the next snapshot out of those of the one before: rows of touched persons go, their new rows come in.

A file is a file again, sorted as it was and in row groups as before; one in which nothing changes is linked, not written.
Rows are handed on in slices between the persons that change, so that a table costs reading and writing it, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dure.cdm.schema import table as cdm_table
from dure.landing.links import link_or_copy
from dure.run.delta.basis import Mismatch
from dure.run.delta.parts import Longs
from dure.stages.tables import arrow_schema

# More slices of a row group than this are slower than picking its rows one by one.
_MOST_SLICES = 4096
# Tables that are sorted by something else than person and record id.
_SORTED_BY = {"observation_period": ("person_id", "observation_period_start_date")}


@dataclass
class Copied:
    """One table after copying: its rows, and the rows of the one before that are gone from it."""

    rows: int
    gone: list[pa.Table] = field(default_factory=list)
    files: int = 0
    linked: int = 0


def copy_table(table: str, before: Path, new: pa.Table, persons: Longs, records: Longs, out: Path) -> Copied:
    """Writes the table `out` from the one before: without the rows of these persons, or these records where it names no
    person, and with the `new` rows.

    Raises Mismatch where a new row has the id of one that stays.
    """
    out.mkdir(parents=True, exist_ok=True)
    columns = cdm_table(table)
    names = columns.names
    key = columns.primary_key
    schema = arrow_schema(table)
    by = "person_id" if "person_id" in names else key
    if by is None:
        raise ValueError(f"{table} has neither persons nor ids")
    order = _SORTED_BY.get(table, tuple(dict.fromkeys(name for name in (by, key) if name is not None)))
    new = new.select(schema.names).cast(schema).sort_by([(name, "ascending") for name in order])
    gone = np.sort(persons if by == "person_id" else records)
    files = sorted(before.glob("*.parquet"))
    made = Copied(0)
    taken = np.sort(new[key].to_numpy()) if key is not None else np.empty(0, np.int64)
    for number, (file, rows) in enumerate(zip(files, _dealt(files, by, new), strict=True)):
        _copy_file(file, out / f"part-{number:05d}.parquet", by, key, gone, rows, taken, schema, made)
    return made


def _dealt(files: list[Path], by: str, new: pa.Table) -> list[pa.Table]:
    """The new rows of each file: persons whole, by the files' own bounds, or in turn where files have all persons."""
    if len(files) == 1:
        return [new]
    bounds = [_bounds(file, by) for file in files]
    persons = new[by].to_numpy()
    known = [bound for bound in bounds if bound is not None]
    apart = all(one[1] < other[0] for one, other in pairwise(known))
    if apart and len(known) == len(files):
        which = np.minimum(np.searchsorted([bound[1] for bound in known], persons), len(files) - 1)
    else:
        first = np.ones(len(persons), np.int64)
        first[1:] = persons[1:] != persons[:-1]
        which = np.cumsum(first) % len(files)
    return [new.filter(pa.array(which == number)) for number in range(len(files))]


def _bounds(file: Path, by: str) -> tuple[int, int] | None:
    """The smallest and the largest value of a column of a file, by its own statistics; None where it has no rows."""
    with pq.ParquetFile(file) as read:
        metadata = read.metadata
        at = read.schema_arrow.get_field_index(by)
        found = [metadata.row_group(n).column(at).statistics for n in range(metadata.num_row_groups)]
    if not found or any(one is None or not one.has_min_max for one in found):
        return None
    return min(one.min for one in found), max(one.max for one in found)


def _copy_file(
    file: Path,
    out: Path,
    by: str,
    key: str | None,
    gone: Longs,
    new: pa.Table,
    taken: Longs,
    schema: pa.Schema,
    made: Copied,
) -> None:
    made.files += 1
    with pq.ParquetFile(file) as read:
        if new.num_rows == 0 and not _has_any(read, by, gone):
            _refuse_taken(read, key, taken)
            link_or_copy(file, out)
            made.rows += read.metadata.num_rows
            made.linked += 1
            return
        coming = new[by].to_numpy()
        done, groups = 0, read.metadata.num_row_groups
        with pq.ParquetWriter(out, schema, compression="zstd", use_dictionary=_texts(schema)) as writer:
            for number in range(groups):
                group = read.read_row_group(number, use_threads=False).select(schema.names).cast(schema)
                here = group[by].to_numpy()
                leaves = _in(here, gone)
                if leaves.any():
                    made.gone.append(group.filter(pa.array(leaves)))
                if key is not None and _in(group[key].to_numpy()[~leaves], taken).any():
                    raise Mismatch("a new record has the id of another")
                until = len(coming)
                if number < groups - 1 and len(here):
                    until = max(done, int(np.searchsorted(coming, here[-1], "right")))
                merged = _merged(group, here, leaves, new.slice(done, until - done), coming[done:until])
                done = until
                if merged.num_rows:
                    writer.write_table(merged)
                made.rows += merged.num_rows
            if done < len(coming) or not groups:
                writer.write_table(new.slice(done))
                made.rows += len(coming) - done


def _texts(schema: pa.Schema) -> list[str]:
    """Columns of which many rows say the same; ids and moments are not worth a dictionary."""
    return [field.name for field in schema if field.type in (pa.string(), pa.int32(), pa.float64(), pa.date32())]


def _has_any(read: pq.ParquetFile, by: str, gone: Longs) -> bool:
    groups = range(read.metadata.num_row_groups)
    return any(_in(read.read_row_group(n, columns=[by])[by].to_numpy(), gone).any() for n in groups)


def _refuse_taken(read: pq.ParquetFile, key: str | None, taken: Longs) -> None:
    for number in range(read.metadata.num_row_groups if key is not None and len(taken) else 0):
        if _in(read.read_row_group(number, columns=[key])[key].to_numpy(), taken).any():
            raise Mismatch("a new record has the id of another")


def _in(values: Longs, wanted: Longs) -> np.ndarray:
    """Which values are among the wanted ones, which are sorted and few."""
    if len(wanted) == 0 or len(values) == 0:
        return np.zeros(len(values), np.bool_)
    near = np.minimum(np.searchsorted(wanted, values), len(wanted) - 1)
    return np.asarray(wanted[near] == values)


def _merged(group: pa.Table, here: Longs, leaves: np.ndarray, new: pa.Table, coming: Longs) -> pa.Table:
    """The rows of a row group that stay, with the new ones where they belong; both sorted by the same column."""
    if not leaves.any() and new.num_rows == 0:
        return group
    cuts = np.flatnonzero(np.diff(leaves.astype(np.int8))) + 1
    at = np.searchsorted(here, coming)
    places = np.unique(np.concatenate([[0], cuts, at, [len(here)]])).astype(np.int64)
    if len(places) > _MOST_SLICES:
        return _picked(group, leaves, new, at)
    starts = np.searchsorted(at, places, "left")
    ends = np.searchsorted(at, places, "right")
    slices = []
    for n, place in enumerate(places):
        if ends[n] > starts[n]:
            slices.append(new.slice(int(starts[n]), int(ends[n] - starts[n])))
        if n + 1 < len(places) and not leaves[place]:
            slices.append(group.slice(int(place), int(places[n + 1] - place)))
    return pa.concat_tables(slices) if slices else group.slice(0, 0)


def _picked(group: pa.Table, leaves: np.ndarray, new: pa.Table, at: Longs) -> pa.Table:
    stay = np.flatnonzero(~leaves)
    order = np.insert(stay, np.searchsorted(stay, at), np.arange(new.num_rows) + group.num_rows)
    return pa.concat_tables([group, new]).take(pa.array(order))


def copy_plain(table: str, before: Path, gone: pa.Table, new: pa.Table, out: Path) -> int:
    """The same for a table that names neither persons nor records, such as fact_relationship: by whole rows."""
    out.mkdir(parents=True, exist_ok=True)
    schema = arrow_schema(table)
    names = schema.names

    def counts(rows: pa.Table, sign: int) -> pa.Table:
        rows = rows.select(names).cast(schema)
        return rows.append_column("_n", pa.array(np.full(rows.num_rows, sign, np.int64)))

    old = pa.concat_tables([pq.read_table(file) for file in sorted(before.glob("*.parquet"))])
    whole = pa.concat_tables([counts(old, 1), counts(gone, -1), counts(new, 1)])
    added = whole.group_by(names).aggregate([("_n", "sum")])
    times = added["_n_sum"].to_numpy()
    if (times < 0).any():
        raise Mismatch(f"rows of {table} that were to go were not there")
    rows = added.select(names).take(pa.array(np.repeat(np.arange(len(times)), times))).cast(schema)
    rows = rows.sort_by([(name, "ascending") for name in names])
    pq.write_table(rows, out / "part-00000.parquet", compression="zstd")
    return int(rows.num_rows)


def read_rows(folder: Path, schema: pa.Schema) -> pa.Table:
    """All rows of a table's folder; none where there is no such folder."""
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    return pa.concat_tables(
        [pq.read_table(file).select(schema.names).cast(schema) for file in files] or [schema.empty_table()]
    )


def alike(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables have the same rows, in whatever order."""
    if one.num_rows != other.num_rows:
        return False
    order: list[tuple[str, str]] = [(name, "ascending") for name in one.schema.names]
    first, second = one.sort_by(order), other.select(one.schema.names).cast(one.schema).sort_by(order)
    return all(_same(first[name], second[name]) for name in one.schema.names)


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if pa.types.is_floating(one.type):
        one, other = one.combine_chunks().view(pa.int64()), other.combine_chunks().view(pa.int64())
    return bool(one.equals(other))
