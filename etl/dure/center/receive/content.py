"""The tables against the manifest and the CDM: every row is read once, in blocks, and counted for the summary on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from dure.cdm.schema import CdmTable
from dure.cdm.schema import table as cdm_table
from dure.center.receive.claimed import Claimed, File, Table
from dure.center.receive.concepts import check_brought, check_local
from dure.center.receive.parquet import about, blocks
from dure.center.receive.refused import Finding, PackageRefused, refuse
from dure.center.summary.counted import Ints
from dure.center.summary.tables import Summing
from dure.progress import Progress
from dure.publish.evidence.checks import CHECKS
from dure.publish.evidence.codes import CODES
from dure.publish.table_files import arrow_schema

# Without these nothing can be said of a hospital.
FILLED = ("person", "observation_period", "visit_occurrence", "cdm_source")
# A file may say that it unfolds to so many times its size, or to so many bytes, before it is taken for a bomb.
_UNFOLDS, _UNFOLDS_BYTES = 200, 1 << 28
_SHOWN = 20


def read_content(
    folder: Path,
    claimed: Claimed,
    own: Sequence[range],
    shared: Sequence[range],
    withdrawn: Ints,
    progress: Progress,
) -> Summing:
    """What the summary counts of the tables; PackageRefused where they are not what the manifest and the CDM say.

    Rows may name local concepts of the blocks `own` and `shared`, and bring those of `own`.
    """
    _check_shape(folder, claimed)
    reading = _Reading(own, shared, withdrawn)
    for name in sorted(claimed.tables, key=lambda name: (name != "person", name)):
        table = claimed.tables[name]
        reading.begin(name)
        for file in table.files:
            for block in blocks(folder / file.path, file.path):
                reading.add(block, file.path)
        if reading.rows != table.rows:
            raise refuse("another_count", name, found=reading.rows, expected=table.rows)
        progress.table(name, table.rows, 0.0)
    return reading.summing


def _check_shape(folder: Path, claimed: Claimed) -> None:
    """Schemas and sizes, from footers: all that is wrong with them at once, before a row is read."""
    findings = [
        Finding("empty_table", name) for name in FILLED if name not in claimed.tables or not claimed.tables[name].rows
    ]
    for name, table in claimed.tables.items():
        findings += _shape_of(folder, table, arrow_schema(cdm_table(name)))
    for kind, schema in (("checks", CHECKS), ("codes", CODES)):
        file = claimed.listed_evidence[kind]
        findings += _shape_of(
            folder, Table(rows=file.rows, files=[File(path=file.path, bytes=file.bytes, sha256=file.sha256)]), schema
        )
    if findings:
        raise PackageRefused(findings[:_SHOWN])


def _shape_of(folder: Path, table: Table, schema: pa.Schema) -> Iterator[Finding]:
    for file in table.files:
        said, found = about(folder / file.path, file.path)
        wrong = _columns_apart(found, schema)
        if wrong:
            yield Finding("another_schema", file.path, {"columns": ", ".join(wrong)})
        groups = (said.row_group(number) for number in range(said.num_row_groups))
        unfolded = sum(group.total_byte_size for group in groups)
        if said.num_rows > file.bytes or unfolded > max(_UNFOLDS_BYTES, _UNFOLDS * file.bytes):
            yield Finding("unfolds", file.path, {"rows": said.num_rows, "bytes": file.bytes})


def _columns_apart(found: pa.Schema, expected: pa.Schema) -> list[str]:
    """The columns of the CDM that are missing, misplaced or of another type, and how many it does not have."""
    apart = [
        field.name
        for place, field in enumerate(expected)
        if place >= len(found) or found[place].name != field.name or found[place].type != field.type
    ]
    more = len(found) - len(expected)
    return [*apart[:_SHOWN], *([f"{more} more"] if more > 0 else [])]


@dataclass
class _Reading:
    """Where the reading stands: the table, its rows so far, and its last row's place in the order."""

    own: Sequence[range]
    shared: Sequence[range]
    withdrawn: Ints
    summing: Summing = field(default_factory=Summing)
    persons: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: int = 0
    _parts: list[Ints] = field(default_factory=list)
    _table: CdmTable | None = None
    _last: tuple[int, int] | None = None

    def begin(self, name: str) -> None:
        if self._table is not None and self._table.name == "person":
            self.persons = np.concatenate([self.persons, *self._parts])
        self._table, self.rows, self._last = cdm_table(name), 0, None
        self.summing.rows[name] = 0

    def add(self, block: pa.RecordBatch, path: str) -> None:
        assert self._table is not None
        self.rows += block.num_rows
        if block.num_rows:
            self._check_concepts(block, path)
            self._check_order(block, path)
            self._check_persons(block, path)
        self.summing.add(self._table.name, block)

    def _check_concepts(self, block: pa.RecordBatch, path: str) -> None:
        assert self._table is not None
        for name in block.schema.names:
            if name.endswith("concept_id"):
                brought = self._table.vocabulary and name == self._table.primary_key
                if brought:
                    check_brought(block[name], f"{path} {name}")
                check_local(block[name], self.own if brought else (*self.own, *self.shared), f"{path} {name}")

    def _check_order(self, block: pa.RecordBatch, path: str) -> None:
        """Rows are sorted by person and record id, and no record is there twice."""
        assert self._table is not None
        key = self._table.primary_key
        if key and not pa.types.is_integer(block[key].type):
            key = None
        columns = [name for name in dict.fromkeys(("person_id", key)) if name and name in block.schema.names]
        if not columns:
            return
        if any(block[name].null_count for name in columns):
            raise refuse("no_key", f"{path} {' or '.join(columns)}")
        first, last = (block[name].to_numpy() for name in (columns[0], columns[-1]))
        before, first_before = last[:-1], first[:-1]
        rising = (first[1:] > first_before) | ((first[1:] == first_before) & (last[1:] > before))
        if key is None:
            rising |= first[1:] == first_before
        ends = (int(first[0]), int(last[0]))
        continues = self._last is None or self._last < ends or (key is None and self._last[0] == ends[0])
        if not rising.all() or not continues:
            raise refuse("out_of_order", path, columns=", ".join(columns))
        self._last = int(first[-1]), int(last[-1])

    def _check_persons(self, block: pa.RecordBatch, path: str) -> None:
        assert self._table is not None
        if "person_id" not in block.schema.names:
            return
        persons = block["person_id"].to_numpy()
        if self._table.name == "person":
            back = int(np.isin(persons, self.withdrawn).sum())
            if back:
                raise refuse("withdrawn_person", path, persons=back)
            self._parts.append(persons.copy())
        else:
            place = np.searchsorted(self.persons, persons)
            known = place < self.persons.size
            known[known] = self.persons[place[known]] == persons[known]
            if not known.all():
                raise refuse("unknown_person", path, rows=int((~known).sum()))
