"""The SQL that `dure check --explain` prints finds as many rows as the check counts, on DuckDB and on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pytest
from postgres_server import running_server

QUALITY = Path(__file__).resolve().parents[1] / "unit" / "quality"
sys.path.insert(0, str(QUALITY))
import clean_snapshot as clean  # noqa: E402
from test_quality_defects import CASES, database  # noqa: E402

sys.path.pop(0)

from dure.engine import EngineOptions, engine  # noqa: E402
from dure.quality.explain import finding_sql  # noqa: E402
from dure.quality.own_catalogue import catalogue  # noqa: E402

# Their defects are that a table or a field is absent or of another type.
WITHOUT_ROWS = ("cdmTable", "cdmField", "cdmDatatype", "bigintDatatype", "measurePersonCompleteness")
_TYPES = {
    pa.int64(): "bigint",
    pa.int32(): "integer",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tuple[duckdb.DuckDBPyConnection, dict[str, int]]:
    """A snapshot with the rows of every planted defect at once, as a database, and what each check counts there."""
    folder = tmp_path_factory.mktemp("wrong")
    rows = clean.clean_rows()
    for case in CASES:
        if case.type not in WITHOUT_ROWS:
            case.defect(rows)
    for table, content in rows.items():
        clean.write(table, content, folder / "cdm" / table)
    store = clean.vocabulary(folder / "vocab")
    with engine(EngineOptions(threads=2)) as running:
        snapshot = clean.Overlaid(running.session, folder / "cdm", store, clean.TODAY)
        tables = sorted({check.table for check in catalogue()})
        outcomes = {key: each for table in tables for key, each in clean._counted(snapshot, table).items()}
    counted = {key: each[0] for key, each in outcomes.items() if isinstance(each, tuple)}
    return database(snapshot), counted


@pytest.fixture(scope="module")
def queries() -> dict[str, str]:
    """The SQL of every check that has one; limits that move are those of the day of the checks."""
    day = f"DATE '{clean.TODAY}'"
    found = {check.id: finding_sql(check).replace("CURRENT_DATE", day) for check in catalogue()}
    return {check_id: sql for check_id, sql in found.items() if sql}


@pytest.mark.slow
@pytest.mark.together
def test_on_duckdb(wrong: tuple[duckdb.DuckDBPyConnection, dict[str, int]], queries: dict[str, str]) -> None:
    connection, counted = wrong
    found = {key: len(connection.execute(sql).fetchall()) for key, sql in queries.items() if key in counted}
    assert found == {key: counted[key] for key in found}
    assert len(found) > 2400
    assert sum(n > 0 for n in found.values()) > 100


@pytest.mark.postgres
@pytest.mark.together
def test_on_postgresql(wrong: tuple[duckdb.DuckDBPyConnection, dict[str, int]], queries: dict[str, str]) -> None:
    connection, counted = wrong
    with running_server() as server, server.connect() as postgres:
        for name, table in _tables(connection):
            _copy(postgres, name, table)
        found = {}
        for key, sql in queries.items():
            if key in counted:
                found[key] = len(postgres.execute(sql.encode()).fetchall())
    assert found == {key: counted[key] for key in found}
    assert sum(n > 0 for n in found.values()) > 100


def _tables(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, pa.Table]]:
    for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall():
        yield name, connection.sql(f"select * from {name}").to_arrow_table()


def _copy(postgres: psycopg.Connection[tuple[object, ...]], name: str, table: pa.Table) -> None:
    columns = ", ".join(f'"{field.name}" {_TYPES.get(field.type, "text")}' for field in table.schema)
    postgres.execute(f"create table {name} ({columns})".encode())
    with postgres.cursor().copy(f"copy {name} from stdin".encode()) as copy:
        for row in table.to_pylist():
            copy.write_row(list(row.values()))
