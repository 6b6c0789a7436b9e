"""Which columns of a table the summary counts, and the four files it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.cdm.schema import table as cdm_table
from dure.center.summary.counted import Counts, Ints, Values
from dure.publish.fixed_parquet import write_parquet
from dure.quality.own_catalogue import event_date

RECORDS = pa.schema(
    [
        ("table", pa.string()),
        ("concept_id", pa.int32()),
        ("year", pa.int32()),
        ("records", pa.int64()),
        ("persons", pa.int64()),
    ]
)
SHARES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
VALUES = pa.schema(
    [
        ("concept_id", pa.int32()),
        ("unit_concept_id", pa.int32()),
        ("records", pa.int64()),
        ("persons", pa.int64()),
        ("numeric", pa.int64()),
        ("mean", pa.float64()),
        *((name, pa.float64()) for name in SHARES),
    ]
)
PERSONS = pa.schema([("sex_concept_id", pa.int32()), ("birth_decade", pa.int32()), ("persons", pa.int64())])
_YEARS = 10_000
# Parquet holds days that no calendar has: they count as the first or the last that one has.
_DAYS = (-719_162, 2_932_896)
_UNITS = 1 << 32
_SEED = 20_260_101


@cache
def counted_columns(name: str) -> tuple[str, str] | None:
    """(concept, day) of a table of events: what its rows are about and when; None for the other tables."""
    table = cdm_table(name)
    day = event_date(table)
    concepts = [
        column
        for column in table.names
        if column.endswith("_concept_id") and not column.endswith(("_type_concept_id", "_source_concept_id"))
    ]
    return (concepts[0], day) if day and concepts else None


@dataclass
class Summing:
    """The counts of one delivery, while its rows go by."""

    records: dict[str, Counts] = field(default_factory=dict)
    values: Counts = field(default_factory=Counts)
    numbers: Values = field(default_factory=lambda: Values(_SEED))
    born: Counts = field(default_factory=Counts)
    observed: list[Ints] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, block: pa.RecordBatch) -> None:
        """The next rows of a table, sorted by person."""
        self.rows[name] = self.rows.get(name, 0) + block.num_rows
        if not block.num_rows:
            return
        if name == "person":
            decades = pc.floor(pc.divide(pc.cast(block["year_of_birth"], pa.float64()), 10.0))
            key = _ints(block["gender_concept_id"]) * _YEARS + _ints(decades) * 10
            self.born.add(key, _ints(block["person_id"]))
        if name == "observation_period":
            spans = (pc.min(block["observation_period_start_date"]), pc.max(block["observation_period_end_date"]))
            self.observed.append(np.array([_days(each) for each in spans], np.int64))
        columns = counted_columns(name)
        if columns is None:
            return
        persons = _ints(block["person_id"])
        concepts = _ints(block[columns[0]])
        self.records.setdefault(name, Counts()).add(concepts * _YEARS + _years(block[columns[1]]), persons)
        if name == "measurement":
            pairs = concepts * _UNITS + _ints(block["unit_concept_id"], -1) + 1
            self.values.add(pairs, persons)
            self.numbers.add(pairs, pc.fill_null(block["value_as_number"], np.nan).to_numpy(zero_copy_only=False))

    def observed_days(self) -> tuple[str | None, str | None]:
        """The first and the last day that somebody was observed."""
        if not self.observed:
            return None, None
        days = np.clip(np.stack(self.observed), *_DAYS)
        first, last = int(days[:, 0].min()), int(days[:, 1].max())
        return str(np.datetime64(first, "D")), str(np.datetime64(last, "D"))

    def tables(self) -> Mapping[str, pa.Table]:
        """The files of the summary by name."""
        return {"records": self._records(), "values": self._values(), "persons": self._persons()}

    def _records(self) -> pa.Table:
        parts = []
        for name in sorted(self.records):
            keys, records, persons = self.records[name].totals()
            columns = [pa.repeat(pa.scalar(name), keys.size), keys // _YEARS, keys % _YEARS, records, persons]
            parts.append(_table(columns, RECORDS))
        return pa.concat_tables(parts) if parts else RECORDS.empty_table()

    def _values(self) -> pa.Table:
        keys, records, persons = self.values.totals()
        every = [int(key) for key in keys]
        percentiles = [self.numbers.percentiles(key, tuple(SHARES.values())) for key in every]
        columns = [
            keys // _UNITS,
            pa.array([unit if (unit := key % _UNITS - 1) >= 0 else None for key in every], pa.int32()),
            records,
            persons,
            pa.array([self.numbers.numeric(key) for key in every], pa.int64()),
            pa.array([self.numbers.mean(key) for key in every], pa.float64()),
            *(pa.array([each[n] for each in percentiles], pa.float64()) for n in range(len(SHARES))),
        ]
        return _table(columns, VALUES)

    def _persons(self) -> pa.Table:
        keys, _, persons = self.born.totals()
        return _table([keys // _YEARS, keys % _YEARS, persons], PERSONS)


def write_tables(summing: Summing, folder: Path) -> None:
    """The files of the summary that are counted, into a folder that is there."""
    for name, table in summing.tables().items():
        write_parquet(table, folder / f"{name}.parquet")


def _table(columns: list[object], schema: pa.Schema) -> pa.Table:
    return pa.table(
        [
            pa.array(column, field.type) if not isinstance(column, pa.Array) else column
            for column, field in zip(columns, schema, strict=True)
        ],
        schema,
    )


def _ints(column: pa.Array, empty: int = 0) -> Ints:
    found: Ints = pc.fill_null(pc.cast(column, pa.int64()), empty).to_numpy(zero_copy_only=False)
    return found


def _years(days: pa.Array) -> Ints:
    return np.clip(_ints(pc.year(days)), 0, _YEARS - 1)


def _days(day: pa.Scalar) -> int:
    return 0 if not day.is_valid else int(pc.cast(pc.cast(day, pa.int32()), pa.int64()).as_py())
