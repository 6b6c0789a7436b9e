"""Numbers by which cells and rows of two Parquet tables are compared: equal where the cells are, bit for bit.

Two different rows share one with a chance of one in 2^64. Numbers with a point are taken by their bits, so that minus zero
is not zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

Hashes = npt.NDArray[np.uint64]

_NULL = np.uint64(0x9E3779B97F4A7C15)
_FACTOR = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


def cell_hashes(cells: pa.ChunkedArray) -> Hashes:
    """One number a cell; NULL has one of its own."""
    column = cells.combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        words = column.dictionary_encode()
        of_word = hash_array(np.append(words.dictionary.to_numpy(zero_copy_only=False), ""), categorize=False)
        found = of_word[np.asarray(pc.fill_null(words.indices, len(words.dictionary)))]
    else:
        found = hash_array(_bits(column))
    found = np.array(found, np.uint64)
    if column.null_count:
        found[np.asarray(column.is_null())] = _NULL
    return found


def row_hashes(table: pa.Table, names: Sequence[str]) -> Hashes:
    """One number a row, from the hashes of its cells and their order."""
    hashes = np.zeros(table.num_rows, np.uint64)
    for name in names:
        hashes = (hashes + cell_hashes(table[name])) * _FACTOR
        hashes ^= hashes >> _HALF
    return hashes


def _bits(column: pa.Array) -> npt.NDArray[np.int64]:
    """The cells as whole numbers: those with a point by their bits, days and moments by their count; NULL as any."""
    if pa.types.is_floating(column.type):
        return np.asarray(pc.fill_null(column.cast(pa.float64()), 0.0)).view(np.int64)
    if pa.types.is_date(column.type):
        column = column.cast(pa.date32()).cast(pa.int32())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    return np.asarray(pc.fill_null(column.cast(pa.int64()), 0))
