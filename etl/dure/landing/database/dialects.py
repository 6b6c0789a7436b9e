"""What Dure knows of each kind of database: its driver, how a reading begins, and how a day is written in its SQL.

PostgreSQL and SQLite are tried by the tests against real databases; the statements of the others are from their manuals
and were not tried on a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dure.site.database_text import SQL_OF

CONNECT_SECONDS = 15
LOCK_SECONDS = 60
APPLICATION = "dure"


@dataclass(frozen=True)
class Dialect:
    """One kind of database.

    `begin` are the statements with which a reading begins, `{ms}` and `{s}` in them the longest that a statement may take.
    `snapshot` says whether everything after them sees the database as of one moment. `day` and `moment` are how a date and
    a timestamp are written.
    """

    name: str
    product: str
    driver: str
    module: str
    begin: tuple[str, ...]
    extra: str | None = None
    autocommit: bool = True
    snapshot: bool = True
    with_in_brackets: bool = True
    connect: Mapping[str, object] = field(default_factory=dict)
    day: str = "DATE '{}'"
    moment: str = "TIMESTAMP '{}'"


_ALL = (
    Dialect(
        name="postgresql",
        product="PostgreSQL",
        driver="postgresql+psycopg",
        module="psycopg",
        # All of it within the transaction, so that it also holds behind a pooler that shares connections.
        begin=(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "SET LOCAL statement_timeout = {ms}",
            f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'",
            "SET LOCAL idle_in_transaction_session_timeout = 0",
            "SET LOCAL DateStyle = 'ISO, YMD'",
            "SET LOCAL IntervalStyle = 'postgres'",
            "SET LOCAL TimeZone = 'UTC'",
            "SET LOCAL extra_float_digits = 1",
            "SET LOCAL standard_conforming_strings = on",
            "SET LOCAL client_encoding = 'UTF8'",
        ),
        connect={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": APPLICATION,
            "client_encoding": "UTF8",
            # A peer that is gone without a word is noticed within two minutes.
            "keepalives": 1,
            "keepalives_idle": 60,
            "keepalives_interval": 15,
            "keepalives_count": 4,
        },
    ),
    Dialect(
        name="sqlite",
        product="SQLite",
        driver="sqlite",
        module="sqlite3",
        begin=("PRAGMA query_only = ON", "BEGIN"),
        connect={"timeout": LOCK_SECONDS, "check_same_thread": False},
        day="'{}'",
        moment="'{}'",
    ),
    Dialect(
        name="mysql",
        product="MySQL",
        driver="mysql+pymysql",
        module="pymysql",
        extra="mysql",
        begin=(
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET SESSION max_execution_time = {ms}",
            f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
            "SET SESSION time_zone = '+00:00'",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ),
        connect={"connect_timeout": CONNECT_SECONDS, "program_name": APPLICATION, "charset": "utf8mb4"},
    ),
    Dialect(
        name="mariadb",
        product="MariaDB",
        driver="mariadb+pymysql",
        module="pymysql",
        extra="mysql",
        begin=(
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET SESSION max_statement_time = {s}",
            f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
            "SET SESSION time_zone = '+00:00'",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ),
        connect={"connect_timeout": CONNECT_SECONDS, "program_name": APPLICATION, "charset": "utf8mb4"},
    ),
    Dialect(
        name="oracle",
        product="Oracle",
        driver="oracle+oracledb",
        module="oracledb",
        extra="oracle",
        # Must be the first of its transaction; there is no statement timeout, so the driver's time for a call is set.
        begin=("SET TRANSACTION READ ONLY",),
        autocommit=False,
        connect={"tcp_connect_timeout": CONNECT_SECONDS, "program": APPLICATION},
    ),
    Dialect(
        name="mssql",
        product="SQL Server",
        driver="mssql+pymssql",
        module="pymssql",
        extra="mssql",
        # It has no read-only transaction, and a snapshot only where the database was set up for one.
        begin=(f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        autocommit=False,
        snapshot=False,
        with_in_brackets=False,
        connect={"login_timeout": CONNECT_SECONDS, "appname": APPLICATION, "charset": "UTF-8", "read_only": True},
        day="CAST('{}' AS date)",
        moment="CAST('{}' AS datetime2)",
    ),
)
DIALECTS = {dialect.name: dialect for dialect in _ALL}
assert set(DIALECTS) == set(SQL_OF)
