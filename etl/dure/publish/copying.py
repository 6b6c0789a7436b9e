"""Rows of Parquet into one PostgreSQL table by COPY, in bounded memory.

CSV and not COPY's binary format: Arrow writes it at several hundred megabytes a second, the server's NUMERIC gets each
number with exactly the digits it has, and quoting tells an empty text from NULL. Blocks are written in one thread while
another encodes the next, so client and server work at the same time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from psycopg import sql

from dure.errors import IntegrityError, Problem
from dure.publish.table_files import TableFiles

Row = tuple[object, ...]
Block = Callable[[pa.RecordBatch], pa.RecordBatch]

_NO_HEADER = pa.csv.WriteOptions(include_header=False)
_AHEAD = 2


def copy_table(connection: psycopg.Connection[Row], schema: str, files: TableFiles, change: Block | None = None) -> int:
    """The number of rows copied into the table, which must have been created in the same transaction.

    `change` is applied to each block, such as to cut texts. Raises IntegrityError for a NUL character, which no text of
    PostgreSQL can hold, and when the server counts other rows than the files have.
    """
    # FREEZE: nobody can see the new table yet, and no vacuum needs to write it all a second time.
    command = sql.SQL("COPY {} FROM STDIN (FORMAT csv, FREEZE)").format(sql.Identifier(schema, files.table.name))
    with connection.cursor() as cursor:
        with cursor.copy(command) as copy:
            for block in _encoded(files, change):
                copy.write(block)
        copied = cursor.rowcount
    if copied != files.rows:
        found = f"the server took {copied} rows, the files have {files.rows}"
        raise IntegrityError(Problem(files.table.name, found, "report this bug"))
    return copied


def _encoded(files: TableFiles, change: Block | None) -> Iterator[bytes]:
    """The blocks as CSV in order; up to `_AHEAD` are encoded before they are asked for."""
    table, blocks = files.table.name, files.blocks()
    with ThreadPoolExecutor(1) as encoder:
        waiting: deque[Future[bytes | None]] = deque()

        def one() -> bytes | None:
            block = next(blocks, None)
            return None if block is None else _csv(change(block) if change else block, table)

        try:
            waiting.extend(encoder.submit(one) for _ in range(_AHEAD))
            while (block := waiting.popleft().result()) is not None:
                waiting.append(encoder.submit(one))
                yield block
        finally:
            for future in waiting:
                future.cancel()


def _csv(block: pa.RecordBatch, table: str) -> bytes:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(block, sink, _NO_HEADER)
    content: bytes = sink.getvalue().to_pybytes()
    if b"\0" in content:
        raise IntegrityError(
            [
                Problem(
                    f"{table}.{field.name}",
                    f"{count} rows in this block of {block.num_rows} hold a NUL character, which PostgreSQL cannot",
                    "remove it in the site's spec or view, and run the site again",
                )
                for field, column in zip(block.schema, block.columns, strict=True)
                if pa.types.is_string(field.type) and (count := _with_nul(column))
            ]
        )
    return content


def _with_nul(column: pa.Array) -> int:
    return pc.sum(pc.match_substring(column, "\0")).as_py() or 0
