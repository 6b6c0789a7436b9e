"""Texts cut to the CDM's VARCHAR lengths, and how many were."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from dure.cdm.schema import CdmTable
from dure.errors import IntegrityError, Problem
from dure.publish.ddl import is_key


class Cutter:
    """Cuts the blocks of any number of tables; `counts` has the texts cut of each `table.column`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def cut(self, table: CdmTable, block: pa.RecordBatch) -> pa.RecordBatch:
        """The block with no text longer than its column, by characters as PostgreSQL counts them, not by bytes.

        IntegrityError for a key that does not fit: cut, it would name another row.
        """
        columns = list(block.columns)
        for position, column in enumerate(table.columns):
            if column.length is None:
                continue
            over = pc.sum(pc.greater(pc.utf8_length(columns[position]), column.length)).as_py() or 0
            if not over:
                continue
            name = f"{table.name}.{column.name}"
            if is_key(table, column):
                raise IntegrityError(
                    Problem(
                        name,
                        f"{over} keys have more than {column.length} characters",
                        "publish without --strict-ddl, or give them shorter names",
                    )
                )
            columns[position] = pc.utf8_slice_codeunits(columns[position], 0, column.length)
            self.counts[name] += over
        return pa.RecordBatch.from_arrays(columns, schema=block.schema)
