"""A map file as rows of text, before anything is made of them: one record a row, with where in the file it stands."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.vocab.maps.encoding import Encoding, decoded
from dure.vocab.maps.fields import REQUIRED, Layout, layout, plain_header

WORKBOOKS = frozenset({".xlsx", ".xlsm"})
_OF_FIXED_LISTS = frozenset({"value", "value_1"})
_DELIMITERS = (",", "\t", ";", "|")


class FixedListError(ConfigurationError):
    """The file is a short fixed list of a spec's `maps:` (columns `value`, `concept_id`), not a map of codes."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: the line on which it begins and the last it takes (in a workbook both its row), and its cells."""

    row: int
    last: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Text:
    """How a delimited file is written; `lines` are its own, with their ends."""

    encoding: Encoding
    delimiter: str
    lines: tuple[str, ...]

    @property
    def line_end(self) -> str:
        first = self.lines[0] if self.lines else ""
        return next((end for end in ("\r\n", "\n", "\r") if first.endswith(end)), "\n")


@dataclass(frozen=True)
class Sheet:
    """Which sheet of a workbook was read, and which others look like maps too."""

    name: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """The header and the records of a file; `ragged` are those with another number of cells than the header."""

    path: Path
    header_row: int
    header: tuple[str, ...]
    layout: Layout
    records: tuple[Record, ...]
    ragged: tuple[Record, ...]
    written: Text | Sheet


def read_grid(path: Path, sheet: str | None = None, content: bytes | None = None) -> Grid:
    """The grid of a CSV, TSV or Excel file, or of `content` as if the file held it.

    Raises ConfigurationError where it is no table of codes and targets.
    """
    if content is None:
        content = _content(path)
    if path.suffix.lower() in WORKBOOKS or content[:4] == b"PK\x03\x04":
        from dure.vocab.maps.workbook import read_workbook

        return read_workbook(path, content, sheet)
    text, encoding = decoded(str(path), content)
    return _delimited(path, text, encoding)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        do = "name an existing CSV file or Excel workbook"
        raise ConfigurationError(Problem(str(path), f"cannot be read: {error.strerror}", do)) from error


def checked_layout(where: str, header: tuple[str, ...], format_hint: str = "") -> Layout:
    """The layout of a header that names every required column, and none twice."""
    found = layout(header)
    problems = []
    twice = sorted({field for field in found.fields if field and found.fields.count(field) > 1})
    if twice:
        problems.append(Problem(where, f"columns named twice: {', '.join(twice)}", "keep one of each"))
    missing = [name for name in REQUIRED if name not in found.fields]
    if missing:
        do = (
            "expected source_vocabulary_id, source_code, target_concept_id, as in OMOP's source_to_concept_map, "
            f"or the columns of Usagi's export{format_hint}"
        )
        problems.append(Problem(where, f"no column {', '.join(missing)}", do))
    if problems:
        fixed = missing == list(REQUIRED) and {plain_header(cell) for cell in header} & _OF_FIXED_LISTS
        raise (FixedListError if fixed else ConfigurationError)(problems[:1])
    return found


def _delimited(path: Path, text: str, encoding: Encoding) -> Grid:
    lines = tuple(io.StringIO(text, newline=""))
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        do = f"expected a header with {', '.join(REQUIRED)}"
        raise ConfigurationError(Problem(f"{path}:1", "the file is empty", do))
    delimiter = _delimiter(lines[first])
    header: tuple[str, ...] | None = None
    header_row, line = 1, 1
    found: Layout | None = None
    records: list[Record] = []
    ragged: list[Record] = []
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            began, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            record = Record(began, reader.line_num, tuple(cells))
            if header is None:
                header, header_row = record.cells, began
                found = checked_layout(f"{path}:{began}", header)
            elif len(cells) != len(header):
                ragged.append(record)
            else:
                records.append(record)
    except csv.Error as error:
        do = "a quoted value must end with a quote; inside it a quote is written twice"
        raise ConfigurationError(Problem(f"{path}:{line}", f"not readable as CSV ({error})", do)) from error
    if header is None or found is None:
        raise ConfigurationError(Problem(f"{path}:1", "the file is empty", "expected a header"))
    return Grid(path, header_row, header, found, tuple(records), tuple(ragged), Text(encoding, delimiter, lines))


def _delimiter(line: str) -> str:
    """The separator with which the header names most fields, then the one that splits it into most cells."""

    def worth(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([line], delimiter=delimiter))
        except csv.Error:
            return 0, 0
        return sum(field is not None for field in layout(cells).fields), len(cells)

    return max(_DELIMITERS, key=worth)
