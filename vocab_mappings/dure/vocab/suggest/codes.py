"""Codes that need a concept: a run's work list, any table of codes with descriptions, or the open rows of a map."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.vocab.maps import read_map
from dure.vocab.maps.encoding import decoded
from dure.vocab.maps.fields import layout
from dure.vocab.maps.grid import WORKBOOKS
from dure.vocab.spreadsheet import as_written
from dure.vocab.suggest.korean import has_hangul
from dure.vocab.suggest.question import LocalCode

# What a table of codes calls its columns, the first that is there and filled counts.
_NAMES = {
    "vocabulary": ("vocabulary", "source_vocabulary_id", "vocabulary_id", "source_vocabulary"),
    "code": ("code", "source_code", "sourcecode", "concept_code"),
    "text": ("description", "source_code_description", "sourcename", "source_name", "name", "concept_name"),
    "korean": ("description_ko", "description_korean", "korean"),
    "english": ("description_en", "description_english", "english"),
    "code_type": ("code_type",),
    "specimen": ("specimen",),
    "unit": ("units", "unit"),
    "table": ("table",),
    "records": ("records", "frequency", "sourcefrequency"),
}
_DELIMITERS = ",\t;|"


def read_codes(path: Path) -> list[LocalCode]:
    """The codes of a file, each once; the most records first where they are told, else in file order.

    Raises ConfigurationError where the file has no column of codes, or is no table.
    """
    if path.suffix.lower() in WORKBOOKS:
        found = _open_rows(path)
    else:
        try:
            content = path.read_bytes()
        except OSError as error:
            do = "name a work list of a run, a table of codes, or a map"
            raise ConfigurationError(Problem(str(path), f"cannot be read: {error.strerror}", do)) from error
        text, _ = decoded(str(path), content)
        first = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = max(_DELIMITERS, key=first.count)
        header = next(csv.reader([first], delimiter=delimiter), [])
        is_map = "target_concept_id" in layout(header).fields
        found = _open_rows(path) if is_map else _listed(path, text, delimiter)
    return _each_once(found)


def _open_rows(path: Path) -> list[LocalCode]:
    """The codes of a map that no approved row of it answers."""
    entries = list(read_map(path).entries())
    answered = {(e.source_vocabulary_id, e.source_code) for e in entries if e.approved and e.target is not None}
    return [
        LocalCode(
            entry.source_vocabulary_id,
            entry.source_code,
            entry.korean,
            entry.english,
            entry.code_type,
            entry.specimen,
            entry.unit,
            records=_count(entry.frequency),
        )
        for entry in entries
        if entry.source_code and (entry.source_vocabulary_id, entry.source_code) not in answered
    ]


def _listed(path: Path, text: str, delimiter: str) -> list[LocalCode]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        do = "a quoted value must end with a quote; inside it a quote is written twice"
        raise ConfigurationError(Problem(str(path), f"not readable as CSV ({error})", do)) from error
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    header = [cell.strip("\ufeff ").lower() for cell in rows[0]] if rows else []
    if not set(_NAMES["code"]) & set(header):
        do = f"expected a column {' or '.join(_NAMES['code'][:2])}, and a description"
        raise ConfigurationError(Problem(f"{path}:1", "no column of codes" if rows else "the file is empty", do))
    found = []
    for row in rows[1:]:
        cells = {name: as_written(cell).strip() for name, cell in zip(header, row, strict=False)}
        values = {field: _first(cells, names) for field, names in _NAMES.items()}
        if values["code"]:
            found.append(_code(values))
    return found


def _first(cells: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((cells[name] for name in names if cells.get(name)), "")


def _code(values: Mapping[str, str]) -> LocalCode:
    parts = [part.strip() for part in values["text"].split("; ") if part.strip() and part.strip() != values["code"]]
    korean = values["korean"] or "; ".join(part for part in parts if has_hangul(part))
    english = values["english"] or "; ".join(part for part in parts if not has_hangul(part))
    return LocalCode(
        values["vocabulary"],
        values["code"],
        korean,
        english,
        values["code_type"],
        values["specimen"],
        values["unit"],
        values["table"],
        _count(values["records"]),
    )


def _count(text: str) -> int | None:
    digits = text.replace(",", "")
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _each_once(codes: list[LocalCode]) -> list[LocalCode]:
    """One code a (vocabulary, code, type, specimen, unit): the first, with the records of all."""
    merged: dict[tuple[str, ...], LocalCode] = {}
    total: dict[tuple[str, ...], int] = {}
    for code in codes:
        key = (code.vocabulary, code.code, code.code_type, code.specimen, code.unit)
        merged.setdefault(key, code)
        if code.records is not None:
            total[key] = total.get(key, 0) + code.records
    found = [
        LocalCode(
            code.vocabulary, code.code, code.korean, code.english, code.code_type, code.specimen, code.unit, code.table,
            total.get(key),
        )
        for key, code in merged.items()
    ]  # fmt: skip
    return sorted(found, key=lambda code: -(code.records or 0))
