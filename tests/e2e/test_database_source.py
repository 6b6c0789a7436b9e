"""Sources in a real PostgreSQL: the same rows as from its COPY, read only, restartable, and without a word of a password."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from postgres_server import PASSWORD, Server, running_server

from dure.cli import main
from dure.errors import ConfigurationError, DureError, ExtractNotReadyError, SourceError
from dure.landing import Landed, land_source
from dure.landing.database import copying, header_of_query, land, land_database
from dure.landing.database.pieces import StoppedError
from dure.run.fingerprint import _night
from dure.site import load_site
from dure.site.spec import DatabaseSource, Defaults, FileSource
from dure.snapshot.lake import Lake
from dure.snapshot.manifest import read_manifest
from dure.vocab import load_athena

pytestmark = [pytest.mark.postgres, pytest.mark.together]

SECRET = "박서연 900101-2345678"
LAB = f"""
CREATE TABLE lab (검사번호 integer PRIMARY KEY, 환자번호 text, 코드 text, 결과 text, 값 numeric(12,4), 날짜 date, 비고 text);
INSERT INTO lab SELECT n, 'P' || n % 50, 'L' || n % 7, CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '음성(-)'
  WHEN 3 THEN '줄' || chr(10) || '"바꿈", \\N' ELSE ' <0.05㎎ ' END, n / 8.0, date '2024-01-01' + n % 400, '{SECRET}'
  FROM generate_series(1, 2000) n;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        running.new_database("bada")
        with running.connect("bada") as connection:
            connection.execute(LAB.encode())
            connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'".encode())
            connection.execute("GRANT SELECT ON lab TO reader")
        yield running


@pytest.fixture
def url(server: Server) -> str:
    return server.url("bada")


@pytest.fixture
def by_port(server: Server) -> str:
    """A URL with a password, as a hospital's would be."""
    return f"postgresql://reader:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/bada"


@dataclass
class Sources:
    """Lands sources in folders of their own."""

    root: Path
    monkeypatch: pytest.MonkeyPatch

    def land(self, url: str, query: str = "SELECT * FROM lab", **spec: Any) -> Landed:
        self.monkeypatch.setenv("BADA_DB", url)
        options = {name: spec.pop(name) for name in ("wait", "stopped", "opted_out") if name in spec}
        source = DatabaseSource.model_validate({"connection": "env:BADA_DB", "query": query} | spec)
        return land_database("lab", source, defaults=Defaults(), out=self.root / "database", **options)

    def rows(self, folder: str = "database") -> list[dict[str, Any]]:
        return self.table(folder).to_pylist()

    def table(self, folder: str = "database") -> pa.Table:
        return pa.concat_tables(pq.read_table(part) for part in sorted((self.root / folder / "lab").glob("*.parquet")))

    def copied(self, url: str, query: str, **spec: Any) -> Landed:
        """The same rows, landed from the CSV file that COPY writes."""
        extract = self.root / "extract"
        extract.mkdir(exist_ok=True)
        with psycopg.connect(url) as connection, (extract / "lab.csv").open("wb") as file:
            connection.execute("SET TimeZone = 'UTC'")
            with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)".encode()) as copy:
                for block in copy:
                    file.write(block)
        source = FileSource.model_validate({"path": "lab.csv"} | spec)
        return land_source("lab", source, defaults=Defaults(), extract=extract, out=self.root / "file")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    return Sources(tmp_path, monkeypatch)


# ------------------------------------------------------------------------------------------------ the same rows


@pytest.mark.parametrize(
    "spec", [{}, {"partition_on": "검사번호", "partitions": "7"}, {"partition_on": "날짜", "partitions": "3"}]
)
def test_rows_are_those_of_a_csv_of_copy(sources: Sources, url: str, spec: dict[str, Any]) -> None:
    common = {"key": ["검사번호"], "nfkc": ["결과"], "null_values": ["L3"]}
    landed = sources.land(url, **common, **spec)
    of_file = sources.copied(url, "SELECT * FROM lab ORDER BY 검사번호", **common)
    assert landed.columns == of_file.columns
    assert (landed.rows_read, landed.rows_landed) == (2000, 2000)
    names = [name for name in sources.table().column_names if name not in ("_file", "_row")]
    assert sources.table().select(names).sort_by("_key").equals(sources.table("file").select(names).sort_by("_key"))
    assert sorted(row["_row"] for row in sources.rows()) == list(range(1, 2001))
    assert landed.database is not None
    assert re.fullmatch(r"PostgreSQL \d+(\.\d+)?", landed.database.server)


