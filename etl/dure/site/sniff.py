"""What the files of an unknown extract look like: format, encoding, delimiter, header and date formats, guessed.

Guesses hold names of files and of columns, never a cell: a first line counts as a header only where the lines below it
show that it is one.
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SAMPLE = 1 << 18
_ROWS = 300
_FILES = 100
_DELIMITERS = ("\t", "|", ";", ",", "^", "~", "§")
_LONGEST_NAME = 60
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NUMBER = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?")
_DATES = {
    "yyyyMMdd": "%Y%m%d",
    "yyyyMMddHHmm": "%Y%m%d%H%M",
    "yyyyMMddHHmmss": "%Y%m%d%H%M%S",
    **{
        f"yyyy{sign}MM{sign}dd{tail}": f"%Y{sign}%m{sign}%d{parsed}"
        for sign in "-./"
        for tail, parsed in (("", ""), (" HH:mm", " %H:%M"), (" HH:mm:ss", " %H:%M:%S"))
    },
    "yyyy-MM-dd'T'HH:mm:ss": "%Y-%m-%dT%H:%M:%S",
    "yyyy-MM-dd'T'HH:mm:ssX": "%Y-%m-%dT%H:%M:%SZ",
}


@dataclass(frozen=True)
class Guess:
    """How one group of alike files seems to be written; `unsure` says why a person must look."""

    path: str
    files: int
    format: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    skip_lines: int = 0
    header: tuple[str, ...] | None = None
    fields: int = 0
    unit: str = "characters"
    empty: int = 0
    optional: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    unsure: str = ""


def sniff(extract: Path) -> list[Guess]:
    """One guess for each group of files whose names differ only in digits, in the order of their names."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(extract.rglob("*")):
        name = path.relative_to(extract)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            groups.setdefault(re.sub(r"[0-9]+", "*", _shown(name)), []).append(path)
    return [_guessed(_pattern(paths, extract), paths) for paths in groups.values()]


def _shown(name: Path) -> str:
    return unicodedata.normalize("NFC", name.as_posix())


def _pattern(paths: Sequence[Path], extract: Path) -> str:
    name = _shown(paths[0].relative_to(extract))
    if len(paths) == 1:
        return name
    return "*".join(glob.escape(piece) for piece in re.split(r"[0-9]+", name))


def _guessed(path: str, paths: Sequence[Path]) -> Guess:
    guess = Guess(path, len(paths), empty=sum(each.stat().st_size == 0 for each in paths))
    samples = [sample for each in paths[:3] if (sample := _sample(each))]
    if not samples:
        return replace(guess, unsure="every file that was looked at is empty or cannot be read")
    if samples[0].startswith(b"PAR1"):
        return _parquet(guess, next(each for each in paths if each.stat().st_size))
    if samples[0].startswith(b"PK"):
        return replace(guess, unsure="an archive or a spreadsheet: unpack it, or export text")
    encoding = _encoding(b"".join(samples[:1]))
    if encoding is None:
        return replace(guess, unsure="not text in UTF-8, CP949 or UTF-16: ask whoever exports it")
    guess = _text(replace(guess, encoding=encoding), samples[0])
    return _with_optional(guess, [each for each in paths if each.stat().st_size]) if guess.header else guess


def _sample(path: Path) -> bytes:
    try:
        with path.open("rb") as stored:
            start = stored.read(SAMPLE)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as unpacked:
                return unpacked.read(SAMPLE)
    except (OSError, EOFError):
        return b""
    return start


def _encoding(sample: bytes) -> str | None:
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    for encoding in ("utf-16",) if b"\0" in sample else ("utf-8", "cp949"):
        try:
            codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def _parquet(guess: Guess, path: Path) -> Guess:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return replace(guess, format="parquet", unsure="a damaged Parquet file")
    timed = any(pa.types.is_timestamp(kind) for kind in schema.types)
    dated = any(pa.types.is_date(kind) for kind in schema.types)
    dates = ("yyyy-MM-dd'T'HH:mm:ss",) * timed + ("yyyy-MM-dd",) * dated
    return replace(guess, format="parquet", header=tuple(schema.names), fields=len(schema.names), dates=dates)


def _text(guess: Guess, sample: bytes) -> Guess:
    text = codecs.getincrementaldecoder(guess.encoding)().decode(sample).removeprefix("\ufeff")
    if len(sample) >= SAMPLE:
        text = text[: text.rfind("\n") + 1]  # the last line may go on
    found = max(((_shape(text, d), d) for d in _DELIMITERS), key=lambda shape: shape[0])
    (fields, records), delimiter = found
    if fields < 2:
        return _without_delimiter(guess, text)
    skipped = next(n for n, record in enumerate(records) if len(record) == fields)
    rows = [record for record in records[skipped:] if len(record) == fields][:_ROWS]
    below = [row for row in rows[1:] if not _repeats(row, rows[0])]
    header = _header(rows[0], below)
    below = below if header else rows
    columns = list(zip(*below, strict=True)) if below else []
    return replace(
        guess,
        delimiter=delimiter,
        skip_lines=skipped,
        header=header,
        fields=fields,
        dates=tuple(dict.fromkeys(date for column in columns if (date := _date(column)))),
        unique=_unique(header, columns),
        unsure="" if header else "no header line was recognised: give the columns their names",
    )


