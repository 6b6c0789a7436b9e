"""Excel workbooks: the sheet that holds the map, and its cells as the text that a terminologist sees."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from dure.errors import ConfigurationError, Problem
from dure.vocab.maps.fields import REQUIRED, layout
from dure.vocab.maps.grid import Grid, Record, Sheet, checked_layout

# A title or two above the header is usual.
_ROWS_SEARCHED = 20
_ONLY_ZEROS = re.compile(r"0{2,}")


def read_workbook(path: Path, content: bytes, sheet: str | None) -> Grid:
    """The grid of one sheet: the named one, else the first whose header has a code and a target."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions that openpyxl leaves out; a map has its values alone
        book = opened(path, content)
        try:
            return _read(path, book, sheet)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, SyntaxError, zipfile.BadZipFile) as error:
            # What openpyxl lets through where the XML within a workbook is not what it must be.
            raise _broken(path, error) from error
        finally:
            book.close()


def opened(path: Path, content: bytes, *, to_change: bool = False) -> Any:
    """The workbook: its values only, or all that openpyxl keeps, to be changed and saved."""
    try:
        if to_change:
            return openpyxl.load_workbook(io.BytesIO(content))
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except (
        InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, AttributeError,
        SyntaxError, OSError, EOFError, NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> ConfigurationError:
    found = f"not an Excel workbook that can be read ({type(error).__name__})"
    do = "open it in the spreadsheet and save it as .xlsx, without a password, or as CSV UTF-8"
    return ConfigurationError(Problem(str(path), found, do))


def _read(path: Path, book: Any, wanted: str | None) -> Grid:
    names = [sheet.title for sheet in book.worksheets]
    if wanted is not None and wanted not in names:
        raise ConfigurationError(Problem(str(path), f"no sheet '{wanted}'", f"it has {', '.join(names)}"))
    headers = {name: _header(book[name]) for name in names}
    maps = [name for name, header in headers.items() if header and _is_map(header[1])]
    chosen = wanted or (maps[0] if maps else next((name for name in names if headers[name]), None))
    header = headers[chosen] if chosen else None
    if chosen is None or header is None:
        do = f"expected a sheet whose header has {', '.join(REQUIRED)}"
        raise ConfigurationError(Problem(str(path), "the workbook is empty", do))
    row, cells = header
    found = checked_layout(f"{path}:{row}", cells, f" (sheet {chosen})")
    records = tuple(_records(book[chosen], row, len(cells)))
    others = tuple(name for name in maps if name != chosen)
    return Grid(path, row, cells, found, records, (), Sheet(chosen, others))


def _is_map(header: tuple[str, ...]) -> bool:
    found = layout(header).fields
    return all(name in found for name in REQUIRED)


def _header(sheet: Any) -> tuple[int, tuple[str, ...]] | None:
    """The first row that names a code and a target, else the first that holds anything; its row and cells."""
    first: tuple[int, tuple[str, ...]] | None = None
    for number, values in enumerate(sheet.iter_rows(max_row=_ROWS_SEARCHED, values_only=True), 1):
        cells = tuple(_text(value, "General") for value in values)
        while cells and not cells[-1].strip():
            cells = cells[:-1]
        if cells and _is_map(cells):
            return number, cells
        if cells and first is None:
            first = number, cells
    return first


def _records(sheet: Any, header_row: int, width: int) -> Iterator[Record]:
    for number, row in enumerate(sheet.iter_rows(min_row=header_row + 1, max_col=width), header_row + 1):
        cells = tuple(
            value if isinstance(value := cell.value, str) else "" if value is None else _text(value, cell.number_format)
            for cell in row
        )
        if any(cells):
            yield Record(number, number, cells + ("",) * (width - len(cells)))


def _text(value: Any, number_format: str) -> str:
    """A cell as text: whole numbers without a point, zeros that only the cell's format shows, dates as ISO."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        digits = str(value)
        return digits.zfill(len(number_format)) if _ONLY_ZEROS.fullmatch(number_format) else digits
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
