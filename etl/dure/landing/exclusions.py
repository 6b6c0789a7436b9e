"""Opt-outs: `exclusions.csv`, one row a patient whose data must not be used.

Columns: the parts of the patient key under any names, in the order of the key, then `date` and `reason`. The date says when
the patient objected, for the record: an objection holds from when it is known, whatever day a run is made for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.landing.keys import key_text_of

_TAIL = ["date", "reason"]
_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d")


def read_exclusions(path: Path, parts: Collection[int] = ()) -> frozenset[str]:
    """The key texts of patients who opted out; raises ConfigurationError naming every line that is not understood.

    `parts` are the numbers of parts that keys of patients have, where they are known: a list by another key names nobody.
    """
    problems: list[Problem] = []
    keys: set[str] = set()
    reader = csv.reader(io.StringIO(_text(path), newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(header) < 3 or [name.lower() for name in header[-2:]] != _TAIL:
            do = "first line: the columns of the patient key, then date,reason"
            raise ConfigurationError(Problem(f"{path}:1", "is not the header of a list of exclusions", do))
        if parts and len(header) - 2 not in parts:
            found = f"names patients by {len(header) - 2} columns, but their key has {_or(parts)}"
            raise ConfigurationError(Problem(f"{path}:1", found, "the parts of the patient key, then date,reason"))
        for row in reader:
            where = f"{path}:{reader.line_num}"
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) != len(header):
                problems.append(Problem(where, f"has {len(cells)} fields", f"{len(header)}, as the header has"))
                continue
            if not all(cells[:-2]):
                problems.append(Problem(where, "has no complete patient key", "fill it in or remove the line"))
                continue
            if not _is_date(cells[-2]):
                problems.append(Problem(where, "has no valid date", "YYYY-MM-DD or YYYYMMDD"))
                continue
            key = key_text_of(cells[:-2])
            assert key is not None, "a part is filled"
            keys.add(key)
    except csv.Error as error:
        raise ConfigurationError(Problem(f"{path}:{reader.line_num}", "is not CSV", "check its quotes")) from error
    if problems:
        raise ConfigurationError(problems)
    return frozenset(keys)


def _or(numbers: Collection[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))


def _text(path: Path) -> str:
    """UTF-8, or CP949 as spreadsheets in Korea save it."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(Problem(str(path), f"cannot be read: {error.strerror}", "check the path")) from error
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigurationError(Problem(str(path), "is neither UTF-8 nor CP949 text", "save it as CSV UTF-8"))


def _is_date(text: str) -> bool:
    for form in _DATE_FORMATS:
        try:
            datetime.strptime(text, form)  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            continue
        return True
    return False
