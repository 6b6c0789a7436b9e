"""A digest of what the tables of a snapshot hold: equal wherever their rows are, whatever wrote them in what order.

The manifest's own digest is that of the files, which two engines write differently; this one is that of the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BATCH_ROWS = 1 << 18
Hashes = npt.NDArray[np.uint64]
# The finaliser of SplitMix64, which spreads neighbouring numbers over all bits.
_STEPS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_NEXT = np.uint64(0x9E3779B97F4A7C15)
_NULL = np.uint64(0x2545F4914F6CDD1D)


def content_digest(snapshot: Path) -> str:
    """SHA-256 over all tables of a snapshot: their names, columns, numbers of rows and the sums of their rows' hashes."""
    whole = hashlib.sha256()
    for folder in sorted(path for path in snapshot.iterdir() if path.is_dir()):
        rows, total = 0, 0
        names: list[str] = []
        for file in sorted(folder.glob("*.parquet")):
            opened = pq.ParquetFile(file)
            names = sorted(opened.schema_arrow.names)
            for batch in opened.iter_batches(BATCH_ROWS):
                rows += batch.num_rows
                hashes = row_hashes([cell_hashes(batch.column(name)) for name in names], batch.num_rows)
                total += int(hashes.sum(dtype=np.uint64))
        whole.update(f"{folder.name} {' '.join(names)} {rows} {total % (1 << 64)}\n".encode())
    return whole.hexdigest()


def row_hashes(columns: Sequence[Hashes], rows: int) -> Hashes:
    """One number a row, from the hashes of its cells and their order."""
    hashes = np.zeros(rows, np.uint64)
    for column in columns:
        hashes = _mixed(hashes * np.uint64(31) + column)
    return hashes


def cell_hashes(cells: pa.Array) -> Hashes:
    """One number a cell; whole numbers, dates and texts alike have one of their own, and so has NULL."""
    kind = cells.type
    if pa.types.is_floating(kind):
        numbers = np.asarray(pc.fill_null(cells.cast(pa.float64()), 0.0)) + 0.0  # one zero, not two
        found: Hashes = _mixed(numbers.view(np.uint64))
    elif pa.types.is_integer(kind):
        found = _mixed(_unsigned(cells))
    elif pa.types.is_date(kind):
        found = _mixed(_unsigned(cells.cast(pa.date32()).cast(pa.int32())))
    elif pa.types.is_timestamp(kind):
        found = _mixed(_unsigned(cells.cast(pa.timestamp("us")).cast(pa.int64())))
    else:
        words = cells.cast(pa.string()).dictionary_encode()
        of_word = np.array([text_hash(text) for text in words.dictionary.to_pylist()] or [0], np.uint64)
        found = of_word[np.asarray(pc.fill_null(words.indices, 0))]
    if cells.null_count:
        found[np.asarray(cells.is_null())] = _NULL
    return found


def text_hash(text: str) -> int:
    """A number for a text, the same on every machine and in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _unsigned(cells: pa.Array) -> Hashes:
    return np.asarray(pc.fill_null(cells.cast(pa.int64()), 0)).view(np.uint64)


def _mixed(numbers: Hashes) -> Hashes:
    mixed = numbers + _NEXT
    for shift, factor in _STEPS:
        mixed = (mixed ^ (mixed >> shift)) * factor
    return mixed ^ (mixed >> np.uint64(31))
