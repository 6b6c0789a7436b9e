"""A snapshot into a PostgreSQL schema that ATLAS and the HADES packages read: loaded beside it, then swapped in.

    connect, one load at a time a schema -> the same content there already? done
    a staging schema -> each table created and copied -> primary keys, statistics, indices, foreign keys -> swap

Whatever stops a load, the schema that is read holds what it held. What a dead load left is removed by the next.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from dure.database_url import Database, database
from dure.errors import ConfigurationError, Problem, SiteLockedError
from dure.progress import Progress
from dure.publish.copying import Row, copy_table
from dure.publish.cutting import Cutter
from dure.publish.ddl import OmopSchema
from dure.publish.delivery import DELIVERY_TABLE, Content, Loaded, content, recorded
from dure.publish.keys import MissingConcepts, add_foreign_keys, add_indices, add_primary_keys
from dure.publish.postgres_errors import explained
from dure.publish.swap import Swap
from dure.publish.table_files import TableFiles, check_unchanged, files_to_load, site_files
from dure.vocab.store import VocabularyStore

MINIMUM_SERVER = 12
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_JSON = ("options", "loaded")
_SETTINGS = {
    "search_path": "pg_catalog",
    "datestyle": "ISO, YMD",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "maintenance_work_mem": "256MB",
}


def load_postgres(
    where: Database | str,
    schema: str,
    folders: Mapping[str, Path],
    store: VocabularyStore | None,
    *,
    strict_ddl: bool = False,
    missing_concepts: MissingConcepts = "refuse",
    progress: Progress,
) -> Loaded:
    """What the schema holds when all of the tables in `folders` (name -> Parquet) and of the vocabulary are in it.

    `where` may be what `database_url.database` takes. Tables of the CDM that `folders` lacks are made empty; without a `store`
    there are no vocabulary tables and no foreign keys into them. Every text column is TEXT, or with `strict_ddl` a
    VARCHAR of the CDM's length, longer texts being cut and counted. Rows that name a concept which the store lacks are
    refused, or accepted with a warning and a foreign key that is not validated.

    Raises ConfigurationError (the database, its rights, its vocabulary), SiteLockedError (another load into the schema)
    and IntegrityError (rows that break a key); the schema then holds what it held.
    """
    where = database(where) if isinstance(where, str) else where
    _check_schema_name(schema)
    site = site_files(folders)
    files = files_to_load(site, store)
    before = {name: table.fingerprint() for name, table in site.items()}
    wanted = content(site, store, {"strict_ddl": str(strict_ddl), "missing_concepts": missing_concepts})
    progress.stage(f"PostgreSQL {where.shown}, schema {schema}")
    with _session(where) as connection, _only_load(connection, where, schema):
        load = _Load(where, connection, schema, strict_ddl, missing_concepts, progress)
        loaded = load.there(wanted, files)
        if loaded is None:
            with load.begun():
                rows = load.rows(files)
                unchecked = load.keys(rows)
                check_unchanged(site, before)
                loaded = Loaded(wanted.digest, rows, load.truncated, unchecked)
                load.swap(wanted, loaded)
            load.drop_before()
    for name, count in loaded.truncated.items():
        progress.warn(Problem(name, f"{count} texts were cut to the CDM's length", "publish without --strict-ddl"))
    progress.done()
    return loaded


class _Load:
    """One load into one schema, over one connection; its methods in the order in which they are called."""

    def __init__(
        self,
        where: Database,
        connection: psycopg.Connection[Row],
        schema: str,
        strict: bool,
        missing_concepts: MissingConcepts,
        progress: Progress,
    ) -> None:
        self._where = where
        self._before: str | None = None
        self._connection = connection
        self._swap = Swap(connection, schema)
        self._schema, self._staging = schema, self._swap.names.staging
        self._omop = OmopSchema(self._staging, strict=strict)
        self._cutter = Cutter() if strict else None
        self._missing = missing_concepts
        self._progress = progress
        self._explained = partial(explained, where, consequence=f"the schema {schema} holds what it held")

    @property
    def truncated(self) -> dict[str, int]:
        return dict(sorted(self._cutter.counts.items())) if self._cutter else {}

    def there(self, wanted: Content, files: Mapping[str, TableFiles]) -> Loaded | None:
        """What the schema holds, when that is `wanted` already; ConfigurationError when it may not be replaced."""
        with self._explained("looking at what is there"):
            self._swap.check_served()
            if not {*files, DELIVERY_TABLE} <= self._swap.holds():
                return None
            query = sql.SQL("SELECT loaded::text FROM {} WHERE identity = %s")
            table = sql.Identifier(self._schema, DELIVERY_TABLE)
            row = self._connection.execute(query.format(table), [wanted.identity]).fetchone()
        if row is None:
            return None
        self._progress.note(f"schema {self._schema} holds this content already")
        return recorded(str(row[0]))

    @contextmanager
    def begun(self) -> Iterator[None]:
        """An empty schema to load into, which goes when the load fails, such as to give a full disk back."""
        with self._explained("removing what earlier loads left"):
            for schema in self._swap.remove_leftovers():
                self._say_still_read(schema)
            self._swap.make_staging()
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):  # the connection may be what failed; then the next load removes it
                self._swap.drop(self._staging)
            raise

    def rows(self, files: Mapping[str, TableFiles]) -> dict[str, int]:
        """The rows of each table, when all of them are copied."""
        return {name: self._copied(name, table) for name, table in files.items()}

    def _copied(self, name: str, files: TableFiles) -> int:
        started = time.monotonic()
        cutter = self._cutter
        change = (lambda block: cutter.cut(files.table, block)) if cutter else None
        with self._explained(f"loading {name}"), self._connection.transaction():
            self._connection.execute(self._omop.create_table(name).encode())
            copied = copy_table(self._connection, self._staging, files, change) if files.rows else 0
        self._progress.table(name, copied, time.monotonic() - started)
        return copied

    def keys(self, rows: Mapping[str, int]) -> dict[str, int]:
        """Rows that name a concept which the vocabulary lacks, by column, when all keys and indices are made."""
        with self._explained("primary keys"):
            add_primary_keys(self._connection, self._staging, self._omop, rows)
        with self._explained("statistics"):
            for name in rows:
                self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(self._staging, name)))
        with self._explained("indices"):
            add_indices(self._connection, self._omop, rows)
        with self._explained("foreign keys"):
            return add_foreign_keys(self._connection, self._staging, self._omop, rows, self._missing, self._progress)

    def swap(self, wanted: Content, loaded: Loaded) -> None:
        """The staged schema takes the place of the one that is read."""
        described = {**wanted.described(), "loaded": loaded.as_json()}
        table = sql.Identifier(self._staging, DELIVERY_TABLE)
        columns = [
            sql.SQL("{} {} NOT NULL").format(sql.Identifier(name), sql.SQL("jsonb" if name in _JSON else "text"))
            for name in described
        ]
        with self._explained("the swap"):
            with self._connection.transaction():
                self._connection.execute(
                    sql.SQL("CREATE TABLE {} ({}, loaded_at timestamptz NOT NULL DEFAULT now())").format(
                        table, sql.SQL(", ").join(columns)
                    )
                )
                names = sql.SQL(", ").join(map(sql.Identifier, described))
                values = sql.SQL(", ").join(map(sql.Literal, described.values()))
                self._connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, names, values))
            self._before = self._swap.commit(f"snapshot {wanted.digest}")

    def drop_before(self) -> None:
        """The rows that were read until the swap go as soon as nobody reads them: now, or at the next load."""
        if self._before is not None:
            with explained(self._where, "removing the rows before", f"the schema {self._schema} holds the new rows"):
                if not self._swap.drop(self._before):
                    self._say_still_read(self._before)

    def _say_still_read(self, schema: str) -> None:
        self._progress.note(f"schema {schema}, replaced, is still being read; the next load removes it")


def _check_schema_name(schema: str) -> None:
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_") or schema == "information_schema":
        raise ConfigurationError(
            Problem(
                "schema",
                f"{schema!r} is no name for it",
                "use up to 40 of a-z, 0-9 and _, not beginning with a digit or pg_: tools for OMOP write it unquoted",
            )
        )


@contextmanager
def _session(where: Database) -> Iterator[psycopg.Connection[Row]]:
    """A connection to a server that can take a CDM."""
    with explained(where, ""):
        connection = where.connect()
    with closing(connection):
        with explained(where, "preparing the session"):
            for name, value in _SETTINGS.items():
                setting = sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
                connection.execute(setting)
            if connection.info.server_version >= 14_00_00:
                # A server whose client died in the middle of a long statement notices it.
                with suppress(psycopg.errors.InvalidParameterValue):  # not on every system
                    connection.execute("SET client_connection_check_interval = '10s'")
            encoding = connection.info.parameter_status("server_encoding")
        found = ""
        if connection.info.server_version < MINIMUM_SERVER * 1_00_00:
            found = f"PostgreSQL {connection.info.server_version // 1_00_00}"
        elif encoding != "UTF8":
            found = f"a database with encoding {encoding}"
        if found:
            do = f"use PostgreSQL {MINIMUM_SERVER} or later and a database with encoding UTF8"
            raise ConfigurationError(Problem(where.shown, found, do))
        yield connection


@contextmanager
def _only_load(connection: psycopg.Connection[Row], where: Database, schema: str) -> Iterator[None]:
    """Holds the schema for this load: a lock that the server gives back when the connection ends, however it ends."""
    with explained(where, "taking the schema"):
        query = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        row = connection.execute(query, [f"dure publish {schema}"]).fetchone()
    if not row or not row[0]:
        found = f"another load into schema {schema} is under way"
        raise SiteLockedError(Problem(where.shown, found, "wait until it ends; the lock goes with its connection"))
    yield
