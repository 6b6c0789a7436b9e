"""Text of fixed width: one row a line, fields cut at declared places, counted in characters or in bytes.

Record numbers are line numbers; blank lines are counted, but are no rows. A line may end early (exports strip trailing
blanks): what is missing is empty. In bytes, each field is decoded by itself, as legacy exports in CP949 are laid out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.errors import Problem, SourceError
from dure.landing.batches import NeedsCare, RowNumbers, TextBatch
from dure.landing.keys import text_bytes
from dure.landing.layout import Layout
from dure.landing.opened import OpenedFile
from dure.landing.records import LONGEST_RECORD, CarefulBlocks, Head
from dure.landing.rejects import FileRejects, LandingRejectReason
from dure.landing.text import Bytes, Utf8Blocks

BLOCK = 8 << 20


def read_fixed_width(
    file: OpenedFile, layout: Layout, head: Head, rejects: FileRejects, *, careful: bool
) -> Iterator[TextBatch]:
    """The rows of one file; raises NeedsCare from the quick way, SourceError for a line without an end."""
    if layout.unit == "bytes":
        yield from _by_bytes(file, layout, head, rejects)
        return
    source = CarefulBlocks(file, layout, head, rejects) if careful else Utf8Blocks(file, layout)
    skip = 0 if careful else len(head.text.encode("utf-8", "surrogateescape"))
    try:
        for lines, rows in _lines(source, file.where, skip, head.first_row):
            text = lines.cast(pa.string())
            cut = {
                name: pc.utf8_slice_codeunits(text, start - 1, start - 1 + length)
                for name, (start, length) in layout.columns.items()
            }
            yield TextBatch(cut, rows, nulls_done=False)
    except UnicodeDecodeError:
        raise NeedsCare from None


def _by_bytes(file: OpenedFile, layout: Layout, head: Head, rejects: FileRejects) -> Iterator[TextBatch]:
    """Rows cut by bytes; undecodable fields show themselves, so that no second reading is needed."""
    for lines, rows in _lines(_WithoutMark(file, layout), file.where, 0, 1):
        after_head = rows >= head.first_row
        if not after_head.all():
            lines, rows = lines.filter(pa.array(after_head)), rows[after_head]
        columns, undecodable = {}, np.zeros(len(rows), bool)
        for name, (start, length) in layout.columns.items():
            pieces = pc.binary_slice(lines, start - 1, start - 1 + length)
            columns[name], bad = _decoded(pieces, layout.encoding)
            undecodable |= bad
        if undecodable.any():
            for index in np.flatnonzero(undecodable):
                rejects.add(int(rows[index]), LandingRejectReason.UNDECODABLE, lines[index].as_py())
            kept = pa.array(~undecodable)
            columns = {name: column.filter(kept) for name, column in columns.items()}
            rows = rows[~undecodable]
        yield TextBatch(columns, rows, nulls_done=False)


def _decoded(pieces: pa.Array, encoding: str) -> tuple[pa.Array, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The text of each piece, and which have none."""
    bad = np.zeros(len(pieces), bool)
    if (text_bytes(pieces) < 0x80).all():
        return pieces.cast(pa.string()), bad
    texts: list[str] = []
    for index, piece in enumerate(pieces.to_pylist()):
        try:
            texts.append(piece.decode(encoding))
        except UnicodeDecodeError:
            bad[index] = True
            texts.append("")
    return pa.array(texts, pa.string()), bad


class _WithoutMark:
    """The bytes of a file after its byte order mark; one of another encoding was refused with the head."""

    def __init__(self, file: OpenedFile, layout: Layout) -> None:
        self.where = file.where
        self._file = file
        self._mark = b"\xef\xbb\xbf" if layout.encoding == "utf-8" else b""

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        if self._mark:
            block, self._mark = block.removeprefix(self._mark), b""
        return block


def _lines(
    source: Bytes | Utf8Blocks | CarefulBlocks, where: str, skip: int, first_row: int
) -> Iterator[tuple[pa.Array, RowNumbers]]:
    """The lines that are not blank, with their line ends (trimmed off later, as white space), and their numbers."""
    if skip:
        source.read(skip)
    carry = b""
    row = first_row
    ended = False
    while not ended:
        block = source.read(BLOCK)
        ended = not block
        text = carry + block
        cut = len(text) if ended else text.rfind(b"\n") + 1
        text, carry = text[:cut], text[cut:]
        if len(carry) > 4 * LONGEST_RECORD:
            found = f"no line end within {len(carry):,} bytes after line {row - 1:,}"
            raise SourceError(Problem(where, found, "check format and encoding of the source"))
        if not text:
            continue
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 0x0A) + 1
        if not text.endswith(b"\n"):
            ends = np.append(ends, len(text))
        offsets = np.concatenate(([0], ends)).astype(np.int32)
        lines = pa.BinaryArray.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)])
        rows = np.arange(row, row + len(ends), dtype=np.int64)
        row += len(ends)
        lengths = np.diff(offsets)
        if lengths.min() <= 2:
            stored = np.frombuffer(text, np.uint8)
            line_end = (stored[offsets[:-1]] == 0x0A) | (stored[offsets[:-1]] == 0x0D)
            blank = line_end & ((lengths == 1) | (stored[ends - 1] == 0x0A) & (lengths == 2))
            lines, rows = lines.filter(pa.array(~blank)), rows[~blank]
        yield lines, rows
