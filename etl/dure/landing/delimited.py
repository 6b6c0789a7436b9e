"""Delimited text: one row a record, streamed through pyarrow's CSV parser, every field as text.

Record numbers: the first line of a file is 1, so the first record under a header is 2. Records are counted, not lines: a
field with a line break makes no difference, and a line without a character is no record. Where a file has neither, the
number is that of the line in an editor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dure.errors import Problem, SourceError
from dure.landing.batches import NeedsCare, RecordNumbers, TextBatch
from dure.landing.layout import STAND_IN, Layout
from dure.landing.opened import OpenedFile
from dure.landing.records import CarefulBlocks, Head, record_pattern
from dure.landing.rejects import FileRejects, LandingRejectReason
from dure.landing.text import Utf8Blocks

# Measured: larger blocks leave the processor's cache and are slower. A record longer than a block needs the careful way.
QUICK_BLOCK = 2 << 20
# Holds the longest record of records.py at three bytes a character.
CAREFUL_BLOCK = 16 << 20


def read_delimited(
    file: OpenedFile, layout: Layout, head: Head, rejects: FileRejects, wanted: Collection[str], *, careful: bool
) -> Iterator[TextBatch]:
    """The wanted columns of the rows of one file, every record taken apart all the same.

    Raises NeedsCare from the quick way, SourceError where the file cannot be read at all.
    """
    blocks = _Blocks(file, layout, head, rejects, careful=careful)
    numbers = RecordNumbers(head.first_row, blocks.removed)
    refusals = _Refusals(numbers, layout, rejects)
    last: pa.RecordBatch | None = None
    try:
        for batch in _parsed(blocks, head.names, wanted, layout, refusals):
            last = batch if len(batch) else last
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            if layout.field_delimiter == STAND_IN:
                columns = {name: pc.replace_substring(c, STAND_IN, layout.delimiter) for name, c in columns.items()}
            rows = numbers.take(len(batch))
            refusals.hand_over()
            yield TextBatch(columns, rows, nulls_done=True)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        # The parser's message quotes the file, so it goes no further.
        if file.error is not None:
            raise file.error from None
        if not careful:
            raise NeedsCare from None
        found = f"cannot be read as delimited text after record {numbers.seen + head.first_row - 1:,}"
        raise SourceError(Problem(file.where, found, "check delimiter and quote of the source")) from error
    refusals.hand_over()
    if not careful and (refusals.ends_in_open_quote() or blocks.end_in_open_quote(last)):
        raise NeedsCare


def _parsed(
    blocks: _Blocks, names: tuple[str, ...], wanted: Collection[str], layout: Layout, refusals: _Refusals
) -> Iterator[pa.RecordBatch]:
    if not blocks.any_left():
        return
    # The last column, wanted or not, shows whether the file ends within a quote.
    converted = [name for name in names if name in wanted or name == names[-1]]
    reader = pa.csv.open_csv(
        pa.PythonFile(blocks, mode="r"),
        # One thread: the parser then knows record numbers, and it is no slower for text columns.
        read_options=pa.csv.ReadOptions(column_names=list(names), block_size=blocks.size, use_threads=False),
        parse_options=pa.csv.ParseOptions(
            delimiter=layout.field_delimiter,
            quote_char=layout.quote or False,
            double_quote=True,
            newlines_in_values=layout.quote is not None,
            invalid_row_handler=refusals,
        ),
        convert_options=pa.csv.ConvertOptions(
            check_utf8=False,  # the blocks are UTF-8 by now
            include_columns=converted,
            column_types=dict.fromkeys(converted, pa.string()),
            null_values=sorted({"", *layout.null_values}),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    yield from reader


class _Refusals:
    """Called by the parser for each record with a wrong number of fields."""

    def __init__(self, numbers: RecordNumbers, layout: Layout, rejects: FileRejects) -> None:
        self._numbers = numbers
        self._layout = layout
        self._rejects = rejects
        self._waiting: list[tuple[int, str]] = []
        self._last_text = ""

    def __call__(self, row: Any) -> str:
        self._numbers.invalid.append(row.number)
        self._waiting.append((row.number, row.text))
        return "skip"

    def hand_over(self) -> None:
        """To the rejects, with the numbers that the records have in the file, which are known by now."""
        waiting, self._waiting = self._waiting, []
        for seen, text in waiting:
            self._last_text = text
            if text.lstrip(self._layout.quote or "").startswith(self._layout.footer):
                continue
            row = int(self._numbers.in_file(np.array([seen], np.int64))[0])
            shown = text.replace(STAND_IN, self._layout.delimiter) if not self._layout.delimiter.isascii() else text
            raw = shown.encode(self._layout.encoding, "backslashreplace")
            self._rejects.add(row, LandingRejectReason.WRONG_NUMBER_OF_FIELDS, raw)

    def ends_in_open_quote(self) -> bool:
        """Whether the last refused record is one that only the end of the file has ended."""
        match = record_pattern(self._layout).match(self._last_text)
        return match is None or match.end() < len(self._last_text)


class _Blocks:
    """The file's UTF-8 after its head, as pyarrow reads it: blocks of full size except the last."""

    closed = False

    def __init__(self, file: OpenedFile, layout: Layout, head: Head, rejects: FileRejects, *, careful: bool) -> None:
        self._layout = layout
        self._source: Utf8Blocks | CarefulBlocks
        self.removed: list[int] = []
        self.size = CAREFUL_BLOCK if careful else QUICK_BLOCK
        self._to_skip = 0
        if careful:
            self._source = CarefulBlocks(file, layout, head, rejects)
            self.removed = self._source.removed
        else:
            self._source = Utf8Blocks(file, layout)
            self._to_skip = len(head.text.encode("utf-8", "surrogateescape"))
        self._ahead = b""
        self._last = [b"", b""]

    def any_left(self) -> bool:
        """Whether anything follows the head; reads the first block."""
        skipped = self._source.read(self._to_skip) if self._to_skip else b""
        del skipped
        self._ahead = self._source.read(self.size)
        while self._ahead and not self._ahead.strip(b"\r\n"):
            self._ahead = self._source.read(self.size)
        return bool(self._ahead)

    def read(self, size: int) -> bytes:
        if self._ahead:
            block, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            block = self._source.read(size)
        if block:
            self._last = [self._last[1], block]
        return block

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        return

    def end_in_open_quote(self, last: pa.RecordBatch | None) -> bool:
        """Whether the last row's last field began with a quote that only the end of the file has ended.

        The parser takes such a field without a word. It is the last one exactly if the file ends in a quote followed by
        that field, its own quotes doubled.
        """
        quote = self._layout.quote
        if quote is None or last is None:
            return False
        value = last.column(last.num_columns - 1)[-1].as_py()
        tail = b"".join(self._last)
        if value is None:
            openers = [e + quote for e in (self._layout.field_delimiter, "\n", "\r")]
            texts = [opener + null for opener in openers for null in ("", *self._layout.null_values)]
            return any(tail.endswith(text.encode()) for text in texts) or tail == quote.encode()
        return tail.endswith((quote + value.replace(quote, quote * 2)).encode())
