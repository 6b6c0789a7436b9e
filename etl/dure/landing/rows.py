"""From a reader's batch to landed rows: cells cleaned, the row named and hashed, rows of persons who opted out set apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dure.landing.batches import TextBatch
from dure.landing.cells import cleaned, nfkc, null_value_set, trimmed_and_null
from dure.landing.header import NFKC_SUFFIX, landed_columns
from dure.landing.keys import joined, key_text, null_where_all_null, row_hash
from dure.landing.layout import Layout
from dure.landing.parts import landed_schema

OPTED_OUT = pa.schema(
    [
        pa.field("_file", pa.string(), nullable=False),
        pa.field("_row", pa.int64(), nullable=False),
        pa.field("_key", pa.string()),
    ]
)


class RowMaker:
    """Makes the landed rows of one source; `beside` are columns that are landed but no part of what a row says."""

    def __init__(
        self,
        layout: Layout,
        names: Sequence[str],
        person: Sequence[str],
        opted_out: Collection[str],
        left_behind: Collection[str],
        beside: Collection[str] = (),
    ) -> None:
        needed = {*layout.key, *layout.nfkc, *person, *beside}
        kept = tuple(name for name in names if name in needed or name not in left_behind)
        self.columns = landed_columns(layout, kept)
        self.schema = landed_schema(self.columns)
        # what is taken out of the file, and what the row hash is over
        self.wanted = sorted(kept if layout.key else names)
        self.hashed = [name for name in self.wanted if name not in beside]
        self._layout = layout
        self._person = tuple(person)
        self._opted_out_keys = pa.array(sorted(opted_out), pa.string()) if person and opted_out else None
        self._nulls = null_value_set(layout.null_values)

    def rows(self, batch: TextBatch, shown: str) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
        """The rows to land and those of patients who opted out."""
        clean = trimmed_and_null if batch.nulls_done else cleaned
        absent = {
            n: pa.repeat(pa.scalar(None, pa.string()), len(batch.rows)) for n in self.wanted if n not in batch.columns
        }
        columns = {n: absent[n] if n in absent else clean(batch.columns[n], self._nulls) for n in self.wanted}
        every = [columns[name] for name in self.hashed]
        whole = joined(every)
        key = [columns[name] for name in self._layout.key]
        for name in self._layout.nfkc:
            columns[name + NFKC_SUFFIX] = nfkc(columns[name], self._nulls)
        landed = pa.RecordBatch.from_arrays(
            [
                *(columns[name] for name in self.columns),
                pa.repeat(pa.scalar(shown, pa.string()), len(batch.rows)),
                pa.array(batch.rows),
                key_text(key) if key else null_where_all_null(whole, every),
                row_hash(whole),
            ],
            schema=self.schema,
        )
        if self._opted_out_keys is None:
            return landed, None
        out = self.of_opted_out([columns[name] for name in self._person])
        if not pc.any(out).as_py():
            return landed, None
        return landed.filter(pc.invert(out)), landed.filter(out).select(OPTED_OUT.names).cast(OPTED_OUT)

    def of_opted_out(self, person: Sequence[pa.Array]) -> pa.Array:
        """Whether each row, given its person columns, is of a person who opted out."""
        if self._opted_out_keys is None:
            return pa.repeat(pa.scalar(False), len(person[0]) if person else 0)
        return pc.fill_null(pc.is_in(key_text(person), value_set=self._opted_out_keys), False)
