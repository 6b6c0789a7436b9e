"""PostgreSQL's own text of rows: COPY … TO STDOUT, parsed as a CSV file of it would be."""

from __future__ import annotations

import select as selecting
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import pq

from dure.errors import IntegrityError, Problem
from dure.landing.database.pieces import Piece, StoppedError
from dure.landing.database.value_text import NoTextError
from dure.landing.parquet_text import without_exponent

# So many bytes are parsed at a time; a longer row is parsed alone.
BLOCK = 2 << 20
# How often somebody is asked whether the rows are still wanted, and how long the server has to hear that they are not.
LOOK_MS = 500
CANCEL_SECONDS = 5.0


def copied_pieces(
    connection: psycopg.Connection[Any],
    select: str,
    names: Sequence[str],
    floats: Collection[str],
    null_values: Sequence[str],
    stopped: Callable[[], bool],
) -> Iterator[Piece]:
    """The rows of a SELECT as COPY writes them, without the exponents of `floats`.

    Raises psycopg.Error; NoTextError for text in an encoding that the database does not know; IntegrityError where other rows came than the server says it sent.
    """
    came = 0
    blocks = _blocks(connection, f"COPY ({select}) TO STDOUT (FORMAT csv)", stopped)
    for block, rows in blocks:
        try:
            table = _parsed(block, names, null_values)
        except pa.ArrowInvalid:
            # Only bytes that are no UTF-8 can be wrong with what COPY writes; the message would quote them.
            raise NoTextError("bytes that are not UTF-8") from None
        if len(table) != rows:
            found = f"{rows:,} rows came and {len(table):,} were read of them"
            raise IntegrityError(Problem("COPY", found, "report this as a bug"))
        columns = dict(zip(names, table.columns, strict=True))
        columns |= {name: without_exponent(columns[name]) for name in floats}
        came += rows
        yield Piece(columns, rows, (block,), nulls_done=True)


def _blocks(
    connection: psycopg.Connection[Any], statement: str, stopped: Callable[[], bool]
) -> Iterator[tuple[bytearray, int]]:
    """(bytes of whole rows, how many they are); the server sends each row as one message.

    psycopg's own loop over a COPY takes five times the processor time, a list of the rows as they come still four times.
    """
    wire = connection.pgconn
    ready = selecting.poll()
    ready.register(wire.socket, selecting.POLLIN)

    def more() -> None:
        """Takes what the server sends next, once it does; it may be long at work before its first word."""
        while not ready.poll(LOOK_MS):
            if stopped():
                raise StoppedError
        wire.consume_input()

    block = bytearray()
    rows = came = 0
    try:
        wire.send_query(statement.encode())
        while wire.flush() or wire.is_busy():
            more()
        started = wire.get_result()
        if started is None or started.status != pq.ExecStatus.COPY_OUT:
            raise _error_of(started)
        while True:
            length, row = wire.get_copy_data(1)
            if length > 0:
                block += row
                rows += 1
                if len(block) >= BLOCK:
                    came += rows
                    yield block, rows
                    block, rows = bytearray(), 0
            elif length == 0:
                more()
            else:
                break
        came += rows
        _check_ended(wire, came)
    except BaseException:
        # Nobody wants the rest: the server shall neither send it nor go on looking for it.
        if wire.status == pq.ConnStatus.OK and wire.transaction_status == pq.TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=CANCEL_SECONDS)
        wire.finish()
        raise
    if rows:
        yield block, rows


def _error_of(result: Any) -> psycopg.Error:
    return (
        psycopg.OperationalError("no result") if result is None else psycopg.errors.error_from_result(result, "utf-8")
    )


def _check_ended(wire: Any, came: int) -> None:
    """Raises what the server ended the COPY with, or IntegrityError where it sent other rows than came."""
    ended = None
    while (result := wire.get_result()) is not None:
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise _error_of(result)
        ended = result
    sent = ended.command_tuples if ended is not None else None
    if sent != came:
        found = f"the server sent {sent} rows and {came} came"
        raise IntegrityError(Problem("COPY", found, "report this as a bug"))


def _parsed(block: bytearray, names: Sequence[str], null_values: Sequence[str]) -> pa.RecordBatch:
    places = [str(place) for place in range(len(names))]  # names may repeat what pyarrow does not take
    table = pa.csv.read_csv(
        pa.BufferReader(pa.py_buffer(block)),
        read_options=pa.csv.ReadOptions(column_names=places, block_size=len(block) + 1, use_threads=False),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(places, pa.string()),
            null_values=sorted({"", *null_values}),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    columns = [column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, names=places)
