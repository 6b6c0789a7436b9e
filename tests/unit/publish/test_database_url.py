"""How a database is named: no password on the command line, and none in any message."""

from __future__ import annotations

from pathlib import Path

import pytest

from dure.database_url import database
from dure.errors import ConfigurationError
from dure.publish.target import target_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://bada@db.example:5433/cdm", "postgresql://bada@db.example:5433/cdm"),
        ("postgres://db/cdm?sslmode=verify-full", "postgresql://db/cdm"),
        ("postgresql:///cdm?host=/var/run/postgresql", "postgresql:///cdm"),
        ("postgresql://[::1]:5432/cdm", "postgresql://::1:5432/cdm"),
        ("postgresql://one:5432,two:5433/cdm", "postgresql://one,two:5432,5433/cdm"),
    ],
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str, shown: str) -> None:
    assert database(url).shown == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bada:s3cret@db/cdm",
        "postgresql://bada@db/cdm?password=s3cret",
        "postgresql://bada@db/cdm?sslpassword=s3cret",
        "postgresql://bada:s3cret@@db/cdm",
        "postgresql://bada:s3cret/x@db/cdm",
        "postgresql://bada:s3cret?x@db/cdm",
        "postgresql://bada:s3cret#x@db/cdm",
        "postgresql://bada:s3cret%@db/cdm",
        "postgresql://bada@db:s3cret/cdm",
        "postgresql://bada@db/cdm?unknown=s3cret",
        "mysql://bada:s3cret@db/cdm",
        "host=db password=s3cret",
    ],
)
def test_what_may_hold_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        database(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("url", ["postgresql://bada:s3@cret@db/cdm", "postgresql://bada:s3cret/x@db/cdm"])
def test_a_password_that_is_not_encoded_is_refused_wherever_it_stands(url: str) -> None:
    with pytest.raises(ConfigurationError, match="env:BADA_DB: is not the URL") as refused:
        database("env:BADA_DB", {"BADA_DB": url})
    assert "cret" not in str(refused.value)


def test_a_url_from_the_environment_keeps_its_password_to_itself() -> None:
    found = database("env:BADA_DB", {"BADA_DB": "postgresql://bada:s3cret%2F%EB%B9%84@db/cdm"})
    assert found.parameters["password"] == "s3cret/비"
    assert found.shown == "postgresql://bada@db/cdm"
    assert "s3cret" not in repr(found)
    assert found.scrubbed("a s3cret/비 b s3cret%2F%EB%B9%84 c") == "a *** b *** c"


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigurationError, match="the environment variable BADA_DB is not set"):
        database("env:BADA_DB", {})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "바다.url"
    file.write_text("postgresql://bada:s3cret@db/cdm", "utf-8")
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"has mode {mode:04o}.*\n.*chmod 600"):
        database(f"file:{file}")
    file.chmod(0o600)
    assert database(f"file:{file}").parameters["password"] == "s3cret"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("absent", "."):
        with pytest.raises(ConfigurationError):
            database(f"file:{tmp_path / name}")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://bada:s3cret@db/cdm/omop",
        "postgresql://bada:s3/cret@db/cdm/omop",
        "postgresql://bada:s3#cret@db/cdm/omop",
        "postgresql://bada:s3cret[@db/cdm/omop",
        "postgresql://bada@db/cdm/omop?password=s3cret",
    ],
)
def test_a_target_with_a_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        target_of(text)
    assert "cret" not in str(refused.value)


def test_a_target_names_database_and_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = target_of("postgresql://bada@db:5433/cdm/omop?sslmode=require")
    assert (found.kind, found.schema, found.shown) == ("postgresql", "omop", "postgresql://bada@db:5433/cdm/omop")
    assert found.database is not None
    assert found.database.parameters["sslmode"] == "require"
    socket = target_of("postgresql:///cdm/omop?host=/run/postgresql").database
    assert socket is not None
    assert (socket.parameters["host"], socket.parameters["dbname"]) == ("/run/postgresql", "cdm")
    secret = "postgresql://bada:s3cret@db/cdm/omop"
    monkeypatch.setenv("BADA_DB", secret)
    (tmp_path / "url").write_text(secret, "utf-8")
    (tmp_path / "url").chmod(0o600)
    for text in ("env:BADA_DB", f"file:{tmp_path / 'url'}"):
        found = target_of(text)
        assert (found.schema, found.shown) == ("omop", text)
        assert found.database is not None
        assert found.database.parameters["password"] == "s3cret"
        assert "s3cret" not in repr(found)