TYPES = {
    "b": "true", "b2": "NULL::boolean", "i": "(-7)::smallint", "l": "9223372036854775807::bigint",
    "n": "1.50::numeric", "n2": "'NaN'::numeric", "n3": "1e-10::numeric(20,12)", "c": "'가 '::char(3)", "t": "''::text",
    "f": "0.1::float8", "f2": "3::float8", "f3": "0.1::float4", "f4": "'-Infinity'::float8", "f5": "1e14::float8",
    "d": "date '0044-03-15 BC'", "d2": "date 'infinity'", "d3": "date '2024-02-29'",
    "ts": "timestamp '2024-02-29 23:59:00'", "ts2": "timestamp '2024-02-29 23:59:00.120'",
    "tz": "timestamptz '2024-03-01 08:30:00+09'", "ti": "time '07:05:00.5'", "tiz": "timetz '07:05+09'",
    "iv": "interval '1 year 2 days 03:04:05.6'", "u": "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid",
    "j": """'{"키": [1, null]}'::jsonb""", "a": "ARRAY['가','나,다',NULL]", "bit": "B'0101'", "ip": "inet '10.1.2.3/8'",
    "m": "'1.5'::money", "r": "int4range(1, 5)", "x": "xmlparse(content '<a>값</a>')",
}  # fmt: skip


def test_every_type_has_the_text_of_copy(sources: Sources, server: Server, url: str) -> None:
    with server.connect("bada") as connection:
        values = ", ".join(f"{value} AS {name}" for name, value in TYPES.items())
        connection.execute(f"CREATE VIEW types AS SELECT {values}".encode())
    sources.land(url, "SELECT * FROM types")
    sources.copied(url, "SELECT * FROM types")
    own = list(TYPES)
    assert sources.table().select(own).to_pylist() == sources.table("file").select(own).to_pylist()
    (row,) = sources.rows()
    assert (row["b"], row["n"], row["f"], row["f2"], row["ts2"]) == ("t", "1.50", "0.1", "3", "2024-02-29 23:59:00.12")
    assert (row["tz"], row["t"], row["b2"]) == ("2024-02-29 23:30:00+00", None, None)


def test_numbers_never_have_an_exponent(sources: Sources, url: str) -> None:
    """Where COPY writes 1e+20 and 1e-07; numbers are read the same from every database so."""
    sources.land(url, "SELECT 1e20::float8 AS a, 1e-7::float8 AS b, 2.5e9::float4 AS c, '1e20' AS d")
    (row,) = sources.rows()
    assert (row["a"], row["b"], row["c"], row["d"]) == ("100000000000000000000", "0.0000001", "2500000000", "1e20")


def test_the_settings_of_the_role_play_no_part(sources: Sources, server: Server, url: str) -> None:
    query = "SELECT date '2024-02-29' AS d, timestamptz '2024-03-01 08:30+09' AS tz, 0.1::float8 + 0.2 AS f, interval '1 day' AS i"
    sources.land(url, query)
    plain = sources.rows()
    with server.connect("bada") as connection:
        connection.execute("ALTER ROLE postgres SET DateStyle = 'German, DMY'")
        connection.execute("ALTER ROLE postgres SET TimeZone = 'Asia/Seoul'")
        connection.execute("ALTER ROLE postgres SET extra_float_digits = 0")
        connection.execute("ALTER ROLE postgres SET IntervalStyle = 'iso_8601'")
        try:
            sources.land(url, query)
        finally:
            connection.execute("ALTER ROLE postgres RESET ALL")
    assert sources.rows() == plain
    assert plain[0]["f"] == "0.30000000000000004"


def test_one_empty_column_keeps_its_rows(sources: Sources, url: str) -> None:
    landed = sources.land(url, "SELECT nullif(n, 2)::text AS 값 FROM generate_series(1, 3) n")
    assert (landed.rows_read, [row["값"] for row in sources.rows()]) == (3, ["1", None, "3"])


def test_a_database_in_another_encoding(sources: Sources, server: Server) -> None:
    url = server.new_database("legacy", "EUC_KR")
    assert sources.land(url, "SELECT '가나다'::text AS 한글").columns == ("한글",)
    assert sources.rows()[0]["한글"] == "가나다"


