"""Eras: spans in which one person has one thing, bridged over gaps of at most 30 days.

The work is done in Python with numpy, a partition of persons at a time, which is faster than the
engines' window functions (docs/adr/0011-eras.md). Rows may come in any order, overlap, repeat and be split over any
number of batches; a person is always whole within a partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.tables.keys import EVENT_ID_BITS, identity, record_id

Longs = npt.NDArray[np.int64]

# A new era begins when more days than this lie between its start and the latest end so far.
PERSISTENCE_DAYS = 30

# A partition is held in memory while its eras are computed: about 130 bytes a row at most.
ROWS_A_PARTITION = 2_000_000
# Below this a further partition costs more than it saves.
FEWEST_ROWS_A_PARTITION = 50_000

# Keys and start are packed into numbers below this.
ROOM = 1 << 62

# What `eras_of` reads besides the keys, and what it gives besides them; dates are whole days.
START, END = "start", "end"
SPAN_TYPES = {"era_start": "date", "era_end": "date", "exposures": "int", "gap_days": "int"}
_SPAN_ARROW = {"date": pa.date32(), "int": pa.int32()}


def partitions_for(rows: int, parallelism: int) -> int:
    """Into how many partitions `rows` rows are dealt by person: all cores busy, none holding too many rows."""
    busy = min(parallelism, -(-rows // FEWEST_ROWS_A_PARTITION))
    return max(busy, -(-rows // ROWS_A_PARTITION), 1)


def eras_of(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """One row an era: the keys, `era_start`, `era_end` (its latest end), `exposures` (rows) and `gap_days`.

    `rows` has the key columns (no NULLs), `start` and `end` as date32 with end >= start. `gap_days` are the days of
    the era, its first and last included, that no row covers; so a row of one day makes an era without gap days.
    """
    if rows.num_rows == 0:
        return _result(rows.select(keys), *[np.zeros(0, np.int64)] * 4)
    start, end = (_days(rows[name]) for name in (START, END))
    group, n_groups = _groups([rows[name] for name in keys])
    order = np.argsort(_packed(group, n_groups, start))
    group, start, end = group[order], start[order], end[order]

    # The latest end among the rows of the group up to each row: groups lie apart by more days than any two dates do.
    apart = group_offsets(group, int(max(end.max(), start.max()) - start.min()) + PERSISTENCE_DAYS + 2)
    latest = np.maximum.accumulate(end + apart) - apart

    first = np.ones(len(group), np.bool_)
    first[1:] = (group[1:] != group[:-1]) | (start[1:] - latest[:-1] > PERSISTENCE_DAYS)
    begins = np.flatnonzero(first)
    ends = np.append(begins[1:], len(group)) - 1

    # Days that a row adds to those which the rows before it in the era cover.
    uncovered_from = start.copy()
    uncovered_from[1:] = np.where(first[1:], start[1:], np.maximum(start[1:], latest[:-1] + 1))
    covered = np.add.reduceat(np.maximum(end - uncovered_from + 1, 0), begins)

    era_start, era_end = start[begins], latest[ends]
    return _result(
        rows.select(keys).take(order[begins]), era_start, era_end, ends - begins + 1, era_end - era_start + 1 - covered
    )


def group_offsets(group: Longs, apart: int) -> Longs:
    """For rows sorted by group, a number that grows by `apart` with each group."""
    offset: Longs = np.zeros(len(group), np.int64)
    np.cumsum(group[1:] != group[:-1], out=offset[1:])
    offset *= apart
    return offset


def _days(column: pa.ChunkedArray) -> Longs:
    days: Longs = column.cast(pa.int32()).to_numpy().astype(np.int64)
    return days


def _groups(columns: Sequence[pa.ChunkedArray]) -> tuple[Longs, int]:
    """A number for each row, equal where all columns are, and a bound of these numbers."""
    group, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        coded = column.combine_chunks().dictionary_encode()
        if size * len(coded.dictionary) >= ROOM:  # only keys of very many columns come here
            group, size = _renumbered(group)
        group = group * len(coded.dictionary) + coded.indices.to_numpy()
        size *= len(coded.dictionary)
    return group, size


def _renumbered(group: Longs) -> tuple[Longs, int]:
    distinct, numbers = np.unique(group, return_inverse=True)
    return numbers.astype(np.int64), len(distinct)


def _packed(group: Longs, n_groups: int, start: Longs) -> Longs:
    """Group and start in one number: sorting one is four times faster than sorting by several."""
    span = int(start.max() - start.min()) + 1
    if n_groups * span >= ROOM:
        group, _ = _renumbered(group)
    packed: Longs = group * span + (start - start.min())
    return packed


def _result(keys: pa.Table, *spans: Longs) -> pa.Table:
    for (name, kind), values in zip(SPAN_TYPES.items(), spans, strict=True):
        keys = keys.append_column(name, pa.array(values.astype(np.int32)).cast(_SPAN_ARROW[kind]))
    return keys


def by_person(
    frame: DataFrame, compute: Callable[[pa.Table], pa.Table], types: dict[str, str], partitions: int
) -> DataFrame:
    """What `compute` gives for the rows of each partition, all rows of a person being in one; columns as in `types`.

    No order is asked of the engine: Sail drops a sort before mapInArrow without a word.
    """

    def whole(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        held = list(batches)
        if held:
            yield from compute(pa.Table.from_batches(held)).to_batches()

    schema = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return frame.repartition(partitions, "person_id").mapInArrow(whole, schema)


def latest_of(start: Column, end: Column) -> Column:
    """The end of a row: its start where it has none, or one before the start."""
    return F.greatest(start, F.coalesce(end, start))


def era_id(site: str, table: str, *key: Column) -> Column:
    """The record id of an era: of its person, concept, first day, and what else no two eras of the table share."""
    return record_id(
        identity(site, "eras", table, "eras", F.concat_ws("|", *[part.cast("string") for part in key]), F.lit("0")),
        EVENT_ID_BITS,
    )
