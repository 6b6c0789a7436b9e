"""Repairs: the edits that are certain, made in the file as it is written, and the difference they make.

A text file keeps its encoding, its line ends, its quoting and every byte of the rows that do not change. A workbook is
saved by openpyxl, which keeps cells, formulas and formats; one with drawings or macros, which it would lose, is refused.
"""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.vocab.lint.finding import Edit, Finding
from dure.vocab.maps.grid import Grid, Record, Sheet, Text, read_grid
from dure.vocab.maps.read import MapTable

# One repair can uncover another (white space around a float), never endlessly.
_ROUNDS = 5
_LOST_BY_OPENPYXL = re.compile(r"xl/(?:drawings|charts|media|pivotTables|externalLinks|activeX)/|vbaProject\.bin")


@dataclass(frozen=True)
class Repaired:
    """A map after its repairs: its bytes, the difference as a unified diff, and how many cells and rows changed."""

    path: Path
    content: bytes
    difference: str
    changes: int


def repaired(table: MapTable, sheet: str | None, findings: Callable[[MapTable], Iterable[Finding]]) -> Repaired | None:
    """The map with every certain repair made, None where there is none to make."""
    grid = table.grid
    if isinstance(grid.written, Sheet):
        return _workbook(table, sheet, findings)
    # What stands in the place of each line of the file; nothing where it was taken out or joined to the one before.
    before = grid.written.lines
    slots = list(before)
    changes = 0
    for _ in range(_ROUNDS):
        edits = _by_row(edit for finding in findings(MapTable(grid)) for edit in finding.edits)
        if not edits:
            break
        changes += _edit(slots, grid, edits)
        grid = _read_again(grid, "".join(slots))
    if not changes or not isinstance(grid.written, Text):
        return None
    try:
        content = grid.written.encoding.encode("".join(slots))
    except UnicodeEncodeError as error:
        found = f"a repaired cell has a character that {grid.written.encoding.codec.upper()} lacks"
        raise ConfigurationError(Problem(str(grid.path), found, "save the map as CSV UTF-8 first")) from error
    return Repaired(grid.path, content, _difference(_shown(table.path), before, slots), changes)


def replace_file(path: Path, content: bytes) -> None:
    """Puts new content in the place of a file at once: whoever reads it has the old or the new one, whole."""
    mode = path.stat().st_mode & 0o7777
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _by_row(edits: Iterable[Edit]) -> dict[int, dict[int | None, str]]:
    """The edits by row; of several for one cell the first, the next round finds the rest."""
    rows: dict[int, dict[int | None, str]] = {}
    for edit in edits:
        rows.setdefault(edit.row, {}).setdefault(edit.column, edit.text)
    return rows


def _read_again(grid: Grid, text: str) -> Grid:
    """The grid of a changed text, by the rules of the first reading."""
    if not isinstance(grid.written, Text):
        raise TypeError("a workbook has no text")
    return read_grid(grid.path, content=grid.written.encoding.encode(text))


def _edit(slots: list[str], grid: Grid, edits: dict[int, dict[int | None, str]]) -> int:
    """Makes edits in the slots, and says how many; the lines of the grid are those of the slots that are not empty."""
    written = grid.written
    if not isinstance(written, Text):
        raise TypeError("a workbook has no text")
    slot_of = [number for number, text in enumerate(slots) for _ in io.StringIO(text, newline="")]
    changes = 0
    for record in grid.records:
        wanted = edits.get(record.row)
        if wanted is None:
            continue
        first, last = slot_of[record.row - 1], slot_of[record.last - 1]
        raw = "".join(slots[first : last + 1])
        gone = None in wanted
        slots[first : last + 1] = [
            "" if gone else _rewritten(raw, record, wanted, written.delimiter),
            *[""] * (last - first),
        ]
        changes += 1 if gone else len(wanted)
    return changes