def test_text_in_an_encoding_that_the_database_does_not_know_is_refused(sources: Sources, server: Server) -> None:
    url = server.new_database("untold", "SQL_ASCII")
    with server.connect("untold") as connection:
        connection.execute("CREATE TABLE lab AS SELECT convert_from('\\xb0a1'::bytea, 'SQL_ASCII') AS 이름".encode())
    with pytest.raises(SourceError, match=r"its text is in an encoding that the database does not know \(22021\)"):
        sources.land(url, "SELECT * FROM lab")


def test_a_row_longer_than_a_block_is_read(sources: Sources, url: str) -> None:
    sources.land(url, "SELECT repeat('가', 2000000) AS 소견, n FROM generate_series(1, 2) n")
    assert [len(row["소견"]) for row in sources.rows()] == [2_000_000, 2_000_000]


# ------------------------------------------------------------------------------------------------ read only


def test_a_function_that_writes_fails(sources: Sources, server: Server, url: str) -> None:
    with server.connect("bada") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS traces (n int)")
        connection.execute(
            "CREATE OR REPLACE FUNCTION leave_trace() RETURNS int LANGUAGE sql AS 'INSERT INTO traces VALUES (1) RETURNING n'"
        )
        connection.execute("CREATE SEQUENCE IF NOT EXISTS numbers")
        for query in ("SELECT leave_trace() AS n", "SELECT nextval('numbers') AS n"):
            with pytest.raises(SourceError, match="the query writes, and a source is only read"):
                sources.land(url, query)
        with pytest.raises(DureError):
            sources.land(url, "SELECT set_config('transaction_read_only', 'off', false) AS a, leave_trace() AS n")
        assert connection.execute("SELECT count(*) FROM traces").fetchone() == (0,)


def test_all_ranges_are_of_one_moment(
    sources: Sources, server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = copying._parsed
    with server.connect("bada") as connection:
        connection.execute("CREATE TABLE moving AS SELECT n FROM generate_series(1, 100) n")

        def meanwhile(*given: Any) -> Any:
            connection.execute("UPDATE moving SET n = n + 100 WHERE n <= 10")
            connection.execute("INSERT INTO moving VALUES (99)")
            return read(*given)

        monkeypatch.setattr(copying, "_parsed", meanwhile)
        landed = sources.land(url, "SELECT * FROM moving", partition_on="n", partitions="5")
    assert landed.rows_read == 100
    assert sorted(int(row["n"]) for row in sources.rows()) == list(range(1, 101))


# ------------------------------------------------------------------------------------------------ what is refused


def refusals(sources: Sources, server: Server, by_port: str) -> dict[str, DureError]:
    """Every way in which PostgreSQL refuses."""
    with server.connect("bada") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS closed AS SELECT 1 AS a")
    base, _, name = by_port.rpartition("/")
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        "password": (by_port.replace("s3cret", "wr0ng"), "SELECT 1 AS a", {}),
        "database": (f"{base}/nowhere", "SELECT 1 AS a", {}),
        "port": (re.sub(r":\d+/", ":1/", by_port), "SELECT 1 AS a", {"retries": "1"}),
        "rights": (by_port, "SELECT * FROM closed", {}),
        "column": (by_port, "SELECT 없다 FROM lab", {}),
        "syntax": (by_port, "SELECT TOP 5 * FROM [lab]", {}),
        "timeout": (by_port, "SELECT pg_sleep(60)::text AS a", {"timeout": "1s"}),
        "value": (by_port, "SELECT 비고::int AS a FROM lab", {}),
        "bytes": (by_port, "SELECT 비고::bytea AS 사진 FROM (SELECT 'x' AS 비고) s", {}),
        "twice": (by_port, "SELECT 1 AS a, 2 AS a", {}),
        "range": (by_port, "SELECT * FROM lab", {"partition_on": "비고", "partitions": "2"}),
    }
    found = {}
    for name, (url, query, spec) in ways.items():
        with pytest.raises(DureError) as error:
            sources.land(url, query, wait=lambda _: None, **spec)
        found[name] = error.value
    return found


