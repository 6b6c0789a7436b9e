"""A database of SQLite in a temporary folder, landed and read back as plain rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dure.landing import Landed
from dure.landing.database import land_database
from dure.site.spec import DatabaseSource, Defaults

Row = dict[str, Any]


class Hospital:
    """A file of SQLite, and what landed of it."""

    def __init__(self, root: Path) -> None:
        self.file = root / "병원.sqlite"
        self.out = root / "landing"
        self.waited: list[float] = []

    def run(self, script: str) -> None:
        with sqlite3.connect(self.file) as database:
            database.executescript(script)
        database.close()

    def fill(self, table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        with sqlite3.connect(self.file) as database:
            database.execute(f"CREATE TABLE {table} ({columns})")
            if rows:
                database.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
        database.close()

    def source(self, query: str, **spec: Any) -> DatabaseSource:
        given = {"connection": f"sqlite:///{self.file}", "query": query} | spec
        return DatabaseSource.model_validate(given)

    def land(
        self,
        query: str,
        *,
        options: dict[str, Any] | None = None,
        wait: Callable[[float], None] | None = None,
        **spec: Any,
    ) -> Landed:
        source = self.source(query, **spec)
        given: dict[str, Any] = {"wait": wait or self.waited.append} | (options or {})
        return land_database("dx", source, defaults=Defaults(), out=self.out, **given)

    def table(self) -> pa.Table:
        return pa.concat_tables(pq.read_table(part) for part in sorted((self.out / "dx").glob("part-*.parquet")))

    def rows(self) -> list[Row]:
        return self.table().to_pylist()

    def cells(self) -> list[tuple[str | None, ...]]:
        """The source's own columns of each row."""
        return [tuple(v for k, v in row.items() if not k.startswith("_")) for row in self.rows()]
