"""One connection of one source, in one transaction that only reads: what its SELECT gives, as text."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Self

import psycopg
import pyarrow as pa
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from dure.errors import Problem, SourceError
from dure.landing.database.copying import copied_pieces
from dure.landing.database.pieces import Piece, StoppedError
from dure.landing.database.place import Place
from dure.landing.database.trouble import told
from dure.landing.database.value_text import NoTextError, texts
from dure.site.database_text import bare_query, begins_with_with, wrong_query
from dure.site.spec import DatabaseSource

_BYTEA = 17
_FLOATS = frozenset({700, 701})


@dataclass(frozen=True)
class Column:
    """One column of the query: its `name` for the spec, as the database calls it (`own`), and whether it is a float."""

    name: str
    own: str
    floating: bool


@dataclass(frozen=True)
class Bounds:
    """How many rows there are, and the least and the greatest value of a column among them."""

    rows: int
    low: Any
    high: Any


class Session:
    """A connection in a transaction that only reads; a context that ends both. Raises ConnectionLostError."""

    def __init__(self, place: Place, source: DatabaseSource, stopped: Callable[[], bool] = lambda: False) -> None:
        self._place, self._source, self._stopped = place, source, stopped
        name = place.dialect.name
        where = place.where.removesuffix(".connection") + ".query"
        if wrong := wrong_query(source.query, name):
            raise SourceError(Problem(where, *wrong))
        if not place.dialect.with_in_brackets and begins_with_with(source.query, name):
            do = "write the parts of the WITH as subqueries, or make a view of the query"
            raise SourceError(Problem(where, f"{place.dialect.product} takes no WITH in brackets", do))
        self._query = bare_query(source.query, name)
        self._stack = ExitStack()
        self._deadline = float("inf")
        self._open: Connection | None = None

    def __enter__(self) -> Self:
        if self._stopped():
            raise StoppedError
        dialect, ms = self._place.dialect, int(self._source.timeout.span.total_seconds() * 1000)
        try:
            engine = self._place.engine()
            self._stack.callback(engine.dispose)
            with self._told(""):
                options: dict[str, Any] = {"no_parameters": True}
                if dialect.autocommit:
                    options["isolation_level"] = "AUTOCOMMIT"
                self._open = self._stack.enter_context(engine.connect()).execution_options(**options)
                self._limit(ms)
            with self._told("beginning to read"):
                for statement in dialect.begin:
                    self._connection.exec_driver_sql(statement.format(ms=ms, s=max(1, ms // 1000)))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # Not closed but dropped, which ends its transaction: to close it SQLAlchemy would speak with a connection that
        # may be broken, and log what that says, values of patients among it.
        with suppress(SQLAlchemyError, psycopg.Error, OSError):
            if self._open is not None:
                self._open.invalidate()
        with suppress(SQLAlchemyError, psycopg.Error, OSError):
            self._stack.close()

    @property
    def _connection(self) -> Connection:
        assert self._open is not None, "used outside its context"
        return self._open

    def _limit(self, ms: int) -> None:
        """The longest that a statement may take, where it is the driver that is told."""
        driver: Any = self._connection.connection.driver_connection
        if self._place.dialect.name == "sqlite":
            driver.set_progress_handler(lambda: time.monotonic() > self._deadline, 10_000)
        elif self._place.dialect.name == "oracle":
            driver.call_timeout = ms

    @property
    def server(self) -> str:
        """The product and its version."""
        if self._place.dialect.name == "postgresql":
            return f"PostgreSQL {self._row('SHOW server_version')[0].split(' ')[0]}"
        version = self._connection.dialect.server_version_info or ()
        return f"{self._place.dialect.product} {'.'.join(map(str, version))}".rstrip()

    def columns(self) -> tuple[Column, ...]:
        """The columns of the query; raises SourceError for those that have no text, no name, or one that is taken."""
        with self._told("asking for the columns"):
            result = self._connection.exec_driver_sql(f"{self._select()} WHERE 1 = 0")
            assert result.cursor is not None, "a SELECT has a cursor"
            found = [(str(each[0]), each[1]) for each in result.cursor.description]
            result.close()
        of_postgresql = self._place.dialect.name == "postgresql"
        if of_postgresql and (binary := [name for name, code in found if code == _BYTEA]):
            raise self._no_text(", ".join(binary), "bytea")
        return tuple(
            Column(unicodedata.normalize("NFC", name.strip()), name, of_postgresql and code in _FLOATS)
            for name, code in found
        )

    def count(self, condition: str = "") -> int:
        """How many rows there are."""
        return int(self._row(f"SELECT count(*) FROM ({self._query}\n) dure_q{condition}")[0])

    def bounds(self, column: Column) -> Bounds:
        own = self.quoted(column)
        asked = f"SELECT count(*), min({own}), max({own}) FROM ({self._query}\n) dure_q"
        return Bounds(*self._row(asked))

    def quoted(self, column: Column) -> str:
        """A column as it stands in this database's SQL."""
        return self._connection.dialect.identifier_preparer.quote_identifier(column.own)

    def pieces(
        self, columns: Sequence[Column], condition: str, order: Sequence[Column], null_values: Sequence[str]
    ) -> Generator[Piece, None, None]:
        """The rows that a condition leaves, in an order, some at a time."""
        ordered = f" ORDER BY {', '.join(map(self.quoted, order))}" if order else ""
        select = f"{self._select()}{condition}{ordered}"
        with self._told("reading"):
            if self._place.dialect.name == "postgresql":
                driver: Any = self._connection.connection.driver_connection
                floats = [column.name for column in columns if column.floating]
                names = [column.name for column in columns]
                try:
                    yield from copied_pieces(driver, select, names, floats, null_values, self._stopped)
                except NoTextError as error:
                    where = self._place.where.removesuffix(".connection")
                    do = "is the database in SQL_ASCII? let the query convert its text to UTF8"
                    raise SourceError(Problem(where, f"the query gives {error.kind}", do)) from None
            else:
                yield from self._fetched(columns, select)

    def _fetched(self, columns: Sequence[Column], select: str) -> Generator[Piece, None, None]:
        batch = self._source.batch
        self._start()
        options = {"stream_results": True, "max_row_buffer": batch}
        result = self._connection.execution_options(**options).exec_driver_sql(select)
        for rows in result.partitions(batch):
            values = list(zip(*rows, strict=True))
            piece: dict[str, pa.Array] = {}
            for column, of_column in zip(columns, values, strict=True):
                try:
                    piece[column.name] = texts(of_column)
                except NoTextError as error:
                    raise self._no_text(column.name, error.kind) from None
            if self._stopped():
                raise StoppedError
            yield Piece.of_texts(piece, len(rows))
            self._start()

    def _select(self) -> str:
        # The line break ends a comment at the end of the query.
        return f"SELECT * FROM ({self._query}\n) dure_q"

    def _row(self, statement: str) -> Sequence[Any]:
        with self._told("counting its rows"):
            self._start()
            return self._connection.exec_driver_sql(statement).one()

    def _start(self) -> None:
        self._deadline = time.monotonic() + self._source.timeout.span.total_seconds()

    def _told(self, doing: str) -> AbstractContextManager[None]:
        where = self._place.where if not doing else self._place.where.removesuffix(".connection")
        shown = re.sub(r"^.*@", "", self._place.shown)
        return told(self._place.dialect.name, f"{where} {shown}", doing, self._source.timeout.text)

    def _no_text(self, column: str, kind: str) -> SourceError:
        where = self._place.where.removesuffix(".connection")
        do = "leave it out of the query, or cast it to text there"
        return SourceError(Problem(where, f"the column {column} is of a type that has no text: {kind}", do))
