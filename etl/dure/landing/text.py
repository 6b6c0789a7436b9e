"""Decoding: the text of a file in any Python codec, as UTF-8 blocks for the readers.

The quick way decodes strictly and stops at the first undecodable byte. The careful way marks such bytes, one by one, with
lone surrogates, which no valid text holds: U+DC00 plus the byte. So a marked record shows, and its raw bytes come back.
"""

from __future__ import annotations

import codecs
import re
from typing import Protocol

import numpy as np
import pyarrow as pa

from dure.errors import Problem, SourceError
from dure.landing.layout import STAND_IN, Layout

MARKED = re.compile("[\udc00-\udcff]")
_MARKED_RUN = re.compile("([\udc00-\udcff]+)")
_MARK = "dure.landing.mark"
CHUNK = 1 << 20

_BOMS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
# In the order in which they are tried: whatever decodes as an earlier one is very unlikely to be a later one.
_LIKELY = ("utf-8", "cp949", "utf-16")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARK, _mark)


class Bytes(Protocol):
    """Where the bytes of a file come from."""

    where: str

    def read(self, size: int) -> bytes: ...


class Decoder:
    """The decoded text of one file, block by block, without a byte order mark; a delimiter beyond ASCII is replaced."""

    def __init__(self, source: Bytes, layout: Layout, *, careful: bool) -> None:
        self._source = source
        self._layout = layout
        self._replaced = None if layout.delimiter.isascii() else layout.delimiter
        self._decoder = codecs.getincrementaldecoder(layout.encoding)(_MARK if careful else "strict")
        self._first = True
        self._ended = False
        self.raw_encoding = layout.encoding

    def read(self, size: int = CHUNK) -> str | None:
        """The text of the next `size` bytes; None after the end."""
        if self._ended:
            return None
        raw = self._source.read(size)
        if self._first:
            self._check_byte_order_mark(raw)
        text = self._decoder.decode(raw, final=not raw)
        if self._first and raw:
            self._first = False
            text = text.removeprefix("\ufeff")
        self._ended = not raw
        if self._replaced is not None:
            if STAND_IN in text:
                found = "holds the control character U+001F, which stands for a delimiter beyond ASCII while reading"
                raise SourceError(Problem(self._source.where, found, "export it with another delimiter, e.g. tab"))
            text = text.replace(self._replaced, STAND_IN)
        return text

    def raw(self, text: str) -> bytes:
        """The bytes of a piece of the file's text as they were."""
        if self._replaced is not None:
            text = text.replace(STAND_IN, self._replaced)
        # every second piece is marked bytes
        pieces = _MARKED_RUN.split(text)
        return b"".join(
            bytes(ord(mark) - 0xDC00 for mark in piece) if place % 2 else piece.encode(self.raw_encoding)
            for place, piece in enumerate(pieces)
        )

    def _check_byte_order_mark(self, raw: bytes) -> None:
        family = self._layout.encoding.split("-le")[0].split("-be")[0]
        for mark, encoding in _BOMS:
            if not raw.startswith(mark):
                continue
            if encoding != family:
                found = f"begins with the byte order mark of {encoding}, declared is {self._layout.encoding}"
                raise SourceError(Problem(self._source.where, found, f"encoding: {encoding}"))
            if encoding != "utf-8":
                self.raw_encoding = encoding + ("-le" if mark.startswith(b"\xff") else "-be")
            return
        if family in ("utf-16", "utf-32") and self.raw_encoding == family:
            self.raw_encoding = f"{family}-le"


class Utf8Blocks:
    """The UTF-8 of a strictly decoded file; raises UnicodeDecodeError at the first undecodable byte."""

    def __init__(self, source: Bytes, layout: Layout) -> None:
        self._source = source
        self._as_is = layout.encoding == "utf-8" and layout.delimiter.isascii()
        self._decoder = Decoder(source, layout, careful=False)
        self._first = True
        self._pending = b""

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        return self._checked(size) if self._as_is else self._decoded(size)

    def _decoded(self, size: int) -> bytes:
        parts, ready = [self._pending], len(self._pending)
        while ready < size and (text := self._decoder.read()) is not None:
            parts.append(text.encode("utf-8"))
            ready += len(parts[-1])
        block = b"".join(parts)
        self._pending = block[size:]
        return block[:size]

    def _checked(self, size: int) -> bytes:
        """UTF-8 needs no decoding, only a check, which Arrow does at memory speed."""
        block = self._source.read(size)
        if self._first and block.startswith(codecs.BOM_UTF8):
            block = block[len(codecs.BOM_UTF8) :] + self._source.read(len(codecs.BOM_UTF8))
        self._first = False
        if block.isascii() and not self._pending:
            return block
        whole = self._pending + block
        cut = _character_boundary(whole) if block else len(whole)
        self._pending = whole[cut:]
        text = pa.BinaryArray.from_buffers(
            pa.string(), 1, [None, pa.py_buffer(np.array([0, cut], np.int32)), pa.py_buffer(whole)]
        )
        try:
            text.validate(full=True)
        except pa.ArrowInvalid:
            # Its message shows what it found; the position would be the block's, of no use to anyone.
            raise UnicodeDecodeError("utf-8", b"", 0, 0, "invalid bytes") from None
        return block


def _character_boundary(text: bytes) -> int:
    """Where the last character begins if the text may end within it, else the end."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        return len(text) - back if length > back else len(text)
    return len(text)


def likely_encodings(sample: bytes, declared: str) -> list[str]:
    """Encodings other than the declared one that read the beginning of a file without an error."""
    found = []
    for encoding in _LIKELY:
        if encoding == declared or (encoding == "utf-16" and b"\0" not in sample):
            continue
        try:
            codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            continue
        found.append(encoding)
    return found
