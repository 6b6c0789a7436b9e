"""Key text and row hash: what names a row of the extract, the same on every machine, engine and day.

Key text: each part NULL -> `\\N`; otherwise backslash -> `\\\\` and `|` -> `\\|`; parts joined by `|`. No two different keys
share a text, since a part never holds a bare `|` nor equals `\\N`. A key of which every part is NULL is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

NULL_PART = "\\N"
SEPARATOR = "|"


def key_text_of(parts: Iterable[str | None]) -> str | None:
    """The key text of one row: the reference that every other implementation is held against."""
    parts = list(parts)
    if all(part is None for part in parts):
        return None
    return SEPARATOR.join(NULL_PART if part is None else escaped_text(part) for part in parts)


def escaped_text(part: str) -> str:
    """One part of a key as it stands in the key text."""
    return part.replace("\\", "\\\\").replace("|", "\\|")


def escaped(part: pa.Array) -> pa.Array:
    """One escaped part a row; the column itself when there is nothing to escape, which its bytes tell quickly."""
    data = text_bytes(part)
    if not ((data == ord("|")) | (data == ord("\\"))).any():
        return part
    return pc.replace_substring(pc.replace_substring(part, "\\", "\\\\"), "|", "\\|")


def joined(parts: Sequence[pa.Array]) -> pa.Array:
    """One text a row: its parts escaped and joined, `\\N` for NULL; never NULL itself."""
    shown = [escaped(part) for part in parts]
    return pc.binary_join_element_wise(*shown, SEPARATOR, null_handling="replace", null_replacement=NULL_PART)


def key_text(parts: Sequence[pa.Array]) -> pa.Array:
    """One key text a row, NULL where every part is NULL."""
    if len(parts) == 1:
        return escaped(parts[0])
    return null_where_all_null(joined(parts), parts)


def null_where_all_null(text: pa.Array, parts: Sequence[pa.Array]) -> pa.Array:
    """One text a row, NULL where every part is NULL."""
    if any(part.null_count == 0 for part in parts):
        return text
    absent = parts[0].is_null()
    for part in parts[1:]:
        absent = pc.and_(absent, part.is_null())
    return pc.if_else(absent, pa.scalar(None, pa.string()), text) if pc.any(absent).as_py() else text


def row_hash(joined_row: pa.Array) -> pa.Array:
    """One signed 64-bit hash a row, of its columns joined in the order of their names.

    pandas' hash of bytes (SipHash with a fixed key) is the fastest that needs no further library; a test pins values, so
    that a change of it cannot pass unseen. Rows that differ share a hash once in 2^64: good for finding changed rows under
    one key, not for naming rows.
    """
    cells = joined_row.cast(pa.binary()).to_numpy(zero_copy_only=False)
    return pa.array(hash_array(cells, categorize=False).view(np.int64))


def text_bytes(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The UTF-8 bytes of a text column's values end to end; bytes under a NULL may be among them."""
    offsets = text_offsets(column)
    data = column.buffers()[2]
    if data is None or len(offsets) == 0:
        return np.empty(0, np.uint8)
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]


def text_offsets(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Where each value of a text column begins in its data buffer, and where the last one ends."""
    offsets = column.buffers()[1]
    if offsets is None or len(column) == 0:
        return np.empty(0, np.int32)
    return np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
