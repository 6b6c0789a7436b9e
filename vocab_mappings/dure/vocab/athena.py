"""Athena's file format: tab separated, nothing quoted, dates YYYYMMDD, one file a vocabulary table.

Files are streamed, never held whole: a full download has 9 million concepts and 60 million relationships. The fast
reader only knows *that* a file is malformed; `athena_faults` then reads it line by line to say where.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from dure.cdm.schema import CdmTable, tables
from dure.errors import ConfigurationError, Problem
from dure.vocab.athena_faults import faults

REQUIRED_FILES = ("CONCEPT", "CONCEPT_RELATIONSHIP", "VOCABULARY")

_BLOCK_BYTES = 8 << 20
_LONGEST_HEADER = 1 << 16
_FIRST_DATE, _LAST_DATE = 1800_01_01, 2199_12_31
_NO_DATE = np.int32(np.iinfo(np.int32).min)
_ARROW_TYPES = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "string": pa.string(),
}


@dataclass(frozen=True)
class AthenaFile:
    """One file of a download: the CDM table it fills and the names in its header, lower case, in file order."""

    table: CdmTable
    path: Path
    header: tuple[str, ...]
    header_bytes: int

    @property
    def name(self) -> str:
        return self.table.name.upper()

    def schema(self) -> pa.Schema:
        """The columns of the stored table: the CDM's in CDM order, then what the file has besides, as text."""
        return schema_of(self.table, tuple(name for name in self.header if name not in self.table.names))

    def has_rows(self) -> bool:
        with self.path.open("rb") as stream:
            stream.seek(self.header_bytes)
            while block := stream.read(_BLOCK_BYTES):
                if block.strip():
                    return True
        return False


def athena_tables() -> dict[str, CdmTable]:
    """The vocabulary tables by the name of Athena's file, without its ending."""
    return {name.upper(): table for name, table in tables().items() if table.vocabulary}


def schema_of(table: CdmTable, besides: tuple[str, ...] = ()) -> pa.Schema:
    """The Arrow schema of one vocabulary table, typed as the CDM types it; columns it does not know are text."""
    fields = [pa.field(column.name, _ARROW_TYPES[column.spark.simpleString()]) for column in table.columns]
    return pa.schema(fields + [pa.field(name, pa.string()) for name in besides])


