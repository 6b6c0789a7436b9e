"""Tables for spreadsheets: CSV that opens with Korean text whole and runs nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

# What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def neutral(cell: object) -> object:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it; line breaks become spaces.

    Programs such as Usagi read a table line by line, so no cell may hold a line break.
    """
    if not isinstance(cell, str):
        return cell
    one_line = " ".join(cell.splitlines()) if "\n" in cell or "\r" in cell else cell
    return "'" + one_line if cell.startswith(_FORMULA) or one_line.lstrip().startswith(_FORMULA) else one_line


def as_written(cell: str) -> str:
    """The text of a cell before `neutral` put an apostrophe in front of it."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(_FORMULA) else cell


def csv_text(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV, every cell neutralised; None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([neutral(cell) for cell in row] for row in rows)
    return text.getvalue()


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes a table with a BOM, by which spreadsheets know UTF-8."""
    path.write_text(csv_text(header, rows), encoding="utf-8-sig")
