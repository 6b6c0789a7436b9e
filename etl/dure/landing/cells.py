"""Cells: text without surrounding white space, NULL where the extract says nothing, NFKC beside it where asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.landing.keys import text_bytes, text_offsets

# White space beyond ASCII begins with one of these bytes in UTF-8 (U+0085, U+00A0, U+1680, U+2000 ff., U+3000).
_C2, _E1, _E3 = 0xC2, 0xE1, 0xE3


def cleaned(column: pa.Array, null_values: pa.Array) -> pa.Array:
    """One text a row, trimmed, NULL where empty or among the null values; for text of any reader."""
    return as_null(trimmed(column), null_values)


def trimmed_and_null(column: pa.Array, null_values: pa.Array) -> pa.Array:
    """The same for a column whose reader already turned null values into NULL: only what trimming uncovers is left."""
    shorter = trimmed(column)
    return column if shorter is column else as_null(shorter, null_values)


def trimmed(column: pa.Array) -> pa.Array:
    """One text a row without white space (Unicode's, the ideographic space too) around it."""
    return pc.utf8_trim_whitespace(column) if _may_have_space_around(column) else column


def as_null(column: pa.Array, null_values: pa.Array) -> pa.Array:
    """One text a row, NULL where it is one of `null_values`."""
    found = pc.is_in(column, value_set=null_values)
    if not pc.any(found).as_py():
        return column
    return pc.if_else(found, pa.scalar(None, pa.string()), column)


def null_value_set(values: Sequence[str]) -> pa.Array:
    """What counts as NULL, compared with trimmed cells; the empty cell always does."""
    return pa.array(sorted({"", *(value.strip() for value in values)}), pa.string())


def nfkc(column: pa.Array, null_values: pa.Array) -> pa.Array:
    """One compatibility-normalised text a row (㎎ -> mg, full-width digits -> ASCII, jamo -> syllables)."""
    if (text_bytes(column) < 0x80).all():
        return column
    return cleaned(pc.utf8_normalize(column, form="NFKC"), null_values)


def _may_have_space_around(column: pa.Array) -> bool:
    """False only if no value begins or ends with white space: a look at two bytes of each value.

    The byte before an empty value is its neighbour's: it can only say yes once too often. Yes too often is harmless.
    """
    data = text_bytes(column)
    if len(data) == 0:
        return False
    offsets = text_offsets(column)
    ends = offsets - offsets[0]
    first = data[np.minimum(ends[:-1], len(data) - 1)]
    last = data[np.maximum(ends[1:] - 1, 0)]
    if (first <= 0x20).any() or (last <= 0x20).any():
        return True
    if (data < 0x80).all():
        return False
    third_last = data[np.maximum(ends[1:] - 3, 0)]
    second_last = data[np.maximum(ends[1:] - 2, 0)]
    return bool(
        ((first == _C2) | ((first >= _E1) & (first <= _E3))).any()
        or (second_last == _C2).any()
        or ((third_last >= _E1) & (third_last <= _E3)).any()
    )
