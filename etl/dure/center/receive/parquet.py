"""Reading Parquet that somebody else wrote: in blocks, each checked, and torn files told from a failing disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.center.receive.refused import refuse

BLOCK_ROWS = 1 << 16


@contextmanager
def readable(shown: str) -> Iterator[None]:
    """Turns what pyarrow says of a torn file into a refusal; what the disk says stays what it is."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError):
        raise refuse("not_parquet", shown) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise refuse("not_parquet", shown) from None


def about(path: Path, shown: str) -> tuple[pq.FileMetaData, pa.Schema]:
    """What the footer of a file says."""
    with readable(shown), pq.ParquetFile(path) as parquet:
        return parquet.metadata, parquet.schema_arrow


def blocks(path: Path, shown: str) -> Iterator[pa.RecordBatch]:
    """The rows of a file in blocks, every text valid UTF-8."""
    with readable(shown), pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
        for block in file.iter_batches(BLOCK_ROWS):
            block.validate(full=True)
            yield block