def test_every_refusal_says_what_to_do_and_shows_no_secret(sources: Sources, server: Server, by_port: str) -> None:
    found = refusals(sources, server, by_port)
    said = {name: (type(error), str(error).splitlines()[0]) for name, error in found.items()}
    assert said == {
        "password": (ConfigurationError, "sources.lab.connection BADA_DB: the server refuses this user or password"),
        "database": (ConfigurationError, "sources.lab.connection BADA_DB: there is no such database"),
        "port": (ExtractNotReadyError, "sources.lab: cannot connect, tried 2 times"),
        "rights": (
            SourceError,
            "sources.lab BADA_DB: asking for the columns: this user may not read what the query names (42501)",
        ),
        "column": (
            SourceError,
            "sources.lab BADA_DB: asking for the columns: the database does not know what the query names "
            '(column "없다" does not exist)',
        ),
        "syntax": (SourceError, "sources.lab.query: the query cannot be read as SQL"),
        "timeout": (SourceError, "sources.lab BADA_DB: reading: a statement took longer than timeout: 1s (57014)"),
        "value": (
            SourceError,
            "sources.lab BADA_DB: reading: the query computes with a value that does not fit (22P02)",
        ),
        "bytes": (SourceError, "sources.lab: the column 사진 is of a type that has no text: bytea"),
        "twice": (SourceError, "sources.lab.query: gives two columns 'a', or names that differ only in case"),
        "range": (SourceError, "sources.lab.partition_on: '비고' is text"),
    }
    assert all(problem.do for error in found.values() for problem in error.problems)
    for error in found.values():
        shown = "".join(traceback.format_exception(error))
        for secret in (PASSWORD, quote(PASSWORD, safe=""), "s3cret", "wr0ng", SECRET, "900101", "127.0.0.1"):
            assert secret not in shown, shown


def test_a_server_that_is_not_up_yet_is_waited_for(sources: Sources, url: str) -> None:
    waited: list[float] = []
    refused = re.sub(r"port=\d+", "port=1", url)
    with pytest.raises(ExtractNotReadyError, match="cannot connect, tried 4 times"):
        sources.land(refused, wait=waited.append)
    assert waited == [2.0, 10.0, 30.0]


