"""Pieces: some rows of a query as text columns, with the bytes that they are known by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from dure.landing.keys import text_bytes, text_offsets


class StoppedError(Exception):
    """The run has ended meanwhile; nobody wants the rows."""


@dataclass(frozen=True)
class Piece:
    """Rows as text columns; `content` are their bytes, for a digest that is the same for the same rows.

    `nulls_done` says whether null values were turned into NULL.
    """

    columns: Mapping[str, pa.Array]
    rows: int
    content: Sequence[Any]
    nulls_done: bool

    @classmethod
    def of_texts(cls, columns: Mapping[str, pa.Array], rows: int) -> Self:
        content: list[Any] = []
        for column in columns.values():
            content += [np.diff(text_offsets(column)).tobytes(), text_bytes(column)]
        return cls(columns, rows, content, nulls_done=False)
