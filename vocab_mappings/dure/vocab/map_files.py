"""What a run takes from a map file: the rows in force, each with the code it speaks for, when, and its target.

Every format of `dure.vocab.maps` is read. Besides OMOP's columns a file may have `code_type`, `specimen`, `unit` (the row
then speaks only for codes with them), `equivalence`, `mapping_type` and `status`. Where it has a status, only rows that
are approved apply. Target 0 says that a code was looked at and has no concept. A file that cannot be read as a whole is
a configuration error; a row that cannot be trusted is kept with its `fault`, so that no other map speaks in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.vocab.intervals import FIRST_DAY, LAST_DAY, first_day, last_day
from dure.vocab.maps.entry import LARGEST_CONCEPT_ID, MAPS_TO, MapEntry, concept_id
from dure.vocab.maps.read import MapTable, read_map, short_name
from dure.vocab.spreadsheet import as_written

__all__ = ["LARGEST_CONCEPT_ID", "MapFile", "MapRow", "map_file", "map_row", "read_map_file", "short_name"]

_RETIRED = frozenset({"D", "U"})
_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[T ]00:00(?::00(?:\.0+)?)?)?")
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
    mapping_type: str = MAPS_TO

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
    """The rows of one file that are in force (retired ones are left out), the rows that name no code, and by line the
    status of those that nobody approved."""

    path: Path
    rows: tuple[MapRow, ...]
    without_code: tuple[int, ...]
    not_approved: tuple[tuple[int, str], ...] = ()


def read_map_file(path: Path) -> MapFile:
    """The rows of a map in file order; raises ConfigurationError where the file cannot be read as a table."""
    return map_file(read_map(path))


def map_file(table: MapTable) -> MapFile:
    """What a run takes from a map already read; raises ConfigurationError where rows do not fit the header."""
    width = len(table.grid.header)
    if table.grid.ragged:
        do = "a value that holds the separator needs quotes"
        raise ConfigurationError(
            Problem(f"{table.path}:{record.row}", f"{len(record.cells)} fields, the header has {width}", do)
            for record in table.grid.ragged[:_MOST_SHOWN]
        )
    rows: list[MapRow] = []
    without_code: list[int] = []
    not_approved: list[tuple[int, str]] = []
    for entry in table.entries():
        if not entry.approved:
            not_approved.append((entry.row, entry.status))
        elif not entry.source_code:
            without_code.append(entry.row)
        elif entry.invalid_reason.upper() not in _RETIRED:
            rows.append(map_row(table.name, entry))
    return MapFile(table.path, tuple(rows), tuple(without_code), tuple(not_approved))


def map_row(file: str, entry: MapEntry) -> MapRow:
    """One row as a run takes it."""
    fault, detail = None, ""
    target = entry.target
    start, end = map_date(entry.valid_start_date), map_date(entry.valid_end_date)
    if not entry.target_concept_id:
        fault, detail = "target_missing", "no target; write 0 where a code is known to have none"
    elif target is None:
        fault, detail = "target_not_an_id", "the target is not a concept id, a whole number without point or exponent"
    elif "bad" in (start, end):
        fault, detail = "date_unreadable", "a date is neither YYYY-MM-DD nor YYYYMMDD"
    elif entry.invalid_reason:
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
        row=entry.row,
        vocabulary=entry.source_vocabulary_id,
        code=as_written(entry.source_code),
        code_type=entry.code_type,
        specimen=entry.specimen,
        unit=entry.unit,
        target=None if fault else target,
        source_concept_id=concept_id(entry.source_concept_id) or 0,
        start=from_day,
        end=to_day,
        equivalence=entry.equivalence or "equal",
        fault=fault,
        detail=detail,
        mapping_type=entry.kind,
    )


def map_date(text: str) -> date | str | None:
    """A validity date; None where the cell is empty, `bad` where it holds something else."""
    if not text:
        return None
    match = _DATE.fullmatch(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else "bad"
    except ValueError:
        return "bad"