def _with_optional(guess: Guess, paths: Sequence[Path]) -> Guess:
    """The guess with the columns that only some of the files have, where each file has all or a part of the others'."""
    assert guess.header is not None
    known = dict.fromkeys(guess.header)
    common = set(known)
    for path in paths[1:_FILES]:
        text = codecs.getincrementaldecoder(guess.encoding)("replace").decode(_sample(path)).removeprefix("\ufeff")
        lines = csv.reader(text.splitlines()[guess.skip_lines :], delimiter=guess.delimiter)
        names = [unicodedata.normalize("NFC", cell.strip()) for cell in next(lines, [])]
        # A line that shares no name, or only some, with the header may be a patient.
        if not (common <= set(names) or set(names) <= set(known)):
            return replace(guess, unsure="the headers of the files differ: declare a source for each layout")
        known |= dict.fromkeys(names)
        common &= set(names)
    return replace(guess, optional=tuple(name for name in known if name not in common))


def _shape(text: str, delimiter: str) -> tuple[int, list[list[str]]]:
    """(fields of nearly every record, the records); 0 where the records have no number of fields in common."""
    csv.field_size_limit(SAMPLE * 4)
    try:
        records = [
            [cell.strip() for cell in r] for r in csv.reader(text.splitlines(keepends=True), delimiter=delimiter) if r
        ]
    except csv.Error:
        return 0, []
    fields, times = Counter(map(len, records)).most_common(1)[0] if records else (0, 0)
    return (fields, records) if times * 10 >= len(records) * 6 else (0, [])


def _without_delimiter(guess: Guess, text: str) -> Guess:
    """Fixed width, if most lines are of one length, counted in characters or in bytes; else one column."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return replace(guess, unsure="no delimiter was recognised")
    in_bytes = Counter(len(line.encode(guess.encoding, "replace")) for line in lines).most_common(1)[0]
    in_characters = Counter(map(len, lines)).most_common(1)[0]
    unit, (length, times) = max(("characters", in_characters), ("bytes", in_bytes), key=lambda counted: counted[1][1])
    if times * 2 <= len(lines):
        return replace(guess, unsure="no delimiter and no common length was recognised")
    do = "fixed width, it seems: cut the line at the places of the export's layout"
    return replace(guess, format="fixed", unit=unit, fields=length, unsure=do)


def _repeats(row: Sequence[str], first: Sequence[str]) -> bool:
    """Whether a row is the first one again, as where files were joined; a byte order mark may stand before it."""
    return [row[0].strip('\ufeff"'), *row[1:]] == [first[0].strip('"'), *first[1:]]


def _header(first: Sequence[str], below: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """The first row if it can only be a header: names that differ and do not come again, over columns of which some
    hold numbers or dates."""
    names = [unicodedata.normalize("NFC", cell) for cell in first]
    plain = all(len(name) <= _LONGEST_NAME and re.match(r"[^\W\d_]", name) for name in names)
    if not plain or len({name.casefold() for name in names}) < len(names) or not below:
        return None
    columns = list(zip(*below, strict=True))
    again = any(name in column for name, column in zip(first, columns, strict=True))
    return tuple(names) if not again and any(map(_is_typed, columns)) else None


def _is_typed(column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell]
    return bool(filled) and sum(_looks_typed(cell) for cell in filled) * 10 >= len(filled) * 8


def _looks_typed(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None or any(_parses(cell, parsed) for parsed in _DATES.values())


def _date(column: Sequence[str]) -> str | None:
    """The format that nearly all dates of a column have; zeros and the like are no dates."""
    filled = [cell for cell in column if cell.strip("0.-/: ")]
    for written, parsed in _DATES.items():
        if filled and sum(_parses(cell, parsed) for cell in filled) * 10 >= len(filled) * 8:
            return written
    return None


def _parses(cell: str, parsed: str) -> bool:
    try:
        when = datetime.strptime(cell, parsed)  # noqa: DTZ007
    except ValueError:
        return False
    return 1880 <= when.year <= 2100 and when.strftime(parsed) == cell


def _unique(header: Sequence[str] | None, columns: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Columns that tell the rows of the sample apart, the first three; a moment does so by chance."""
    return tuple(_filled_and_different(header or (), columns))[:3]


def _filled_and_different(header: Sequence[str], columns: Sequence[Sequence[str]]) -> Iterator[str]:
    for name, column in zip(header, columns, strict=False):
        if len(column) > 1 and all(column) and len(set(column)) == len(column) and _date(column) is None:
            yield name