def _rewritten(raw: str, record: Record, wanted: dict[int | None, str], delimiter: str) -> str:
    """One record with some cells changed and the others as they were written, quotes and all."""
    body = raw.rstrip("\r\n")
    end = raw[len(body) :]
    pieces = _pieces(body, delimiter)
    if len(pieces) != len(record.cells):  # quotes in odd places: csv reads them, so csv writes them
        pieces = [_quoted(cell, delimiter, always=False) for cell in record.cells]
    for column, text in wanted.items():
        if column is not None:
            pieces[column] = _quoted(text, delimiter, always=bool(text) and pieces[column].startswith('"'))
    return delimiter.join(pieces) + end


def _pieces(body: str, delimiter: str) -> list[str]:
    """The cells of a record as written; a quoted one with its quotes."""
    mark = re.escape(delimiter)
    pattern = re.compile(f'("(?:[^"]|"")*"|[^{mark}"]*)(?:{mark}|$)')
    pieces: list[str] = []
    at = 0
    while True:
        match = pattern.match(body, at)
        if match is None:
            return []
        pieces.append(match[1])
        if match.end() == len(body):
            return pieces if not match[0].endswith(delimiter) or match[1].endswith(delimiter) else [*pieces, ""]
        at = match.end()


def _quoted(text: str, delimiter: str, *, always: bool) -> str:
    out = io.StringIO(newline="")
    csv.writer(
        out, delimiter=delimiter, lineterminator="", quoting=csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL
    ).writerow([text, ""])
    return out.getvalue().removesuffix(f'{delimiter}""' if always else delimiter)


def _shown(path: Path) -> str:
    return path.as_posix().lstrip("/")


def _difference(name: str, before: Sequence[str], after: Sequence[str]) -> str:
    """A unified diff without context of two texts that go line by line with each other."""
    shown = [f"--- a/{name}", f"+++ b/{name}"]
    new_line = 1
    number = 0
    while number < len(before):
        if before[number] == after[number]:
            new_line += 1
            number += 1
            continue
        end = number + 1
        while end < len(before) and not after[end]:
            end += 1
        old = [line.rstrip("\r\n") for line in before[number:end]]
        new = [line.rstrip("\r\n") for text in after[number:end] for line in io.StringIO(text, newline="")]
        at = new_line if new else new_line - 1
        shown.append(f"@@ -{number + 1},{len(old)} +{at},{len(new)} @@")
        shown += [f"-{line}" for line in old] + [f"+{line}" for line in new]
        new_line += len(new)
        number = end
    return "\n".join(shown)


def _workbook(table: MapTable, sheet: str | None, findings: Callable[[MapTable], Iterable[Finding]]) -> Repaired | None:
    edits = _by_row(edit for finding in findings(table) for edit in finding.edits)
    if not edits or not isinstance(table.grid.written, Sheet):
        return None
    content = table.path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(_LOST_BY_OPENPYXL.search(name) for name in archive.namelist()):
            found = "has drawings, charts, links or macros, which a repair would lose"
            do = "repair it in the spreadsheet, or save the sheet as CSV UTF-8"
            raise ConfigurationError(Problem(str(table.path), found, do))
    from dure.vocab.maps.workbook import opened

    book = opened(table.path, content, to_change=True)
    page = book[table.grid.written.name]
    lines: list[str] = [f"--- a/{_shown(table.path)}", f"+++ b/{_shown(table.path)}"]
    changes = 0
    records = {record.row: record for record in table.grid.records}
    gone = []
    for row, wanted in sorted(edits.items()):
        if None in wanted:
            gone.append(row)
            lines += [f"@@ row {row} @@", "-" + "\t".join(records[row].cells)]
            changes += 1
            continue
        lines.append(f"@@ row {row} @@")
        for column, text in wanted.items():
            if column is None:
                continue
            cell = page.cell(row, column + 1)
            number = isinstance(cell.value, int | float) and text.isdigit()
            lines += [
                f"-{table.grid.header[column]}: {records[row].cells[column]}",
                f"+{table.grid.header[column]}: {text}",
            ]
            cell.value = int(text) if number else (text or None)
            changes += 1
    for row in reversed(gone):
        page.delete_rows(row)
    out = io.BytesIO()
    book.save(out)
    return Repaired(table.path, out.getvalue(), "\n".join(lines), changes)