def find_files(directory: Path) -> dict[str, AthenaFile]:
    """The vocabulary files of a folder by table name; file names count without regard to case.

    Raises ConfigurationError with every file that is missing, twice there, or has no usable header.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            Problem(str(directory), "no such folder", "give the folder that Athena's download was unpacked into")
        )
    wanted, found, problems = athena_tables(), dict[str, AthenaFile](), list[Problem]()
    for path in sorted(directory.iterdir()):
        name = path.stem.upper()
        if path.suffix.lower() != ".csv" or name not in wanted or not path.is_file():
            continue
        if name in found:
            problems.append(
                Problem(
                    str(path), f"a second file for {name}; {found[name].path.name} is there too", "keep one of them"
                )
            )
            continue
        try:
            found[name] = _read_header(path, wanted[name])
        except ConfigurationError as error:
            problems += error.problems
            found[name] = AthenaFile(wanted[name], path, (), 0)
    problems += [
        Problem(
            str(directory / f"{name}.csv"),
            "no such file",
            "unpack the whole download here: a vocabulary needs at least " + ", ".join(REQUIRED_FILES),
        )
        for name in REQUIRED_FILES
        if name not in found
    ]
    if problems:
        raise ConfigurationError(problems)
    return found


def _read_header(path: Path, table: CdmTable) -> AthenaFile:
    with path.open("rb") as stream:
        line = stream.readline(_LONGEST_HEADER)
    where, columns = f"{path}:1", ", ".join(table.names)
    if not line.strip():
        raise ConfigurationError(Problem(where, "the file is empty", f"expected a header line: {columns}"))
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(Problem(where, "the header is not UTF-8", "unpack the download again")) from error
    header = tuple(name.strip().lower() for name in text.rstrip("\r\n").split("\t"))
    twice = sorted({name for name in header if header.count(name) > 1})
    missing = [column.name for column in table.columns if column.required and column.name not in header]
    if twice:
        raise ConfigurationError(Problem(where, f"columns named twice: {', '.join(twice)}", "keep one of each"))
    if missing:
        hint = "; the fields must be separated by tabs" if len(header) == 1 else ""
        raise ConfigurationError(Problem(where, f"no column {', '.join(missing)}", f"expected {columns}{hint}"))
    return AthenaFile(table, path, header, len(line))


def read_batches(file: AthenaFile) -> Iterator[pa.RecordBatch]:
    """The rows of one file in file order, a few MB at a time, typed as `file.schema()`; an empty field is NULL.

    Raises ConfigurationError with file and line of the first malformed rows.
    """
    if not file.has_rows():
        return
    try:
        with pa.csv.open_csv(
            file.path,
            read_options=pa.csv.ReadOptions(column_names=list(file.header), skip_rows=1, block_size=_BLOCK_BYTES),
            parse_options=pa.csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False),
            convert_options=pa.csv.ConvertOptions(
                column_types=_csv_types(file), null_values=[""], strings_can_be_null=True, check_utf8=True
            ),
        ) as reader:
            for batch in reader:
                yield _typed(batch, file)
    except (pa.ArrowInvalid, _MalformedError) as error:
        raise ConfigurationError(_located(file, str(error))) from error


class _MalformedError(Exception):
    """The fast reader met a value that the slow one will locate."""


def _csv_types(file: AthenaFile) -> dict[str, pa.DataType]:
    # A date is read as the number it looks like: one table look-up then beats strptime by far on 120 million dates.
    return {
        field.name: pa.int32() if pa.types.is_date(field.type) else field.type
        for field in file.schema()
        if field.name in file.header
    }


def _typed(batch: pa.RecordBatch, file: AthenaFile) -> pa.RecordBatch:
    required = {column.name for column in file.table.columns if column.required}
    arrays = []
    for field in file.schema():
        if field.name not in file.header:
            arrays.append(pa.nulls(batch.num_rows, field.type))
            continue
        array = batch.column(field.name)
        if array.null_count and field.name in required and not pa.types.is_string(field.type):
            raise _MalformedError(f"{field.name} is empty in a row")
        arrays.append(_dates(array, field.name) if pa.types.is_date(field.type) else array)
    return pa.RecordBatch.from_arrays(arrays, schema=file.schema())


@cache
def _days_by_number() -> np.ndarray[Any, np.dtype[np.int32]]:
    """Days since 1970 by YYYYMMDD - _FIRST_DATE; _NO_DATE where that is no day of the calendar."""
    days = np.arange("1800-01-01", "2200-01-01", dtype="datetime64[D]")
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    months = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    of_month = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    table = np.full(_LAST_DATE - _FIRST_DATE + 1, _NO_DATE, np.int32)
    table[years * 10_000 + months * 100 + of_month - _FIRST_DATE] = days.astype(np.int32)
    return table


def _dates(numbers: pa.Array, name: str) -> pa.Array:
    known = _days_by_number()
    filled = numbers.fill_null(_FIRST_DATE) if numbers.null_count else numbers
    index = filled.to_numpy().astype(np.int64) - _FIRST_DATE
    inside = (index >= 0) & (index < len(known))
    days = known[np.where(inside, index, 0)]
    if not inside.all() or (days == _NO_DATE).any():
        raise _MalformedError(f"{name} holds a date that is none")
    mask = numbers.is_null().to_numpy(zero_copy_only=False) if numbers.null_count else None
    return pa.array(days, pa.int32(), mask=mask).view(pa.date32())


def _located(file: AthenaFile, fallback: str) -> list[Problem]:
    found = faults(file.path, file.header, file.schema(), {c.name for c in file.table.columns if c.required})
    return found or [Problem(str(file.path), f"cannot be read as Athena's format: {fallback}", "download it again")]
