"""The CDM 5.4 schema, taken from omop-cdm and typed nowhere else.

Two things are ours: record ids are BIGINT (omop-cdm says INTEGER, which 10^9 rows outgrow), and `cohort`,
`cohort_definition` are absent because omop-cdm leaves results-schema tables out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from omop_cdm.regular import cdm54
from pyspark.sql import types as T
from sqlalchemy import BigInteger, Date, DateTime, Integer, Numeric, String, Text
from sqlalchemy.schema import Table

CDM_VERSION = "5.4"

# Columns that hold a record id although nothing in omop-cdm declares them a key of a clinical table.
_POLYMORPHIC_IDS = frozenset(
    {
        "event_id",
        "measurement_event_id",
        "observation_event_id",
        "note_event_id",
        "cost_event_id",
        "fact_id_1",
        "fact_id_2",
        "value_as_event_id",
        "family_source_id",
    }
)


@dataclass(frozen=True)
class Column:
    """One column of a CDM table.

    `spark` is the type that Parquet carries; `length` the CDM's VARCHAR length (a minimum for source text, None for
    unbounded); `references` the `table.column` of its foreign key.
    """

    name: str
    spark: T.DataType
    required: bool
    primary_key: bool
    references: str | None
    length: int | None


@dataclass(frozen=True)
class CdmTable:
    """One CDM table: its columns in CDM order. `vocabulary` marks the ten tables that a vocabulary release fills."""

    name: str
    columns: tuple[Column, ...]
    vocabulary: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def primary_key(self) -> str | None:
        """The record id of the table, or None where the CDM declares no single-column key (death has the person's)."""
        keys = [column.name for column in self.columns if column.primary_key]
        return keys[0] if len(keys) == 1 else None

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")

    def struct(self) -> T.StructType:
        """The Spark schema of the table; every field is nullable, `conform` guards the required ones."""
        return T.StructType([T.StructField(column.name, column.spark, True) for column in self.columns])


def _clinical_record_ids() -> frozenset[str]:
    """Names such as `person_id`: single-column integer keys of the tables that a hospital fills."""
    ids = set(_POLYMORPHIC_IDS)
    for table in cdm54.Base.metadata.tables.values():
        if table.schema != "vocabulary_schema":
            for column in table.primary_key.columns:
                if isinstance(column.type, Integer) and "concept_id" not in column.name:
                    ids.add(column.name)
    return frozenset(ids)


def _spark_type(column: object, record_ids: frozenset[str]) -> T.DataType:
    name, kind = column.name, column.type  # type: ignore[attr-defined]
    if isinstance(kind, Integer | BigInteger):
        is_id = name in record_ids or _points_at_a_record(column)
        return T.LongType() if is_id or isinstance(kind, BigInteger) else T.IntegerType()
    if isinstance(kind, Numeric):
        return T.DoubleType()
    if isinstance(kind, DateTime):
        return T.TimestampNTZType()
    if isinstance(kind, Date):
        return T.DateType()
    if isinstance(kind, String | Text):
        return T.StringType()
    raise TypeError(f"omop-cdm gives {name} the type {kind!r}, which has no Spark type here")


def _points_at_a_record(column: object) -> bool:
    return any(
        not key.target_fullname.startswith("vocabulary_schema.")
        for key in column.foreign_keys  # type: ignore[attr-defined]
    )


def _table(table: Table, record_ids: frozenset[str]) -> CdmTable:
    columns = tuple(
        Column(
            name=column.name,
            spark=_spark_type(column, record_ids),
            required=not column.nullable,
            primary_key=column.primary_key,
            references=next((key.target_fullname.split(".", 1)[1] for key in column.foreign_keys), None),
            length=getattr(column.type, "length", None),
        )
        for column in table.columns
    )
    return CdmTable(table.name, columns, table.schema == "vocabulary_schema")


@cache
def tables() -> dict[str, CdmTable]:
    """Every table of CDM 5.4 by name, in omop-cdm's order."""
    record_ids = _clinical_record_ids()
    return {table.name: _table(table, record_ids) for table in cdm54.Base.metadata.tables.values()}


@cache
def table(name: str) -> CdmTable:
    """One CDM table; raises KeyError with the known names."""
    known = tables()
    if name not in known:
        raise KeyError(f"CDM 5.4 has no table {name}; it has {', '.join(sorted(known))}")
    return known[name]


@cache
def site_tables() -> tuple[str, ...]:
    """The tables a hospital's snapshot holds: all but those that a vocabulary release fills."""
    return tuple(name for name, table in tables().items() if not table.vocabulary)
