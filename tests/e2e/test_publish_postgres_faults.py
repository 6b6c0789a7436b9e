"""Loads into PostgreSQL that die, lose the server, meet others or are given secrets: what is served stays whole."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from postgres_server import PASSWORD, Server, running_server
from publish_and_die import POINTS
from small_cdm import folders, usual

from dure.errors import ConfigurationError, DureError, SiteLockedError
from dure.progress import SilentProgress
from dure.publish.delivery import Loaded
from dure.publish.postgres import load_postgres

pytestmark = [pytest.mark.postgres, pytest.mark.together]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def url(server: Server) -> str:
    with server.connect() as connection:
        number = sum(1 for _ in connection.execute("SELECT FROM pg_database"))
    return server.new_database(f"test_{number}")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folders(tmp_path_factory.mktemp("old") / "cdm", usual(3))


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folders(tmp_path_factory.mktemp("new") / "cdm", usual(5))


def load(url: str, tables_of: Mapping[str, Path], **options: Any) -> Loaded:
    return load_postgres(url, "cdm", tables_of, None, **{"progress": SilentProgress(), **options})


def persons(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM cdm.person").fetchone()
        assert row is not None
        return int(row[0])


def schemas(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cdm%' ORDER BY 1")
        return [str(name) for (name,) in found]


def run_sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


class AtTable(SilentProgress):
    """Does something once, when a table is loaded."""

    def __init__(self, name: str, act: Any) -> None:
        super().__init__()
        self.name, self.act, self.notes = name, act, list[str]()

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        if name == self.name:
            self.act()

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize("point", POINTS)
def test_after_a_killed_load_the_old_rows_are_served_and_the_next_load_is_whole(
    url: str, old: dict[str, Path], new: dict[str, Path], point: str
) -> None:
    load(url, old)
    script = Path(__file__).with_name("publish_and_die.py")
    dead = subprocess.run([sys.executable, str(script), url, str(new["person"].parent), point], capture_output=True)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    served = persons(url)
    assert served == (5 if point == "dropped" else 3)
    assert schemas(url) == ["cdm", "cdm__before_1" if point == "dropped" else "cdm__loading"]
    loaded = load(url, new)
    assert (loaded.rows["person"], loaded.changed) == (5, point != "dropped")
    assert persons(url) == 5
    third = load(url, old)
    assert (third.changed, persons(url), schemas(url)) == (True, 3, ["cdm"])


def test_a_server_that_goes_away_is_said_and_the_old_rows_stay(
    server: Server, url: str, old: dict[str, Path], new: dict[str, Path]
) -> None:
    load(url, old)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dure publish'"
    with pytest.raises(ConfigurationError) as lost:
        load(url, new, progress=AtTable("measurement", lambda: run_sql(server.url(), kill)))
    [problem] = lost.value.problems
    assert problem.found in ("the connection was lost", "the server ended the connection")
    assert problem.do.endswith("the schema cdm holds what it held")
    assert (persons(url), schemas(url)) == (3, ["cdm", "cdm__loading"])
    assert load(url, new).changed
    assert schemas(url) == ["cdm"]


def test_a_load_that_fails_gives_its_disk_back(url: str, old: dict[str, Path], new: dict[str, Path]) -> None:
    load(url, old)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(url, new, progress=AtTable("measurement", interrupt))
    assert (persons(url), schemas(url)) == (3, ["cdm"])


def test_nobody_listening_is_said(old: dict[str, Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConfigurationError) as refused:
        load(f"postgresql://bada@127.0.0.1:{port}/cdm", old)
    [problem] = refused.value.problems
    assert problem.where == f"postgresql://bada@127.0.0.1:{port}/cdm"
    assert "refused" in problem.found


def test_two_loads_into_one_schema_do_not_mix(url: str, old: dict[str, Path], new: dict[str, Path]) -> None:
    seen: list[DureError] = []

    def second() -> None:
        with pytest.raises(SiteLockedError) as locked:
            load(url, old)
        seen.append(locked.value)

    load(url, new, progress=AtTable("person", second))
    assert "another load into schema cdm is under way" in str(seen[0])
    assert persons(url) == 5


def test_readers_read_on_while_the_rows_are_swapped(url: str, old: dict[str, Path], new: dict[str, Path]) -> None:
    load(url, old)
    with psycopg.connect(url) as reader:
        cursor = reader.cursor("slow")  # a transaction that stays open in the middle of its rows
        cursor.execute("SELECT person_id FROM cdm.person ORDER BY person_id")
        assert cursor.fetchone() == (1,)
        progress = AtTable("", None)
        loaded = load(url, new, progress=progress)
        assert loaded.changed
        assert persons(url) == 5
        assert cursor.fetchall() == [(2,), (3,)]
        assert schemas(url) == ["cdm", "cdm__before_1"]
        assert progress.notes == ["schema cdm__before_1, replaced, is still being read; the next load removes it"]
    assert load(url, old).changed
    assert schemas(url) == ["cdm"]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE TABLE cdm.cohort (id int)", "holds cohort, which a replacement would remove"),
        ("CREATE FUNCTION cdm.나이() RETURNS int LANGUAGE sql AS 'SELECT 1'", "holds 나이(), which"),
        ("CREATE SCHEMA results; CREATE VIEW results.\"환자\" AS SELECT * FROM cdm.person", 'results."환자" reads its tables'),
        ("CREATE TABLE public.mine (id bigint REFERENCES cdm.person)", "public.mine reads its tables"),
    ],
)  # fmt: skip
def test_what_others_made_is_never_dropped(
    url: str, old: dict[str, Path], new: dict[str, Path], statement: str, found: str
) -> None:
    load(url, old)
    run_sql(url, statement)
    with pytest.raises(ConfigurationError) as refused:
        load(url, new)
    assert found in str(refused.value)
    assert (persons(url), schemas(url)) == (3, ["cdm"])


def test_a_view_made_during_the_load_stops_the_swap(url: str, old: dict[str, Path], new: dict[str, Path]) -> None:
    load(url, old)
    view = "CREATE VIEW public.late AS SELECT * FROM cdm.person"
    with pytest.raises(ConfigurationError, match=r"public\.late reads its tables"):
        load(url, new, progress=AtTable("metadata", lambda: run_sql(url, view)))
    assert (persons(url), schemas(url)) == (3, ["cdm"])


def test_a_schema_that_somebody_else_filled_is_left_alone(url: str, old: dict[str, Path]) -> None:
    run_sql(url, "CREATE SCHEMA cdm", "CREATE TABLE cdm.person (person_id int)", "INSERT INTO cdm.person VALUES (7)")
    with pytest.raises(ConfigurationError, match="holds tables that Dure did not load"):
        load(url, old)
    run_sql(url, "DROP TABLE cdm.person")
    assert load(url, old).changed  # an empty schema, made ready by an administrator, is taken
    run_sql(url, "CREATE SCHEMA other__loading", "CREATE TABLE other__loading.mine (id int)")
    with pytest.raises(ConfigurationError, match="other__loading"):
        load_postgres(url, "other", old, None, progress=SilentProgress())


def test_a_user_without_the_right_is_told_so(server: Server, url: str, old: dict[str, Path]) -> None:
    load(url, old)
    run_sql(url, "CREATE ROLE visitor LOGIN")
    as_visitor = url.replace("postgres@", "visitor@")
    with pytest.raises(ConfigurationError, match="schema cdm: belongs to postgres"):
        load(as_visitor, old)
    with pytest.raises(ConfigurationError, match="this user may not do that"):
        load_postgres(as_visitor, "mine", old, None, progress=SilentProgress())


def test_a_database_that_cannot_hold_korean_is_refused(server: Server, old: dict[str, Path]) -> None:
    latin = server.new_database("latin", "SQL_ASCII")
    with pytest.raises(ConfigurationError, match="a database with encoding SQL_ASCII"):
        load(latin, old)


@pytest.fixture
def guarded(server: Server, url: str) -> str:
    """A URL on the port, where a role must give `PASSWORD`; without the password."""
    name = url.split("/")[3].partition("?")[0]
    run_sql(
        url,
        f"CREATE ROLE {name}_loader LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT CREATE ON DATABASE {name} TO {name}_loader",
    )
    return f"postgresql://{name}_loader@127.0.0.1:{server.port}/{name}"


def with_password(url: str, password: str) -> str:
    return url.replace("@", f":{quote(password, safe='')}@", 1)


def test_a_password_comes_from_the_environment_or_a_private_file(
    guarded: str, old: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BADA_DB", with_password(guarded, PASSWORD))
    assert load("env:BADA_DB", old).changed
    private = tmp_path / "비밀.url"
    private.write_text(with_password(guarded, PASSWORD) + "\n", "utf-8")
    private.chmod(0o600)
    assert not load(f"file:{private}", old).changed
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert not load(guarded, old).changed


@pytest.mark.parametrize("way", ["env", "file", "PGPASSWORD"])
def test_a_password_is_shown_nowhere(
    server: Server,
    guarded: str,
    old: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = PASSWORD + "아님"
    target = {"env": "env:BADA_DB", "file": f"file:{tmp_path / 'url'}", "PGPASSWORD": guarded}[way]
    shown = []
    for password in (wrong, PASSWORD):
        monkeypatch.setenv("BADA_DB", with_password(guarded, password))
        (tmp_path / "url").write_text(with_password(guarded, password), "utf-8")
        (tmp_path / "url").chmod(0o600)
        if way == "PGPASSWORD":
            monkeypatch.setenv("PGPASSWORD", password)
        commands: list[str] = []
        try:
            load(target, old, progress=AtTable("person", lambda seen=commands: seen.append(processes())))
        except ConfigurationError as error:
            assert password == wrong
            assert "password authentication failed" in str(error)
            shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
        else:
            assert password == PASSWORD
        shown += commands
    shown += [
        *capfd.readouterr(),
        caplog.text,
        (server.folder / "log").read_text("utf-8", "replace").split(f"'{PASSWORD}'")[-1],
    ]
    assert len([text for text in shown if text]) >= 5
    for text in shown:
        for secret in (PASSWORD, quote(PASSWORD, safe=""), "s3cret"):
            assert secret not in text


def processes() -> str:
    """The command lines of all processes, as `ps` shows them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return "\n".join(lines)


def test_a_password_on_the_command_line_is_refused_without_repeating_it(guarded: str, old: dict[str, Path]) -> None:
    for url in (with_password(guarded, PASSWORD), f"{guarded}?password={quote(PASSWORD)}"):
        with pytest.raises(ConfigurationError) as refused:
            load(url, old)
        assert "holds a password" in str(refused.value) and "PGPASSWORD" in str(refused.value)
        assert "s3cret" not in str(refused.value)
    assert os.environ.get("PGPASSWORD") is None
