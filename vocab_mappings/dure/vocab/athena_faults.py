"""Where a malformed vocabulary file is malformed: the slow, line by line reading that only a broken file pays for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa

from dure.errors import Problem

_MOST_SHOWN = 20
_INTEGER = re.compile(r"\s*-?[0-9]+\s*")
_DATE = re.compile(r"\s*([0-9]{4})([0-9]{2})([0-9]{2})\s*")


def faults(path: Path, header: tuple[str, ...], schema: pa.Schema, required: Iterable[str]) -> list[Problem]:
    """One problem a malformed field or row of an Athena file, in file order, at most twenty."""
    problems: list[Problem] = []
    must = set(required)
    checks = {index: (name, name in must, _CHECKS[_kind(schema.field(name).type)]) for index, name in enumerate(header)}
    for line_number, line in _lines(path):
        for found, do in _line_faults(line, len(header), checks):
            problems.append(Problem(f"{path}:{line_number}", found, do))
            if len(problems) == _MOST_SHOWN:
                return problems
    return problems


def repeated_ids(path: Path, column: int, repeated: set[int]) -> list[Problem]:
    """One problem a line whose id another line before it has, for the ids already known to repeat."""
    first_line: dict[int, int] = {}
    problems: list[Problem] = []
    for line_number, line in _lines(path):
        value = int(line.split("\t")[column])
        if value not in repeated:
            continue
        if value not in first_line:
            first_line[value] = line_number
            continue
        problems.append(
            Problem(
                f"{path}:{line_number}",
                f"concept_id {value} again; line {first_line[value]} has it already",
                "a concept is one row: keep the right one, or download the vocabulary again",
            )
        )
        if len(problems) == _MOST_SHOWN:
            break
    return problems


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    # Undecodable bytes become lone surrogates, which no valid UTF-8 file can hold.
    with path.open(encoding="utf-8", errors="surrogateescape") as stream:
        next(stream, None)
        for line_number, line in enumerate(stream, start=2):
            text = line.rstrip("\n")
            if text:
                yield line_number, text


def _line_faults(
    line: str, width: int, checks: dict[int, tuple[str, bool, Callable[[str], str | None]]]
) -> Iterator[tuple[str, str]]:
    if any("\udc80" <= character <= "\udcff" for character in line):
        yield "bytes that are not UTF-8", "Athena's files are UTF-8: unpack the download again, do not re-save it"
        return
    fields = line.split("\t")
    if len(fields) != width:
        yield (
            f"{len(fields)} fields, the header has {width}",
            "one row is one line with its fields separated by tabs; a spreadsheet may have broken it",
        )
        return
    for index, (name, required, check) in checks.items():
        value = fields[index]
        expected = check(value) if value else ("a value" if required and check is not _any_text else None)
        if expected:
            yield f"{name} is {value[:40]!r}", f"expected {expected}"


def _integer(value: str) -> str | None:
    fits = _INTEGER.fullmatch(value) and -(2**31) <= int(value) < 2**31
    return None if fits else "a whole number of at most 10 digits"


def _number(value: str) -> str | None:
    try:
        return None if math.isfinite(float(value)) else "a number"
    except ValueError:
        return "a number"


def _day(value: str) -> str | None:
    expected = "a date YYYYMMDD between 1800 and 2199"
    match = _DATE.fullmatch(value)
    if not match or not 1800 <= int(match[1]) <= 2199:
        return expected
    try:
        date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return expected
    return None


def _any_text(_: str) -> str | None:
    return None


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "integer": _integer,
    "number": _number,
    "date": _day,
    "text": _any_text,
}


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "number"
    return "date" if pa.types.is_date(kind) else "text"
