"""Mapping files: OMOP's `source_to_concept_map` as CSV, headers in any case, with what Dure adds to the key of a code.

Besides OMOP's columns a file may have `code_type`, `specimen`, `unit` (the row then speaks only for codes with them)
and `equivalence`. Target 0 says that a code was looked at and has no concept. A file that cannot be read as a whole is
a configuration error; a row that cannot be trusted is kept with its `fault`, so that no other map speaks in its place.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.vocab.intervals import FIRST_DAY, LAST_DAY, first_day, last_day

LARGEST_CONCEPT_ID = 2**31 - 1
_REQUIRED = ("source_code", "target_concept_id")
_RETIRED = frozenset({"D", "U"})
# What exports write where they mean an empty cell.
_EMPTY = frozenset({"", "NA", "N/A", "NULL", "NONE", "-"})
_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class MapRow:
    """One row of a map: the code it speaks for, from `start` to `end` (ordinals, inclusive), and its target.

    `row` is the line on which it begins, the header being line 1; empty `code_type`, `specimen`, `unit` mean any, an
    empty `vocabulary` the one that reads the file. `target` is None exactly where `fault` names what is wrong with it.
    """

    file: str
    row: int
    vocabulary: str
    code: str
    code_type: str
    specimen: str
    unit: str
    target: int | None
    source_concept_id: int
    start: int
    end: int
    equivalence: str
    fault: str | None = None
    detail: str = ""

    @property
    def specificity(self) -> tuple[int, bool, bool, bool]:
        """Orders rows for one request: more filled columns first, then code type, specimen, unit."""
        filled = (bool(self.code_type), bool(self.specimen), bool(self.unit))
        return sum(filled), *filled

    @property
    def provenance(self) -> str:
        return f"{self.file}:{self.row}"


@dataclass(frozen=True)
class MapFile:
    """The rows of one file that are in force (retired ones are left out), and the rows that name no code."""

    path: Path
    rows: tuple[MapRow, ...]
    without_code: tuple[int, ...]


def read_map_file(path: Path) -> MapFile:
    """The rows of a map in file order; raises ConfigurationError where the file cannot be read as a table."""
    text = _text(path)
    separator = "\t" if "\t" in text.partition("\n")[0] else ","
    rows: list[MapRow] = []
    without_code: list[int] = []
    for number, cells in _records(path, text, separator):
        if not cells["source_code"]:
            without_code.append(number)
        elif cells.get("invalid_reason", "").upper() not in _RETIRED:
            rows.append(_row(short_name(path), number, cells))
    return MapFile(path, tuple(rows), tuple(without_code))


def short_name(path: Path) -> str:
    """A map's name in reports: its folder and its own, which says enough and no machine's path."""
    return "/".join(path.parts[-2:])


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        do = "name an existing CSV file under maps"
        raise ConfigurationError(Problem(str(path), f"cannot be read: {error.strerror}", do)) from error
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationError(Problem(f"{path}:{line}", "not UTF-8", "save the map as CSV UTF-8")) from error


def _records(path: Path, text: str, separator: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The line on which each record begins and its cells by lower-case column, without surrounding white space."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    problems: list[Problem] = []
    line = 1
    try:
        for cells in reader:
            began, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(path, began, cells)
            elif len(cells) != len(header):
                found = f"{len(cells)} fields, the header has {len(header)}"
                problems.append(Problem(f"{path}:{began}", found, "a value that holds the separator needs quotes"))
            else:
                yield began, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        do = "a quoted value must end with a quote; inside it a quote is written twice"
        problems.append(Problem(f"{path}:{line}", f"not readable as CSV ({error})", do))
    if header is None and not problems:
        problems.append(Problem(f"{path}:1", "the file is empty", f"expected a header with {', '.join(_REQUIRED)}"))
    if problems:
        raise ConfigurationError(problems[:_MOST_SHOWN])


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    missing = [name for name in _REQUIRED if name not in header]
    if twice:
        raise ConfigurationError(
            Problem(f"{path}:{line}", f"columns named twice: {', '.join(twice)}", "keep one of each")
        )
    if missing:
        do = "expected source_vocabulary_id, source_code, target_concept_id, as in OMOP's source_to_concept_map"
        raise ConfigurationError(Problem(f"{path}:{line}", f"no column {', '.join(missing)}", do))
    return header


def _row(file: str, number: int, cells: dict[str, str]) -> MapRow:
    fault, detail = None, ""
    target = _concept_id(cells["target_concept_id"])
    start, end = _day(cells.get("valid_start_date", "")), _day(cells.get("valid_end_date", ""))
    invalid_reason = cells.get("invalid_reason", "").upper()
    if cells["target_concept_id"].upper() in _EMPTY:
        fault, detail = "target_missing", "no target; write 0 where a code is known to have none"
    elif target is None:
        fault, detail = "target_not_an_id", "the target is not a concept id, a whole number without point or exponent"
    elif "bad" in (start, end):
        fault, detail = "date_unreadable", "a date is neither YYYY-MM-DD nor YYYYMMDD"
    elif invalid_reason not in _EMPTY:
        fault, detail = "invalid_reason_unknown", "invalid_reason is none of D, U and empty"
    from_day = first_day(start if isinstance(start, date) else None)
    to_day = last_day(end if isinstance(end, date) else None)
    if from_day > to_day:
        fault, detail = fault or "validity_reversed", detail or "the row ends before it starts"
    if fault in ("date_unreadable", "validity_reversed"):
        # When it speaks is unknown, so it stands in the way on every day on which no sound row of its map speaks.
        from_day, to_day = FIRST_DAY, LAST_DAY
    return MapRow(
        file=file,
        row=number,
        vocabulary=cells.get("source_vocabulary_id", ""),
        code=cells["source_code"],
        code_type=cells.get("code_type", ""),
        specimen=cells.get("specimen", ""),
        unit=cells.get("unit", ""),
        target=None if fault else target,
        source_concept_id=_concept_id(cells.get("source_concept_id", "")) or 0,
        start=from_day,
        end=to_day,
        equivalence=cells.get("equivalence", "").lower() or "equal",
        fault=fault,
        detail=detail,
    )


def _concept_id(text: str) -> int | None:
    if text.isascii() and text.isdigit() and int(text) <= LARGEST_CONCEPT_ID:
        return int(text)
    return None


def _day(text: str) -> date | str | None:
    """A validity date; None where the cell is empty, `bad` where it holds something else."""
    if text.upper() in _EMPTY:
        return None
    match = _DATE.fullmatch(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else "bad"
    except ValueError:
        return "bad"
