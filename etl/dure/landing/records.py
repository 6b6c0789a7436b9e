"""Records: where one ends in decoded text, the header at the top, and a file without the records that cannot be read.

The pattern of a record follows pyarrow's CSV parser to the letter (a test compares them): a quote opens a quoted part only
at the beginning of a field, two quotes within stand for one, whatever follows the closing quote belongs to the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dure.errors import Problem, SourceError
from dure.landing.layout import Layout
from dure.landing.rejects import FileRejects, LandingRejectReason
from dure.landing.text import MARKED, Bytes, Decoder, likely_encodings

# A record may have this many characters; a quote that is still open then is taken for one that nothing closes.
LONGEST_RECORD = 4_000_000
HEAD_CHUNK = 1 << 16
CAREFUL_CHUNK = 1 << 20


@dataclass(frozen=True)
class Head:
    """The top of a text file: column names, the text before the first record and the number of that record."""

    names: tuple[str, ...]
    text: str
    first_row: int


class EmptyFileError(SourceError):
    """A file without content; the spec may say that this happens."""

    def __init__(self, where: str) -> None:
        do = "export it again; a file without rows needs its header line, or may_be_empty: true in its source"
        super().__init__(Problem(where, "the file is empty", do))


def record_pattern(layout: Layout) -> re.Pattern[str]:
    """Matches one record with its line end (or the end of the text); no match: a quote is still open."""
    if layout.format == "fixed":
        return re.compile(r"[^\n]*+(?:\n|\Z)")
    delimiter = re.escape(layout.field_delimiter)
    end = r"(?:\r\n?|\n|\Z)"
    plain = rf"[^{delimiter}\r\n]*+"
    if layout.quote is None:
        return re.compile(rf"{plain}(?:{delimiter}{plain})*+{end}")
    quote = re.escape(layout.quote)
    quoted = rf"{quote}(?:[^{quote}]++|{quote}{quote})*+{quote}{plain}"
    field = rf"(?:{quoted}|(?!{quote}){plain})"
    return re.compile(rf"{field}(?:{delimiter}{field})*+{end}")


def complete_record(pattern: re.Pattern[str], text: str, start: int, *, ended: bool) -> int | None:
    """Where the record that begins at `start` ends; None when more text is needed or a quote is open."""
    match = pattern.match(text, start)
    if match is None:
        return None
    end = match.end()
    # at the end of a block a record may go on, and a lone \r may become \r\n
    if not ended and (end == len(text) and text[end - 1 : end] != "\n"):
        return None
    return end


def fields_of(layout: Layout, record: str) -> list[str]:
    """The fields of one record."""
    record = record.rstrip("\r\n")
    if layout.quote is None:
        return record.split(layout.field_delimiter)
    quote, delimiter = re.escape(layout.quote), re.escape(layout.field_delimiter)
    parts = re.compile(
        rf"(?:{quote}((?:[^{quote}]++|{quote}{quote})*+){quote})?([^{delimiter}]*+)(?:{delimiter}|\Z)", re.S
    )
    fields, position = [], 0
    while position <= len(record):
        match = parts.match(record, position)
        assert match is not None, "every text has a field"
        fields.append((match[1] or "").replace(layout.quote * 2, layout.quote) + match[2])
        if match.end() == len(record) and not record[match.start() : match.end()].endswith(layout.field_delimiter):
            break
        position = match.end()
        if position == len(record):
            fields.append("")
            break
    return fields


def read_head(source: Bytes, layout: Layout) -> Head:
    """The head of a text file; raises SourceError for a file without content or with a header that cannot be read."""
    decoder = Decoder(source, layout, careful=True)
    pattern = record_pattern(layout)
    text, ended = "", False
    while True:
        block = decoder.read(HEAD_CHUNK)
        ended = block is None
        text += block or ""
        head = _head_in(text, pattern, layout, ended=ended)
        if head is not None:
            _refuse_marked(head, source, layout, decoder)
            return head
        if ended or len(text) > LONGEST_RECORD:
            if not text.strip():
                raise EmptyFileError(source.where)
            found = f"no end of the header within {len(text):,} characters: a quote is not closed, or lines are missing"
            raise SourceError(Problem(source.where, found, "check quote, skip_lines and encoding of the source"))


def _head_in(text: str, pattern: re.Pattern[str], layout: Layout, *, ended: bool) -> Head | None:
    """The head if all of it is in `text`."""
    if not text.strip():
        return None
    start = 0
    for _ in range(layout.skip_lines):
        line = re.compile(r"[^\r\n]*+(?:\r\n?|\n|\Z)").match(text, start)
        assert line is not None, "a line may be empty"
        if not ended and line.end() == len(text) and not text.endswith("\n"):
            return None
        start = line.end()
    row = layout.skip_lines + 1
    if layout.format == "fixed":
        return Head(tuple(layout.columns), text[:start], row)
    if layout.header is not None:
        return Head(layout.header, text[:start], row)
    while True:
        end = complete_record(pattern, text, start, ended=ended)
        if end is None or end == start:
            return None
        if text[start:end].strip("\r\n"):
            return Head(tuple(fields_of(layout, text[start:end])), text[:end], row + 1)
        start = end  # blank lines are no records, here as below


def _refuse_marked(head: Head, source: Bytes, layout: Layout, decoder: Decoder) -> None:
    if not any(MARKED.search(name) for name in head.names):
        return
    likely = likely_encodings(decoder.raw(head.text), layout.encoding)
    do = f"encoding: {' or '.join(likely)} reads it" if likely else "ask for the encoding of the export"
    raise SourceError(
        Problem(source.where, f"the header is not {layout.encoding} text", f"{do} (sources.{layout.source})")
    )


class CarefulBlocks:
    """The UTF-8 of a file without the records that hold undecodable bytes or an open quote; those go to the rejects.

    `removed` are the numbers of the removed records in order. In a file of fixed width a blank line takes the place of a
    removed one, so that line numbers stay.
    """

    def __init__(self, source: Bytes, layout: Layout, head: Head, rejects: FileRejects) -> None:
        self._decoder = Decoder(source, layout, careful=True)
        self._layout = layout
        self._rejects = rejects
        self.removed: list[int] = []
        self._texts = self._read(head)
        self._pending = b""

    def read(self, size: int) -> bytes:
        parts, ready = [self._pending], len(self._pending)
        while ready < size and (text := next(self._texts, None)) is not None:
            parts.append(text.encode("utf-8"))
            ready += len(parts[-1])
        block = b"".join(parts)
        self._pending = block[size:]
        return block[:size]

    def _read(self, head: Head) -> Iterator[str]:
        """Blocks of good records; the head was read before and is left out."""
        pattern = record_pattern(self._layout)
        fixed = self._layout.format == "fixed"
        row, text, ended, to_skip = head.first_row, "", False, len(head.text)
        while not ended:
            block = self._decoder.read(CAREFUL_CHUNK)
            ended = block is None
            text += block or ""
            if to_skip:
                to_skip, text = to_skip - min(to_skip, len(text)), text[to_skip:]
            start, good = 0, []
            while start < len(text):
                end = complete_record(pattern, text, start, ended=ended)
                reason = None
                if end is None:
                    if not ended and len(text) - start < LONGEST_RECORD:
                        break
                    end = self._end_of_line(text, start)
                    reason = LandingRejectReason.UNCLOSED_QUOTE
                record = text[start:end]
                start = end
                if MARKED.search(record):
                    reason = LandingRejectReason.UNDECODABLE
                blank = not record.strip("\r\n")
                if reason is not None:
                    self._rejects.add(row, reason, self._decoder.raw(record))
                    self.removed.append(row)
                    good.append("\n" if fixed else "")
                else:
                    good.append(record)
                if not blank or fixed:
                    row += 1
            text = text[start:]
            yield "".join(good)

    @staticmethod
    def _end_of_line(text: str, start: int) -> int:
        newline = re.compile(r"\r\n?|\n").search(text, start)
        return newline.end() if newline else len(text)
