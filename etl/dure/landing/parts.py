"""Parts: the Parquet files of one landed source, one part an input file."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.errors import ConfigurationError, Problem

# Row groups hold between 128 thousand and a million rows, fewer where rows are very wide: memory is bounded by bytes.
GROUP_ROWS = 1 << 17
GROUP_BYTES = 64 << 20
# Unique values gain nothing from a dictionary.
_WITHOUT_DICTIONARY = ("_row", "_key", "_row_hash")


def landed_schema(columns: Sequence[str]) -> pa.Schema:
    """The columns of landed rows: the source's as text, and what names the row."""
    fields = [pa.field(name, pa.string()) for name in columns]
    fields += [
        pa.field("_file", pa.string()),
        pa.field("_row", pa.int64()),
        pa.field("_key", pa.string()),
        pa.field("_row_hash", pa.int64()),
    ]
    return pa.schema(fields)


class PartWriter:
    """Writes one part while the next rows are read: at most one row group is being gathered and one written."""

    def __init__(self, path: Path, schema: pa.Schema, pool: ThreadPoolExecutor) -> None:
        self._path = path
        self._schema = schema
        self._pool = pool
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0
        self._writing: Future[None] | None = None
        # The name may be that of a part which an earlier snapshot shares: never written to, only left.
        path.unlink(missing_ok=True)
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="lz4",
            use_dictionary=[name for name in schema.names if name not in _WITHOUT_DICTIONARY],
            write_statistics=["_row"],
            store_schema=False,
        )

    def write(self, batch: pa.RecordBatch) -> None:
        if len(batch) == 0:
            return
        self._batches.append(batch)
        self._rows += len(batch)
        self._bytes += batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> int:
        """Ends the part and says how many rows its file has, by the file itself."""
        self._flush()
        self._wait()
        self._writer.close()
        rows: int = pq.read_metadata(self._path).num_rows
        return rows

    def abandon(self) -> None:
        """Removes the part; a writer that cannot even end its file is let go."""
        # a full disk stops these two as well; the error that led here is the one to show
        with suppress(OSError):
            self._wait()
        with suppress(OSError):
            self._writer.close()
        self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        self._wait()
        if self._batches:
            batches, self._batches, self._rows, self._bytes = self._batches, [], 0, 0
            self._writing = self._pool.submit(self._write_group, batches)

    def _write_group(self, batches: list[pa.RecordBatch]) -> None:
        self._writer.write_table(pa.Table.from_batches(batches), row_group_size=1 << 20)

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()


def cannot_write(folder: Path, error: OSError) -> ConfigurationError:
    """The error for a lake that takes no more bytes."""
    number = error.errno
    reason = os.strerror(number) if number else "the system refused"
    full = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    do = "free some space there and run again" if full else "check the folder and its permissions, and run again"
    return ConfigurationError(Problem(str(folder), f"cannot be written: {reason}", do))
