"""The statements that make an OMOP schema in PostgreSQL, from omop-cdm's tables as `dure.cdm.schema` types them.

Keys are those of OHDSI's DDL for CDM 5.4, under OHDSI's names (`xpk_…`, `fpk_…`): omop-cdm declares some more because
an object mapper wants a key on every table, and a few foreign keys that OHDSI leaves out. Indices are omop-cdm's, but
for those that repeat a primary key. `cohort` and `cohort_definition` belong to the results schema, not here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from omop_cdm.regular import cdm54
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, ExecutableDDLElement
from sqlalchemy.types import TypeEngine

from dure.cdm import schema as cdm

_TYPES: dict[str, TypeEngine[Any]] = {
    "int": Integer(),
    "bigint": BigInteger(),
    "double": Numeric(),
    "date": Date(),
    "timestamp_ntz": DateTime(),
    "string": Text(),
}
# Foreign keys of omop-cdm that OHDSI's DDL does not have; a site's own source vocabularies are in no release.
_NOT_OHDSI = frozenset(
    {
        ("source_to_concept_map", "source_vocabulary_id"),
        ("cost", "payer_plan_period_id"),
        ("relationship", "reverse_relationship_id"),
    }
)


@dataclass(frozen=True)
class ForeignKey:
    """One column that names a row of another table, and the statement that makes PostgreSQL hold it."""

    table: str
    column: str
    parent: str
    parent_column: str
    add: str

    @property
    def to_vocabulary(self) -> bool:
        return cdm.table(self.parent).vocabulary

    @property
    def within_vocabulary(self) -> bool:
        return cdm.table(self.table).vocabulary and self.to_vocabulary


def key_of(table: cdm.CdmTable) -> str | None:
    """The primary key that OHDSI's DDL declares: a table's own id, else None."""
    own = f"{table.name}_id"
    return own if own in table.names and table[own].primary_key else None


def is_key(table: cdm.CdmTable, column: cdm.Column) -> bool:
    """Whether a value of the column identifies a row, here or in another table."""
    return column.name == key_of(table) or _refers(table, column)


class OmopSchema:
    """The CDM's tables under one schema name; `strict` gives texts the CDM's VARCHAR lengths, which else are TEXT."""

    def __init__(self, schema: str, *, strict: bool) -> None:
        metadata = MetaData(schema=schema)
        self._tables = {
            table.name: Table(table.name, metadata, *(_column(column, strict) for column in table.columns))
            for table in cdm.tables().values()
        }

    def create_table(self, name: str) -> str:
        """The table with types and NOT NULL only: keys and indices are quicker to make when the rows are there."""
        return _sql(CreateTable(self._tables[name]))

    def primary_key(self, name: str) -> str | None:
        key = key_of(cdm.table(name))
        if key is None:
            return None
        table = self._tables[name]
        return _sql(AddConstraint(PrimaryKeyConstraint(table.c[key], name=f"xpk_{name}")))

    def indices(self, name: str) -> list[str]:
        table, key = self._tables[name], key_of(cdm.table(name))
        return [
            _sql(CreateIndex(Index(index, *(table.c[column] for column in columns))))
            for index, columns in _indices()[name]
            if columns != (key,)
        ]

    def foreign_keys(self, name: str, present: Collection[str]) -> list[ForeignKey]:
        """The keys of one table into those tables that are `present`."""
        found = []
        table = cdm.table(name)
        for column in table.columns:
            if not _refers(table, column):
                continue
            parent, parent_column = (column.references or "").split(".")
            if parent in present:
                constraint = ForeignKeyConstraint(
                    [self._tables[name].c[column.name]],
                    [self._tables[parent].c[parent_column]],
                    name=f"fpk_{name}_{column.name}",
                )
                add = _sql(AddConstraint(constraint))
                found.append(ForeignKey(name, column.name, parent, parent_column, add))
        return found


def _refers(table: cdm.CdmTable, column: cdm.Column) -> bool:
    return column.references is not None and (table.name, column.name) not in _NOT_OHDSI


def _column(column: cdm.Column, strict: bool) -> Column[Any]:
    kind = _TYPES[column.spark.simpleString()]
    if strict and column.length and isinstance(kind, Text):
        kind = String(column.length)
    return Column(column.name, kind, nullable=not column.required, autoincrement=False)


@cache
def _indices() -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """Table -> (name, columns) of each index that omop-cdm declares, in the order of the names."""
    return {
        table.name: sorted((str(index.name), tuple(column.name for column in index.columns)) for index in table.indexes)
        for table in cdm54.Base.metadata.tables.values()
    }


def _sql(statement: ExecutableDDLElement) -> str:
    return str(statement.compile(dialect=make_url("postgresql+psycopg://").get_dialect()())).strip()