def test_the_header_is_asked_without_reading_a_row(server: Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADA_DB", url)
    query = "SELECT 검사번호, pg_sleep(0.001 * 검사번호)::text AS 잠 FROM lab"
    source = DatabaseSource.model_validate({"connection": "env:BADA_DB", "query": query, "timeout": "1s", "nfkc": "잠"})
    assert header_of_query("lab", source, Defaults()) == ("검사번호", "잠", "잠_nfkc")


# ------------------------------------------------------------------------------------------------ lost connections


class CutsOff:
    """Ends the backend, or the whole server, when so many blocks have come."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int, cut: Any, times: int = 1) -> None:
        self.left, self.times = after, times
        self._read, self._cut = copying._parsed, cut
        monkeypatch.setattr(copying, "_parsed", self.parse)

    def parse(self, *given: Any) -> Any:
        self.left -= 1
        if self.left <= 0 and self.times:
            self.times -= 1
            self._cut()
        return self._read(*given)


def end_readers(server: Server) -> None:
    with server.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dure'")


class Once:
    """Says that the run goes on the first time it is asked, and that it has ended from then on."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > 1


BIG = "SELECT n, repeat('검사', 500) || n AS 값 FROM generate_series(1, 20000) n"


def test_a_reader_that_is_ended_goes_on(
    sources: Sources, server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    CutsOff(monkeypatch, after=8, cut=lambda: end_readers(server))
    landed = sources.land(url, BIG, partition_on="n", partitions="4", wait=lambda _: None)
    assert [row["n"] for row in sources.rows()] == [str(n) for n in range(1, 20001)]
    assert [row["_row"] for row in sources.rows()] == list(range(1, 20001))
    assert landed.database is not None and landed.database.connections == 2


def test_a_server_that_crashes_and_comes_back_is_gone_on_with(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_server() as server:
        CutsOff(monkeypatch, after=8, cut=server.stop)
        url = server.url()
        landed = sources.land(url, BIG, partition_on="n", partitions="4", wait=lambda _: server.start())
        assert [row["n"] for row in sources.rows()] == [str(n) for n in range(1, 20001)]
        assert landed.rows_read == 20000


# ------------------------------------------------------------------------------------------------ whole runs

SITE = """spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다의료재단, timezone: Asia/Seoul, extract_date: 2024-12-31}
defaults: {formats: [yyyy-MM-dd]}
maps: {names: names.csv}
sources:
  patients: SOURCE환자
  visits: SOURCE내원
  diagnoses: SOURCE진단
tables:
  person:
    - {from: patients, birth: 생년월일, gender: {column: 성별, map: {남: 8507, 여: 8532}}}
  visit_occurrence:
    - {from: visits, person: 환자번호, code: {column: 구분, map: {입원: 9201, 외래: 9202}}, start: 시작, end: 종료}
  condition_occurrence:
    - {from: diagnoses, person: 환자번호, visit: 내원번호, code: {column: 상병명, map: names}, start: 진단일}
"""
TABLES = {
    "환자": ("환자번호", "환자번호 text, 생년월일 date, 성별 text", "'P' || n, date '1950-03-01' + n, CASE n % 2 WHEN 0 THEN '남' ELSE '여' END"),
    "내원": ("내원번호", "내원번호 text, 환자번호 text, 구분 text, 시작 date, 종료 date", "'V' || n, 'P' || n, '입원', date '2024-03-10' + n, date '2024-03-20' + n"),
    "진단": ("번호", "번호 bigint, 환자번호 text, 내원번호 text, 상병명 text, 진단일 date", "n, 'P' || n, 'V' || n, CASE n % 3 WHEN 0 THEN '고혈압' WHEN 1 THEN '당뇨병' ELSE '처음 보는 병' END, date '2024-03-11' + n"),
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    exit_code: int
    output: str


def ended(arguments: list[Any], url: str) -> Ended:
    """How a command ends that finds a database in its environment, and all that it says."""
    said = io.StringIO()
    before = os.environ.get("BADA_DB")
    os.environ["BADA_DB"] = url
    try:
        with redirect_stdout(said), redirect_stderr(said):
            code = main(list(map(str, arguments)))
    finally:
        os.environ.pop("BADA_DB") if before is None else os.environ.update(BADA_DB=before)
    return Ended(code, said.getvalue())


class Hospital:
    """A hospital of three tables, run from a database and from the CSV files that COPY writes."""

    def __init__(self, root: Path, server: Server, url: str, store: Path) -> None:
        self.root, self.url, self.store, self.server = root, url, store, server
        self.lake = root / "lake"
        with server.connect("bada") as connection:
            for name, (_, columns, values) in TABLES.items():
                connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
                connection.execute(f"CREATE TABLE {name} ({columns})".encode())
                connection.execute(f"INSERT INTO {name} SELECT {values} FROM generate_series(1, 30) n".encode())
                connection.execute(f"GRANT SELECT ON {name} TO reader".encode())
        (root / "extract").mkdir()
        for kind in ("database", "files"):
            folder = root / kind / "bada"
            folder.mkdir(parents=True)
            spec = SITE
            for name, (key, _, _) in TABLES.items():
                of_database = f'{{connection: "env:BADA_DB", query: "SELECT * FROM {name}", key: {key}, partition_on: {self.cut(name)}, partitions: 3}}'
                spec = spec.replace(
                    f"SOURCE{name}", of_database if kind == "database" else f"{{path: {name}.csv, key: {key}}}"
                )
            (folder / "site.yaml").write_text(spec, "utf-8")
            (folder / "names.csv").write_text("value,concept_id\n고혈압,320128\n당뇨병,201826\n", "utf-8")

    @staticmethod
    def cut(name: str) -> str:
        return {"환자": "생년월일", "내원": "시작", "진단": "번호"}[name]

    def write_files(self) -> None:
        with self.server.connect("bada") as connection:
            for name in TABLES:
                out = io.StringIO()
                rows = connection.execute(f"SELECT * FROM {name}".encode())
                assert rows.description is not None
                csv.writer(out).writerows([[each.name for each in rows.description], *rows])
                (self.root / "extract" / f"{name}.csv").write_text(out.getvalue(), "utf-8")

    def run(
        self, kind: str, *options: str, url: str | None = None, lake: Path | None = None, restart: bool = True
    ) -> Ended:
        arguments = [
            "run",
            "bada",
            "--sites",
            self.root / kind,
            "--source",
            self.root / "extract",
            "--vocab",
            self.store,
        ]
        arguments += [
            "--lake",
            lake or self.lake,
            "--threads",
            "2",
            "--no-check",
            *options,
            *(["--restart"] if restart else []),
        ]
        return ended(arguments, url or self.url)

    def tables(self, lake: Path | None = None) -> dict[str, list[str]]:
        own = Lake(lake or self.lake).site("bada")
        manifest = read_manifest(own.latest())
        tables = {name: sorted(file.sha256 for file in each.files) for name, each in manifest.tables.items()}
        tables.pop("metadata")  # names the digest of the spec
        return tables


@pytest.fixture(scope="module")
def store(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores")).folder


@pytest.fixture
def hospital(tmp_path: Path, server: Server, by_port: str, store: Path) -> Hospital:
    return Hospital(tmp_path, server, by_port, store)


def everything(root: Path, besides: tuple[str, ...]) -> Iterator[tuple[Path, bytes]]:
    for path in root.rglob("*"):
        if path.is_file() and not set(besides) & set(path.relative_to(root).parts):
            yield path, path.read_bytes()


def test_a_run_from_a_database_is_the_run_from_files(hospital: Hospital, tmp_path: Path) -> None:
    done = hospital.run("database")
    assert done.exit_code == 0, done.output
    hospital.write_files()
    of_files = tmp_path / "lake of files"
    assert hospital.run("files", lake=of_files).exit_code == 0
    assert hospital.tables() == hospital.tables(of_files)
    own = Lake(hospital.lake).site("bada")
    manifest = read_manifest(own.latest())
    given = manifest.inputs["diagnoses"]
    assert given.database is not None and given.database.connections == 1
    assert [file.path for file in given.files] == ["diagnoses@BADA_DB"]
    assert (given.rows_read, given.rows_landed) == (30, 30)
    assert read_manifest(Lake(of_files).site("bada").latest()).inputs["diagnoses"].database is None


def test_nothing_that_a_run_leaves_or_says_holds_the_password(hospital: Hospital) -> None:
    done = hospital.run("database", "--log-format", "json", "--debug")
    refused = hospital.run("database", "--debug", url=hospital.url.replace("s3cret", "wr0ng"))
    down = hospital.run("database", "--debug", url=re.sub("@127.0.0.1:", "@127.0.0.1:1", hospital.url)[:-5] + "/bada")
    assert (done.exit_code, refused.exit_code) == (0, 2)
    assert down.exit_code in (2, 5)
    said = [each.output for each in (done, refused, down)]
    secrets = [PASSWORD, quote(PASSWORD, safe=""), "s3cret", "wr0ng", "127.0.0.1"]
    for text in said:
        assert [secret for secret in secrets if secret in text] == []
    files = dict(everything(hospital.root, ()))
    assert len(files) > 20
    for path, content in files.items():
        assert [secret for secret in secrets if secret.encode() in content] == [], path


def test_a_night_without_the_database_leaves_the_snapshot(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(land, "WAITS", (0.0,))
    assert hospital.run("database").exit_code == 0
    own = Lake(hospital.lake).site("bada")
    before = own.latest()
    CutsOff(monkeypatch, after=1, times=99, cut=lambda: end_readers(hospital.server))
    monkeypatch.setattr(copying, "BLOCK", 64)
    night = hospital.run("database")
    assert own.latest() == before
    monkeypatch.undo()
    assert night.exit_code == 5, night.output
    assert "the connection was lost" in night.output
    assert hospital.run("database").exit_code == 0
    assert own.latest() != before


def test_validate_asks_a_database_only_where_it_is_told_to(hospital: Hospital) -> None:
    def validate(*options: str, url: str) -> Ended:
        arguments = [
            "validate",
            "bada",
            "--sites",
            str(hospital.root / "database"),
            "--source",
            str(hospital.root / "extract"),
        ]
        return ended([*arguments, *options], url)

    assert validate(url="").exit_code == 0
    assert validate("--connect", url=hospital.url).exit_code == 0
    spec = hospital.root / "database/bada/site.yaml"
    spec.write_text(spec.read_text("utf-8").replace("start: 진단일", "start: 진단일자"), "utf-8")
    assert validate(url=hospital.url).exit_code == 0
    wrong = validate("--connect", url=hospital.url)
    assert wrong.exit_code == 2
    assert "no column '진단일자' in diagnoses (closest: '진단일')" in wrong.output


PEAK = """
import resource, sys
from pathlib import Path
from dure.landing.database import land_database
from dure.site.spec import DatabaseSource, Defaults
url, rows, out = sys.argv[1:]
query = f"SELECT n, repeat('검사', 30) || n AS 값 FROM generate_series(1, {rows}) n"
source = DatabaseSource(connection=url, query=query, key=["n"])
land_database("lab", source, defaults=Defaults(), out=Path(out))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_rows(url: str, tmp_path: Path) -> None:
    """A result of 280 MB needs little more than one of 56 MB."""

    def peak(rows: int) -> int:
        command = [sys.executable, "-c", PEAK, url, str(rows), str(tmp_path / str(rows))]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert peak(1_500_000) < 1.4 * peak(300_000)


def test_a_site_of_databases_alone_needs_no_file(hospital: Hospital) -> None:
    assert list((hospital.root / "extract").iterdir()) == []
    assert hospital.run("database", "--until", "land").exit_code == 0


def test_moments_with_a_zone_become_those_of_the_hospital(hospital: Hospital) -> None:
    """23:30 in UTC is the next morning in Seoul."""
    spec = hospital.root / "database/bada/site.yaml"
    text = spec.read_text("utf-8").replace("formats: [yyyy-MM-dd]", 'formats: [yyyy-MM-dd, "yyyy-MM-dd HH:mm:ssX"]')
    zoned = "SELECT 내원번호, 환자번호, 구분, timestamptz '2024-03-10 23:30:00+00' AS 시작, 종료 FROM 내원"
    spec.write_text(text.replace("SELECT * FROM 내원", zoned), "utf-8")
    assert hospital.run("database").exit_code == 0
    snapshot = Lake(hospital.lake).site("bada").latest()
    starts = pq.read_table(snapshot / "visit_occurrence")["visit_start_datetime"].to_pylist()
    assert {str(each) for each in starts} == {"2024-03-11 08:30:00"}


def test_another_night_reads_the_database_anew(hospital: Hospital) -> None:
    """A run that stopped after landing is gone on with in its night; files that stay the same say nothing of a database."""
    assert hospital.run("database", "--until", "land", restart=False).exit_code == 0
    with hospital.server.connect("bada") as connection:
        connection.execute("DELETE FROM 진단 WHERE 번호 = 1")
    going_on = hospital.run("database", "--until", "prepare", restart=False)
    assert "going on with the run" in going_on.output
    site = load_site("bada", (hospital.root / "database",))
    evening, night, noon = (datetime(2026, 3, 14, hour, tzinfo=UTC) for hour in (9, 20, 3))
    later = datetime(2026, 3, 15, 3, tzinfo=UTC)
    assert [_night(site, when) for when in (noon, evening, night, later)] == [
        {"the night in which databases are read": day}
        for day in ("2026-03-14", "2026-03-14", "2026-03-14", "2026-03-15")
    ]


def test_a_reading_that_nobody_wants_any_more_ends(sources: Sources, server: Server, url: str) -> None:
    """As when another source fails, or Ctrl-C ends the run; the server does not go on for nobody either."""
    with pytest.raises(StoppedError):
        sources.land(url, "SELECT pg_sleep(600)::text AS a", stopped=Once())
    with server.connect("bada") as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep(600)%' AND state = 'active'"
        assert connection.execute(running).fetchone() == (0,)


def test_a_night_of_changes_equals_a_full_run(hospital: Hospital, tmp_path: Path) -> None:
    assert hospital.run("database").exit_code == 0
    with hospital.server.connect("bada") as connection:
        connection.execute("UPDATE 진단 SET 상병명 = '고혈압' WHERE 번호 = 5")
        connection.execute("DELETE FROM 진단 WHERE 번호 = 7")
        connection.execute("INSERT INTO 진단 VALUES (31, 'P9', 'V9', '당뇨병', '2024-03-20')")
    night = hospital.run("database")
    assert night.exit_code == 0, night.output
    assert "a delta from" in night.output, night.output
    anew = tmp_path / "anew"
    assert hospital.run("database", lake=anew).exit_code == 0
    rows = [
        pq.read_table(Lake(lake).site("bada").latest() / "condition_occurrence").to_pylist()
        for lake in (hospital.lake, anew)
    ]
    assert sorted(map(str, rows[0])) == sorted(map(str, rows[1]))
