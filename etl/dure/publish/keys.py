"""Keys and indices over rows that are already there, and what to say when a row breaks one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from dure.cdm.schema import table
from dure.errors import ConfigurationError, IntegrityError, Problem
from dure.progress import Progress
from dure.publish.copying import Row
from dure.publish.ddl import ForeignKey, OmopSchema, key_of

MissingConcepts = Literal["refuse", "accept"]
_SAMPLE = 5


@dataclass(frozen=True)
class Orphans:
    """Rows whose `key` names nothing; `sample` are a few of the concept ids named, empty for other keys."""

    key: ForeignKey
    rows: int
    sample: tuple[str, ...]

    @property
    def problem(self) -> Problem:
        where = f"{self.key.table}.{self.key.column}"
        if self.key.to_vocabulary:
            ids = f" ({', '.join(self.sample)}{', …' if len(self.sample) == _SAMPLE else ''})" if self.sample else ""
            found = f"{self.rows} rows name a {self.key.parent} that the vocabulary lacks{ids}"
            return Problem(where, found, "load a vocabulary that has it, or write --accept-missing-concepts")
        found = f"{self.rows} rows name a row of {self.key.parent} that is not there"
        return Problem(where, found, "build the snapshot again; its quality checks name the rows")


def add_primary_keys(
    connection: psycopg.Connection[Row], schema: str, omop: OmopSchema, rows: Mapping[str, int]
) -> None:
    """The keys of all tables; IntegrityError with every table that has two rows of one id."""
    problems = []
    for name in rows:
        statement = omop.primary_key(name)
        if statement is None:
            continue
        try:
            with connection.transaction():
                connection.execute(statement.encode())
        except psycopg.errors.UniqueViolation:
            repeated = _repeated(connection, schema, name)
            problems.append(
                Problem(
                    f"{name}.{key_of(table(name))}",
                    f"{repeated} ids are there twice or more",
                    "build the snapshot again",
                )
            )
    if problems:
        raise IntegrityError(problems)


def add_indices(connection: psycopg.Connection[Row], omop: OmopSchema, names: Iterable[str]) -> None:
    for name in names:
        for statement in omop.indices(name):
            connection.execute(statement.encode())


def add_foreign_keys(
    connection: psycopg.Connection[Row],
    schema: str,
    omop: OmopSchema,
    names: Iterable[str],
    missing: MissingConcepts,
    progress: Progress,
) -> dict[str, int]:
    """Rows that name a concept which the vocabulary lacks, by `table.column`: their keys hold for new rows only.

    Such a key of the vocabulary itself is the vocabulary's own fault, so it is reported and no more. IntegrityError for
    rows that name a missing row of the site's own tables, ConfigurationError for missing concepts unless they are to be
    accepted: all of them at once.
    """
    names = tuple(names)
    broken = []
    for name in names:
        for key in omop.foreign_keys(name, names):
            try:
                with connection.transaction():
                    connection.execute(key.add.encode())
            except psycopg.errors.ForeignKeyViolation:
                broken.append(_orphans(connection, schema, key))
    wrong = [each for each in broken if not each.key.to_vocabulary]
    if wrong:
        raise IntegrityError([each.problem for each in wrong])
    unknown = [each for each in broken if not each.key.within_vocabulary]
    if unknown and missing == "refuse":
        raise ConfigurationError([each.problem for each in unknown])
    for each in broken:
        connection.execute(f"{each.key.add} NOT VALID".encode())
        progress.warn(Problem(each.problem.where, each.problem.found, "the foreign key holds for new rows only"))
    return {f"{each.key.table}.{each.key.column}": each.rows for each in broken}


def _repeated(connection: psycopg.Connection[Row], schema: str, name: str) -> int:
    key = sql.Identifier(str(key_of(table(name))))
    query = sql.SQL("SELECT count(*) FROM (SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1) AS repeated")
    return _count(connection, query.format(key=key, table=sql.Identifier(schema, name)))


def _orphans(connection: psycopg.Connection[Row], schema: str, key: ForeignKey) -> Orphans:
    parts = {
        "child": sql.Identifier(schema, key.table),
        "parent": sql.Identifier(schema, key.parent),
        "column": sql.Identifier(key.column),
        "id": sql.Identifier(key.parent_column),
    }
    rest = sql.SQL(
        "FROM {child} AS c WHERE c.{column} IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM {parent} AS p WHERE p.{id} = c.{column})"
    ).format(**parts)
    rows = _count(connection, sql.SQL("SELECT count(*) ") + rest)
    sample: tuple[str, ...] = ()
    if key.parent == "concept":
        ids = (
            sql.SQL("SELECT DISTINCT c.{column} ").format(**parts)
            + rest
            + sql.SQL(" ORDER BY 1 LIMIT {}").format(_SAMPLE)
        )
        sample = tuple(str(row[0]) for row in connection.execute(ids))
    return Orphans(key, rows, sample)


def _count(connection: psycopg.Connection[Row], query: sql.Composed) -> int:
    row = connection.execute(query).fetchone()
    return int(str(row[0])) if row else 0
