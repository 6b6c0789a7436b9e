"""What a person reads when PostgreSQL refuses: what it means and what to do, and none of the server's own words."""

from __future__ import annotations

import psycopg
import pytest

from dure.database_url import database
from dure.errors import ConfigurationError, IntegrityError
from dure.publish.postgres_errors import explained

DATABASE = database("postgresql://bada@db/cdm")
STAYS = "the schema cdm holds what it held"


@pytest.mark.parametrize(
    ("error", "kind", "found"),
    [
        (psycopg.errors.DiskFull, ConfigurationError, "the server's disk is full"),
        (psycopg.errors.AdminShutdown, ConfigurationError, "the server ended the connection"),
        (psycopg.errors.ConnectionFailure, ConfigurationError, "the connection was lost"),
        (psycopg.OperationalError, ConfigurationError, "the connection was lost"),
        (psycopg.errors.ReadOnlySqlTransaction, ConfigurationError, "the server is read only"),
        (psycopg.errors.InvalidPassword, ConfigurationError, "the server refuses this user or password"),
        (psycopg.errors.InsufficientPrivilege, ConfigurationError, "this user may not do that"),
        (psycopg.errors.SyntaxError, ConfigurationError, "PostgreSQL refused it with 42601"),
        (psycopg.errors.InvalidDatetimeFormat, IntegrityError, "a date that PostgreSQL cannot read"),
        (psycopg.errors.CharacterNotInRepertoire, IntegrityError, "a text is not valid UTF-8"),
    ],
)
def test_an_error_during_a_load_is_explained(
    error: type[psycopg.Error], kind: type[ConfigurationError], found: str
) -> None:
    with pytest.raises(kind) as raised, explained(DATABASE, "loading person", STAYS):
        raise error('invalid value "홍길동"')
    [problem] = raised.value.problems
    assert problem.where == "postgresql://bada@db/cdm (loading person)"
    assert problem.found == found
    assert problem.do.endswith(STAYS)
    assert "홍길동" not in str(raised.value)
    assert raised.value.__cause__ is None and raised.value.__suppress_context__


def test_what_the_client_says_before_it_is_connected_is_shown_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    with pytest.raises(ConfigurationError) as raised, explained(DATABASE, ""):
        raise psycopg.OperationalError('connection to "db" failed:\n\tbad option s3cret')
    assert raised.value.problems[0].found == 'connection to "db" failed: bad option ***'
