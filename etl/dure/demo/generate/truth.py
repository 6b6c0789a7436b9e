"""The truth: one row an intended CDM record, written from the clinical facts before any hospital codes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dure.demo.generate.catalogue import facts, read, values
from dure.demo.generate.dirt import UNKNOWN, kinds
from dure.demo.generate.frames import DAY, Array

RECORDS = pa.schema(
    [
        ("hospital", pa.dictionary(pa.int32(), pa.string())),
        ("cdm_table", pa.dictionary(pa.int32(), pa.string())),
        ("person_source_value", pa.string()),
        ("visit_source_value", pa.string()),
        ("fact", pa.dictionary(pa.int32(), pa.string())),
        ("standard_concept_id", pa.int64()),
        ("coded", pa.bool_()),
        ("start_date", pa.date32()),
        ("start_datetime", pa.timestamp("us")),
        ("end_date", pa.date32()),
        ("value_as_number", pa.float64()),
        ("operator_concept_id", pa.int64()),
        ("value_as_concept_id", pa.int64()),
        ("unit_concept_id", pa.int64()),
        ("quantity", pa.float64()),
        ("days_supply", pa.int64()),
        ("dirt", pa.dictionary(pa.int32(), pa.string())),
    ]
)
PERSONS = pa.schema(
    [
        ("hospital", pa.string()),
        ("person_source_value", pa.string()),
        ("person_number", pa.int64()),
        ("year_of_birth", pa.int64()),
        ("birth_precision", pa.string()),
        ("gender_concept_id", pa.int64()),
        ("death_date", pa.date32()),
    ]
)
VISITS = pa.schema(
    [
        ("hospital", pa.string()),
        ("visit_source_value", pa.string()),
        ("person_source_value", pa.string()),
        ("visit_concept_id", pa.int64()),
        ("start_date", pa.date32()),
        ("start_datetime", pa.timestamp("us")),
        ("end_date", pa.date32()),
        ("open", pa.bool_()),
    ]
)
DIRT = pa.schema(
    [
        ("hospital", pa.string()),
        ("kind", pa.string()),
        ("file", pa.string()),
        ("key", pa.string()),
        ("ends", pa.string()),
    ]
)
FILES = {"records": RECORDS, "persons": PERSONS, "visits": VISITS, "dirt": DIRT}
_GROUP_ROWS = 1 << 18


class Truth:
    """The four Parquet files of the truth, written a row group at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.rows = dict.fromkeys(FILES, 0)
        self._waiting: dict[str, list[pa.Table]] = {name: [] for name in FILES}
        self._writers = {
            name: pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd")
            for name, schema in FILES.items()
        }

    def add(self, name: str, columns: Mapping[str, pa.Array]) -> None:
        table = pa.table(dict(columns), schema=FILES[name])
        waiting = self._waiting[name]
        waiting.append(table)
        self.rows[name] += table.num_rows
        if sum(part.num_rows for part in waiting) >= _GROUP_ROWS:
            self._flush(name)

    def __enter__(self) -> Truth:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Writes what waits, unless the whole is given up."""
        for name, writer in self._writers.items():
            if kind is None and self._waiting[name]:
                self._flush(name)
            writer.close()

    def _flush(self, name: str) -> None:
        table = pa.concat_tables(self._waiting[name]).combine_chunks()
        self._writers[name].write_table(table, row_group_size=_GROUP_ROWS)
        self._waiting[name].clear()


class Records:
    """Turns events of one hospital into rows of `records`."""

    def __init__(self, truth: Truth, hospital: str) -> None:
        self._truth, self._hospital = truth, hospital
        self._operator = {row["operator"]: int(row["operator_concept_id"]) for row in read("operators")}
        self._kinds = ["", *kinds()]

    def add(
        self,
        person: pa.Array,
        visit: pa.Array | None,
        fact: Array,
        day: Array,
        *,
        table: str | Array | None = None,
        minute: Array | None = None,
        end: Array | None = None,
        value: Array | None = None,
        under: Array | None = None,
        answer: Array | None = None,
        quantity: Array | None = None,
        days_supply: Array | None = None,
        dirt: Array | None = None,
    ) -> None:
        """`fact` is a number, or UNKNOWN; `table` only where the fact does not say it; `minute` if the time is known."""
        known = facts()
        count = len(fact)
        concept = np.where(fact == UNKNOWN, 0, known.concept[fact])
        tables = known.table[fact] if table is None else table
        if isinstance(tables, str):
            tables = np.full(count, known.tables.index(tables))
        unit = np.where(fact == UNKNOWN, 0, known.unit[fact]) if value is not None else np.zeros(count, np.int64)
        answers = values().concept[np.maximum(answer, 0)] if answer is not None else None
        columns = {
            "hospital": _coded(np.zeros(count, np.int32), [self._hospital]),
            "cdm_table": _coded(tables, known.tables),
            "person_source_value": person,
            "visit_source_value": pa.nulls(count, pa.string()) if visit is None else visit,
            "fact": _coded(fact, known.names, fact == UNKNOWN),
            "standard_concept_id": pa.array(concept),
            "coded": pa.array(concept != 0),
            "start_date": _dates(day),
            "start_datetime": _moments(minute, count),
            "end_date": pa.nulls(count, pa.date32()) if end is None else _dates(end),
            "value_as_number": _optional(value, pa.float64(), count),
            "operator_concept_id": _where(under, self._operator["<"], count),
            "value_as_concept_id": _masked(answers, None if answer is None else answer < 0, count),
            "unit_concept_id": _masked(unit, unit == 0, count),
            "quantity": _optional(quantity, pa.float64(), count),
            "days_supply": _optional(days_supply, pa.int64(), count),
            "dirt": _coded(
                np.zeros(count, np.int8) if dirt is None else dirt, self._kinds, None if dirt is None else dirt == 0
            ),
        }
        if dirt is None:
            columns["dirt"] = pa.DictionaryArray.from_arrays(
                pa.nulls(count, pa.int32()), pa.array(self._kinds, pa.string())
            )
        self._truth.add("records", columns)
        for one, second in known.second.items():
            also = np.flatnonzero(fact == one)
            if len(also):
                taken = {name: column.take(pa.array(also)) for name, column in columns.items()}
                taken["standard_concept_id"] = pa.array(np.full(len(also), second))
                self._truth.add("records", taken)

    def add_notes(self, person: pa.Array, visit: pa.Array, minute: Array, dirt: Array) -> None:
        """Notes have a day and a person, and no concept to be right about."""
        count = len(minute)
        columns = {name: pa.nulls(count, kind) for name, kind in zip(RECORDS.names, RECORDS.types, strict=True)}
        columns |= {
            "hospital": _coded(np.zeros(count, np.int32), [self._hospital]),
            "cdm_table": _coded(np.zeros(count, np.int32), ["note"]),
            "person_source_value": person,
            "visit_source_value": visit,
            "coded": pa.array(np.ones(count, bool)),
            "start_date": _dates(minute // DAY),
            "start_datetime": _moments(minute, count),
            "dirt": _coded(dirt, self._kinds, dirt == 0),
        }
        self._truth.add("records", columns)


def dates(days: Array, none: Array | None = None) -> pa.Array:
    """Days as dates, empty where `none`."""
    return pa.array(days.astype(np.int32), mask=none).cast(pa.date32())


def moments(minutes: Array) -> pa.Array:
    return pa.array(minutes * 60_000_000).cast(pa.timestamp("us"))


def _dates(days: Array) -> pa.Array:
    return dates(days)


def _moments(minutes: Array | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.timestamp("us")) if minutes is None else moments(minutes)


def _coded(which: Array, choices: list[str], none: Array | None = None) -> pa.Array:
    indices = pa.array(np.asarray(which, np.int32), mask=none)
    return pa.DictionaryArray.from_arrays(indices, pa.array(choices, pa.string()))


def _optional(found: Array | None, kind: pa.DataType, count: int) -> pa.Array:
    return pa.nulls(count, kind) if found is None else pa.array(found, kind, from_pandas=True)


def _where(condition: Array | None, concept: int, count: int) -> pa.Array:
    if condition is None:
        return pa.nulls(count, pa.int64())
    return pa.array(np.full(count, concept), mask=~condition)


def _masked(found: Array | None, none: Array | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.int64()) if found is None else pa.array(np.asarray(found, np.int64), mask=none)
