"""Parquet: one row a row of the file, numbered from 1, every value as text in one canonical form.

text as it is · whole numbers `-12` · other numbers in plain notation, whole ones without a point (`3`, `0.00001`) ·
decimals with the digits of their type (`1.50`) · `true`, `false` · dates `2024-02-29` · times `23:59:00` · timestamps
`2024-02-29T23:59:00`, a fraction only where there is one (`.5`), in UTC with a `Z` where the column has a zone · NaN is
NULL. Lists, structs, maps, intervals and bytes have no such form and are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.errors import Problem, SourceError
from dure.landing.batches import TextBatch

BATCH_ROWS = 1 << 16
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def parquet_names(path: Path, where: str) -> tuple[str, ...]:
    """The column names of a Parquet file; raises SourceError for types that have no text."""
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(where) from error
    problems = [
        Problem(f"{where} {field.name}", f"a column of type {field.type} has no text", "export it flat, as text")
        for field in schema
        if not _has_text(field.type)
    ]
    if problems:
        raise SourceError(problems)
    return tuple(schema.names)


def read_parquet(path: Path, where: str, wanted: Collection[str]) -> Iterator[TextBatch]:
    """The wanted columns of the rows of one file."""
    row = 1
    try:
        with pq.ParquetFile(path) as file:
            columns_wanted = [name for name in file.schema_arrow.names if name in wanted]
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns_wanted):
                columns = {
                    name: text_of(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
                yield TextBatch(columns, np.arange(row, row + len(batch), dtype=np.int64), nulls_done=False)
                row += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(where) from error


def text_of(column: pa.Array) -> pa.Array:
    """One text a value, in the canonical form of this module."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return text_of(column.dictionary_decode())
    if pa.types.is_floating(kind):
        return _float_text(column)
    if pa.types.is_decimal(kind):
        return without_exponent(column.cast(pa.string()))
    if pa.types.is_timestamp(kind):
        return _timestamp_text(column)
    if pa.types.is_time(kind):
        return _time_text(column)
    if pa.types.is_date64(kind):
        return column.cast(pa.date32()).cast(pa.string())
    return column.cast(pa.string())


def _has_text(kind: pa.DataType) -> bool:
    t = pa.types
    if t.is_dictionary(kind):
        return _has_text(kind.value_type)
    text = t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)
    number = t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_boolean(kind)
    moment = t.is_date(kind) or t.is_time(kind) or t.is_timestamp(kind)
    return bool(text or number or moment or t.is_null(kind))


def _float_text(column: pa.Array) -> pa.Array:
    """The shortest text that reads back as the same number, never with an exponent."""
    if column.type == pa.float16():
        column = column.cast(pa.float32())
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return without_exponent(pc.replace_substring_regex(column.cast(pa.string()), r"\.0$", ""))


def without_exponent(text: pa.Array) -> pa.Array:
    """The same numbers without an exponent; few values have one, and those go one by one."""
    has_exponent = pc.match_substring_regex(text, "[0-9][eE][+-]?[0-9]")
    if not pc.any(has_exponent).as_py():
        return text
    exponents = has_exponent.to_pylist()
    values = text.to_pylist()
    return pa.array([format(Decimal(v), "f") if e else v for v, e in zip(values, exponents, strict=True)], pa.string())


def _timestamp_text(column: pa.Array) -> pa.Array:
    unit, zone = column.type.unit, column.type.tz
    ticks = column.cast(pa.int64())
    seconds, fraction = _split(ticks, _UNITS[unit])
    text = pc.strftime(seconds.cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%S")
    return pc.binary_join_element_wise(text, _fraction(fraction, unit), "Z" if zone else "", "")


def _time_text(column: pa.Array) -> pa.Array:
    unit = column.type.unit
    ticks = column.cast(pa.int32() if pa.types.is_time32(column.type) else pa.int64()).cast(pa.int64())
    seconds, fraction = _split(ticks, _UNITS[unit])
    text = pc.strftime(seconds.cast(pa.timestamp("s")), "%H:%M:%S")
    return pc.binary_join_element_wise(text, _fraction(fraction, unit), "")


def _split(ticks: pa.Array, per_second: int) -> tuple[pa.Array, pa.Array]:
    """Whole seconds, rounded down (before 1970 too), and the rest."""
    values = ticks.fill_null(0).to_numpy(zero_copy_only=False)
    seconds, rest = np.divmod(values, per_second)
    absent = ticks.is_null().to_numpy(zero_copy_only=False)
    return pa.array(seconds, mask=absent), pa.array(rest, mask=absent)


def _fraction(rest: pa.Array, unit: str) -> pa.Array:
    """`` or `.5`: the digits after the second without trailing zeros."""
    if not pc.any(pc.not_equal(rest, 0)).as_py():
        return pc.if_else(rest.is_valid(), pa.scalar(""), pa.scalar(None, pa.string()))
    digits = len(str(_UNITS[unit])) - 1
    padded = pc.utf8_lpad(rest.cast(pa.string()), digits, "0")
    shown = pc.utf8_rtrim(padded, "0")
    return pc.if_else(pc.equal(rest, 0), pa.scalar(""), pc.binary_join_element_wise(".", shown, ""))


def _damaged(where: str) -> SourceError:
    return SourceError(Problem(where, "is not a readable Parquet file", "copy or export it again"))
