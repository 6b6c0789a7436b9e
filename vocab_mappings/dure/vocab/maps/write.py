"""Maps written: in the format of another tool, or as they were with some cells changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.vocab.maps.entry import MapEntry, usagi_cell
from dure.vocab.maps.fields import ADDED, Format, column_names, fields
from dure.vocab.maps.grid import WORKBOOKS
from dure.vocab.maps.read import MapTable

# Usagi expects all its columns, in its order.
_USAGI = (
    "source_code", "description", "frequency", "auto_assigned_concept_ids", "match_score", "status", "equivalence",
    "reviewer", "reviewed_on", "target_concept_id", "target_concept_name", "target_domain_id", "mapping_type",
    "comment", "author", "authored_on", "assigned_reviewer",
)  # fmt: skip
_STCM = (
    "source_code", "source_concept_id", "source_vocabulary_id", "description", "target_concept_id",
    "target_vocabulary_id", "valid_start_date", "valid_end_date", "invalid_reason",
)  # fmt: skip
_DURE = (
    "source_vocabulary_id", "source_code", "code_type", "specimen", "unit", "description_ko", "description_en",
    "target_concept_id", "mapping_type", "equivalence", "status", "author", "authored_on", "reviewer", "reviewed_on",
    "valid_start_date", "valid_end_date", "comment",
)  # fmt: skip
_ALWAYS: dict[Format, tuple[str, ...]] = {"usagi": _USAGI, "stcm": _STCM, "dure": _DURE}


def converted(table: MapTable, format: Format) -> tuple[list[str], list[list[str]]]:
    """The header and rows of a map in a format: its own columns, then every other field and column that has content.

    Reading them back gives the same entries. Where the map has statuses the result has them too, so that a row that
    nobody approved does not become one that applies.
    """
    entries = list(table.entries())
    always = _ALWAYS[format]
    more = [
        field
        for field in fields()
        if field not in always
        and (any(getattr(entry, field) for entry in entries) or (field == "status" and table.has_status))
    ]
    if not table.has_status:
        always = always if format == "usagi" else tuple(field for field in always if field != "status")
    named = [_name(field, format) for field in (*always, *more)]
    extra = table.extra_names()
    header = [*named, *(f"{ADDED}{name}" if format == "usagi" else name for name in extra)]
    rows = []
    for entry in entries:
        cells = [_cell(entry, field, format) for field in (*always, *more)]
        rows.append([*cells, *(entry.extra.get(name, "") for name in extra)])
    return header, rows


def write_map(table: MapTable, format: Format, path: Path) -> None:
    """Writes a map in a format: an Excel workbook where the path ends in .xlsx, else CSV in UTF-8."""
    header, rows = converted(table, format)
    if path.suffix.lower() in WORKBOOKS:
        _write_workbook(path, header, rows)
    else:
        separator = "\t" if path.suffix.lower() in (".tsv", ".txt") else ","
        path.write_bytes(delimited([header, *rows], separator, "\n").encode("utf-8"))


def delimited(rows: Iterable[Sequence[str]], delimiter: str, line_end: str) -> str:
    """Rows as CSV; a row of one empty cell is quoted, so that it stays a row."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return out.getvalue()


def _name(field: str, format: Format) -> str:
    if format == "dure":
        return field
    name = column_names()[field][format]
    return name or (f"{ADDED}{field}" if format == "usagi" else field)


def _cell(entry: MapEntry, field: str, format: Format) -> str:
    text: str = getattr(entry, field)
    if format != "usagi":
        return text
    if field == "status":
        # Usagi has no word for an approved code without a target, nor for a file without statuses.
        applies = entry.approved and entry.target_concept_id
        return "APPROVED" if applies else usagi_cell(field, "unchecked" if entry.approved else text)
    return usagi_cell(field, text)


def _write_workbook(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """All cells as text: a spreadsheet then keeps leading zeros, and takes no cell for a formula."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils.exceptions import IllegalCharacterError

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("map")
    for row in (header, *rows):
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet)
            try:
                cell.value = text
            except IllegalCharacterError as error:
                do = "write CSV instead, or remove the character: dure vocab lint names the rows"
                raise ConfigurationError(
                    Problem(str(path), "a cell has a control character that Excel cannot hold", do)
                ) from error
            if text:
                cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    book.save(path)
