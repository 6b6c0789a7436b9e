"""Sources of databases, on SQLite: what lands, what is refused, and what happens when a connection is lost."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from landed_query import Hospital
from landing_extract import Extract
from pydantic import ValidationError

from dure.errors import ConfigurationError, DureError, ExtractNotReadyError, SourceError
from dure.landing import Base
from dure.landing.database import header_of_query, land_database
from dure.landing.database.dialects import DIALECTS
from dure.landing.database.place import place_of
from dure.landing.database.ranges import NoRangesError, conditions
from dure.landing.database.session import Bounds, Session
from dure.landing.database.trouble import ConnectionLostError
from dure.landing.database.value_text import NoTextError, texts
from dure.site.spec import DatabaseSource, Defaults

DX = [("V1", 1, "I10", "고혈압 "), ("V1", 2, "E11", None), ("V2", 1, "", "  "), ("V3", 1, "N/A", "기타|\\N")]
COLUMNS = "내원번호 TEXT, 순번 INTEGER, 상병코드 TEXT, 상병명 TEXT"
CSV = '내원번호,순번,상병코드,상병명\nV1,1,I10,고혈압 \nV1,2,E11,\nV2,1,"",  \nV3,1,N/A,기타|\\N\n'


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def moment(day: int, *time: int) -> dt.datetime:
    """One of February 2024, on a wall clock."""
    return dt.datetime(2024, 2, day, *time)  # noqa: DTZ001


def problem(error: pytest.ExceptionInfo[DureError]) -> str:
    return str(error.value)


# ------------------------------------------------------------------------------------------------ what lands


@pytest.mark.parametrize("spec", [{}, {"partition_on": "순번", "partitions": "3"}, {"batch": "1"}])
def test_rows_land_as_those_of_a_file(hospital: Hospital, tmp_path: Path, spec: dict[str, Any]) -> None:
    hospital.fill("dx", COLUMNS, DX)
    common: dict[str, Any] = {"key": ["내원번호", "순번"], "null_values": ["N/A"], "nfkc": ["상병명"]}
    landed = hospital.land("SELECT * FROM dx", **common, **spec)
    extract = Extract(tmp_path)
    extract.write("진단.csv", CSV)
    of_file = extract.land(**common)
    assert landed.columns == of_file.columns
    assert (landed.rows_read, landed.rows_landed, landed.rejected, landed.opted_out) == (4, 4, {}, 0)

    def compared(rows: list[dict[str, Any]]) -> list[list[Any]]:
        return sorted([value for name, value in row.items() if name not in ("_file", "_row")] for row in rows)

    assert compared([{k: str(v) for k, v in row.items()} for row in hospital.rows()]) == compared(
        [{k: str(v) for k, v in row.items()} for row in extract.rows()]
    )


def test_rows_are_numbered_in_the_order_of_the_ranges_and_the_key(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, list(reversed(DX)))
    hospital.land("SELECT * FROM dx", key=["내원번호", "순번"], partition_on="순번", partitions="2")
    rows = [(row["_row"], row["_key"], row["_file"]) for row in hospital.rows()]
    assert rows == [(1, "V1|1", "dx@병원"), (2, "V2|1", "dx@병원"), (3, "V3|1", "dx@병원"), (4, "V1|2", "dx@병원")]


def test_the_digest_tells_content_and_nothing_else(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, DX)
    first = hospital.land("SELECT * FROM dx", key=["내원번호", "순번"])
    again = hospital.land("SELECT * FROM dx", key=["내원번호", "순번"])
    hospital.run("UPDATE dx SET 상병명 = '당뇨' WHERE 상병코드 = 'E11'")
    other = hospital.land("SELECT * FROM dx", key=["내원번호", "순번"])
    assert first.files[0].path == "dx@병원"
    assert (first.files[0].sha256, first.files[0].bytes) == (again.files[0].sha256, again.files[0].bytes)
    assert other.files[0].sha256 != first.files[0].sha256
    assert first.database is not None
    assert first.database.server.startswith("SQLite 3.")
    assert (first.database.ranges, first.database.connections) == (1, 1)


def test_persons_who_opted_out_stay_out(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, DX)
    options = {"person": ("내원번호",), "opted_out": frozenset({"V1"})}
    landed = hospital.land("SELECT * FROM dx", options=options, partition_on="순번", partitions="2")
    assert (landed.rows_read, landed.rows_landed, landed.opted_out) == (4, 2, 2)
    assert [row["내원번호"] for row in hospital.rows()] == ["V2", "V3"]


def test_a_query_without_rows_gives_its_columns(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, [])
    landed = hospital.land("SELECT * FROM dx", partition_on="순번", partitions="4")
    assert landed.columns == ("내원번호", "순번", "상병코드", "상병명")
    assert hospital.rows() == []
    assert ["has no rows" in each.found for each in landed.warnings] == [True]


def test_a_comment_and_a_semicolon_may_end_the_query(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, DX)
    assert hospital.land("SELECT 순번 FROM dx WHERE 순번 = 2 -- 둘째만").rows_read == 1
    assert hospital.land("WITH a AS (SELECT 순번 FROM dx) SELECT * FROM a;").rows_read == 4


def test_a_column_that_is_gone_is_an_error_and_a_new_one_a_warning(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, DX)
    landed = hospital.land("SELECT * FROM dx", options={"known_columns": ("내원번호", "순번", "상병코드")})
    assert landed.new_columns == ("상병명",)
    with pytest.raises(SourceError, match=r"lost columns.*: 진료과"):
        hospital.land("SELECT * FROM dx", options={"known_columns": ("진료과",)})


# ------------------------------------------------------------------------------------------------ text of values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["가", " b ", "", None], ["가", " b ", "", None]),
        ([1, -12, None], ["1", "-12", None]),
        ([2**70, 1], [str(2**70), "1"]),
        ([0.1, 3.0, 1e20, 1e-7, None], ["0.1", "3", "100000000000000000000", "0.0000001", None]),
        ([float("nan"), float("-inf")], ["NaN", "-Infinity"]),
        ([Decimal("1.50"), Decimal("1E+3"), Decimal("0E-8")], ["1.50", "1000", "0.00000000"]),
        ([True, False, None], ["t", "f", None]),
        ([dt.date(2024, 2, 29), dt.date(1, 1, 1)], ["2024-02-29", "0001-01-01"]),
        ([moment(29, 23, 59), None], ["2024-02-29 23:59:00", None]),
        ([moment(29, 1, 2, 3, 500_000)], ["2024-02-29 01:02:03.5"]),
        ([dt.datetime(2024, 1, 1, 8, tzinfo=dt.timezone(dt.timedelta(hours=9)))], ["2023-12-31 23:00:00+00"]),
        ([dt.time(7, 5), dt.time(7, 5, 0, 20)], ["07:05:00", "07:05:00.00002"]),
        ([dt.timedelta(days=1, hours=2, minutes=3, seconds=4), -dt.timedelta(seconds=5)], ["26:03:04", "-00:00:05"]),
        ([uuid.UUID(int=1)], ["00000000-0000-0000-0000-000000000001"]),
        ([1, "가", 2.5, None, dt.date(2024, 1, 1)], ["1", "가", "2.5", None, "2024-01-01"]),
        ([None, None], [None, None]),
        ([], []),
    ],
)
def test_values_have_one_text(values: list[Any], expected: list[str | None]) -> None:
    assert texts(values).to_pylist() == expected


@pytest.mark.parametrize(
    "value", [b"\x00", memoryview(b"x"), {"a": 1}, [1], object(), dt.time(1, tzinfo=dt.UTC), "\ud800"]
)
def test_values_without_a_text_are_refused(value: Any) -> None:
    with pytest.raises(NoTextError):
        texts([value, None])


def test_bytes_are_refused_by_the_name_of_their_column(hospital: Hospital) -> None:
    hospital.fill("scan", "번호 INTEGER, 영상 BLOB", [(1, b"secret-bytes")])
    with pytest.raises(SourceError) as error:
        hospital.land("SELECT * FROM scan")
    assert "the column 영상 is of a type that has no text: bytes" in problem(error)
    assert "secret" not in problem(error)


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("UPDATE dx SET 순번 = 0", "the query is not a SELECT"),
        ("SELECT 1; DELETE FROM dx", "the query is more than one statement"),
        ("WITH a AS (DELETE FROM dx RETURNING *) SELECT * FROM a", "the query holds DELETE, which writes"),
        ("SELECT * INTO x FROM dx", "the query holds INTO, which writes"),
        ("SELECT * FROM dx FOR UPDATE", "the query locks rows (FOR UPDATE or its like)"),
        ("SELECT 1 /*! INTO OUTFILE 'x' */", "a comment that MySQL would run"),
        ("PRAGMA query_only = OFF", "the query is not a SELECT"),
        ("SELECT 1) x; DROP TABLE dx; --", "the query is more than one statement"),
        ("SELECT 'a", "the query cannot be read as SQL"),
    ],
)
def test_only_one_select_is_taken(hospital: Hospital, query: str, found: str) -> None:
    with pytest.raises(ValidationError) as error:
        hospital.source(query)
    assert found in str(error.value)


def test_the_database_is_opened_to_be_read_only(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, DX)
    place, source = place_of("dx", f"sqlite:///{hospital.file}"), hospital.source("SELECT 1 AS a")
    wrong = pytest.raises(SourceError, match="the query writes, and a source is only read")
    with Session(place, source) as session, wrong:
        session._row("DELETE FROM dx RETURNING 1")
    hospital.land("SELECT * FROM dx")
    assert len(hospital.rows()) == 4


def test_a_file_that_is_not_there_is_not_made(hospital: Hospital) -> None:
    with pytest.raises(ExtractNotReadyError, match="cannot connect"):
        hospital.land("SELECT 1 AS a")
    assert not hospital.file.exists()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('SELECT 1 AS " a", 2 AS a', "gives two columns"),
        ("SELECT 1 AS _row", "gives a column '_row', a name of Dure's own"),
        ("SELECT 1 AS 코드, 2 AS 코드_nfkc", "gives a column '코드_nfkc', which nfkc would add"),
        ("SELECT * FROM 없다", "the database does not know what the query names"),
    ],
)
def test_columns_that_cannot_be_landed_are_refused_before_a_row_is_read(
    hospital: Hospital, query: str, found: str
) -> None:
    hospital.fill("dx", COLUMNS, DX)
    with pytest.raises(SourceError) as error:
        header_of_query("dx", hospital.source(query, nfkc=["코드"]), Defaults())
    assert found in problem(error)


def test_a_statement_that_takes_too_long_is_stopped(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, DX)
    endless = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT count(*) AS a FROM n"
    with pytest.raises(SourceError, match="a statement took longer than timeout: 1s"):
        hospital.land(endless, timeout="1s")


# ------------------------------------------------------------------------------------------------ ranges


def ranges_of(low: Any, high: Any, wanted: int | None, rows: int = 10, dialect: str = "postgresql") -> tuple[str, ...]:
    return conditions(Bounds(rows, low, high), '"n"', DIALECTS[dialect], wanted)


def test_ranges_hold_every_number_once(hospital: Hospital) -> None:
    numbers = [-7, -7, 0, 1, 2, 3, 500, 501, None]
    hospital.fill("n", "n INTEGER", [(n,) for n in numbers])
    for wanted in (1, 2, 3, 7, 600):
        landed = hospital.land("SELECT * FROM n", partition_on="n", partitions=str(wanted))
        assert landed.rows_read == len(numbers)
        assert Counter(row["n"] for row in hospital.rows()) == Counter(None if n is None else str(n) for n in numbers)


def test_ranges_of_days_and_moments() -> None:
    assert ranges_of(dt.date(2024, 1, 1), dt.date(2024, 1, 3), 2) == (
        " WHERE \"n\" < DATE '2024-01-02'",
        " WHERE \"n\" >= DATE '2024-01-02' AND \"n\" < DATE '2024-01-03'",
        " WHERE \"n\" >= DATE '2024-01-03'",
        ' WHERE "n" IS NULL',
    )
    moments = moment(1), moment(1, 2)
    assert ranges_of(*moments, 2)[0] == " WHERE \"n\" < TIMESTAMP '2024-02-01 00:42:40'"
    zoned = [each.replace(tzinfo=dt.timezone(dt.timedelta(hours=9))) for each in moments]
    assert ranges_of(*zoned, 2)[0] == " WHERE \"n\" < TIMESTAMPTZ '2024-01-31 15:36:32+00'"
    assert ranges_of(*moments, 2, dialect="mssql")[0] == " WHERE \"n\" < CAST('2024-02-01 00:42:40' AS datetime2)"
    assert ranges_of("2024-01-01", "2024-01-03", 2, dialect="sqlite")[0] == " WHERE \"n\" < '2024-01-02'"


def test_there_is_one_range_for_each_million_rows() -> None:
    assert ranges_of(1, 10**9, None, rows=1_000_000) == ("",)
    assert len(ranges_of(1, 10**9, None, rows=1_000_001)) == 3
    assert ranges_of(5, 5, 4) == ("",)
    assert ranges_of(None, None, 4) == ("",)
    assert len(ranges_of(1, 10**9, 100_000)) == 955


@pytest.mark.parametrize("value", ["가나다", True, b"x"])
def test_other_columns_have_no_ranges(value: Any) -> None:
    with pytest.raises(NoRangesError):
        ranges_of(value, value, 4)


# ------------------------------------------------------------------------------------------------ lost connections


class Cut:
    """Breaks the connection after a number of ranges, as often as asked, and does something meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, after: int) -> None:
        self.times, self.after, self.read = times, after, 0
        pieces = Session.pieces

        def cut(session: Session, *given: Any) -> Iterator[Any]:
            self.read += 1
            if self.times and self.read > self.after:
                self.times -= 1
                self.read = 0
                yield next(pieces(session, *given))
                raise ConnectionLostError("the connection was lost", "run again")
            yield from pieces(session, *given)

        monkeypatch.setattr(Session, "pieces", cut)


def numbered(hospital: Hospital) -> None:
    hospital.fill("n", "n INTEGER, v TEXT", [(n, f"값{n}") for n in range(100)])


def test_a_lost_connection_goes_on_behind_the_last_range(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(hospital)
    Cut(monkeypatch, times=2, after=3)
    landed = hospital.land("SELECT * FROM n", partition_on="n", partitions="10")
    assert [row["_row"] for row in hospital.rows()] == list(range(1, 101))
    assert [row["n"] for row in hospital.rows()] == [str(n) for n in range(100)]
    assert landed.database is not None and landed.database.connections == 3
    assert [str(each) for each in landed.warnings] == [
        "sources.dx: the connection was lost, so its 8 ranges are of 3 moments\n"
        "    rows that changed meanwhile come with the next run"
    ]
    assert hospital.waited == [2.0, 2.0]


def test_ranges_that_changed_meanwhile_are_read_again(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(hospital)
    Cut(monkeypatch, times=1, after=5)

    def meanwhile(_: float) -> None:
        hospital.run("DELETE FROM n WHERE n = 25; INSERT INTO n VALUES (95, '둘째'), (200, '새')")

    landed = hospital.land("SELECT * FROM n", wait=meanwhile, partition_on="n", partitions="10")
    numbers = [int(row["n"]) for row in hospital.rows()]
    assert numbers == sorted([*(n for n in range(100) if n != 25), 95, 200])
    assert [row["_row"] for row in hospital.rows()] == list(range(1, 102))
    assert landed.rows_read == 101


def test_it_gives_up_after_retries(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(hospital)
    Cut(monkeypatch, times=99, after=0)
    with pytest.raises(ExtractNotReadyError) as error:
        hospital.land("SELECT * FROM n", partition_on="n", partitions="10", retries="3")
    assert "the connection was lost, 0 rows read, tried 4 times" in problem(error)
    assert hospital.waited == [2.0, 10.0, 30.0]
    assert list((hospital.out / "dx").glob("*")) == []


def test_other_rows_than_were_counted_are_refused(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(hospital)
    monkeypatch.setattr(Session, "count", lambda *_: 101)
    with pytest.raises(SourceError, match="100 rows came, and the database counted 101 in the same transaction"):
        hospital.land("SELECT * FROM n")


# ------------------------------------------------------------------------------------------------ connections


@pytest.mark.parametrize(
    "connection",
    [
        "postgresql://dure:s3cret@db/bada",
        "postgresql://dure@db/bada?password=s3cret",
        "oracle://s3c:ret@x",
        "s3cret",
        "env:s3cret=1",
    ],
)
def test_a_password_in_the_spec_is_refused_and_not_repeated(connection: str) -> None:
    with pytest.raises(ValidationError) as error:
        DatabaseSource.model_validate({"connection": connection, "query": "SELECT 1"})
    said = "".join(str(each["msg"]) for each in error.value.errors(include_input=False))
    assert "s3c" not in said and "ret" not in said.replace("secret", "")


def test_a_place_shows_neither_host_nor_password() -> None:
    place = place_of("lab", "env:BADA_DB", {"BADA_DB": "postgresql://dure:s3cret@host.bada/ehr"})
    assert place.shown == "lab@BADA_DB"
    assert "s3cret" not in repr(place) and "host.bada" not in repr(place)


def test_a_file_with_a_url_must_be_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "bada.url"
    file.write_text("postgresql://dure:s3cret@host.bada/ehr\n")
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others may read the password") as error:
        place_of("lab", f"file:{file}")
    assert "s3cret" not in problem(error)
    file.chmod(0o600)
    assert place_of("lab", f"file:{file}").shown == "lab@bada"


@pytest.mark.parametrize("url", ["s3cret", "http://a:s3cret@b", "postgresql://a:s3cret@b:port/c"])
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        place_of("lab", "env:BADA_DB", {"BADA_DB": url})
    assert "sources.lab.connection env:BADA_DB: is not the URL of a database that Dure reads" in problem(error)
    assert "s3cret" not in problem(error)


@pytest.mark.parametrize(
    ("dialect", "extra"), [("oracle", "oracle"), ("mssql", "mssql"), ("mysql", "mysql"), ("mariadb", "mysql")]
)
def test_a_driver_that_is_not_there_is_named_with_its_extra(
    dialect: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=rf"pip install 'dure\[{extra}\]'"):
        place_of("lab", "env:BADA_DB", {"BADA_DB": f"{dialect}://u:p@h/d"})


def test_a_disk_that_is_full_is_said_to_be(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(hospital)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dure.landing.parts.pq.ParquetWriter.write_table", full)
    with pytest.raises(ConfigurationError, match="cannot be written: No space left on device"):
        hospital.land("SELECT * FROM n")
    assert list((hospital.out / "dx").glob("*")) == []


def test_defaults_of_null_values_hold(hospital: Hospital) -> None:
    hospital.fill("dx", COLUMNS, DX)
    source = hospital.source("SELECT 상병코드 FROM dx")
    land_database("dx", source, defaults=Defaults(null_values=["I10"]), out=hospital.out)
    assert [row["상병코드"] for row in hospital.rows()] == [None, "E11", None, "N/A"]


# ------------------------------------------------------------------------------------------------ another night


def test_ranges_stay_where_they_are_when_rows_are_added() -> None:
    assert ranges_of(1, 1000, 8)[:-2] == ranges_of(1, 1010, 8)[:-2]


def test_parts_that_did_not_change_are_the_files_of_before(hospital: Hospital, tmp_path: Path) -> None:
    numbered(hospital)
    query: dict[str, Any] = {"query": "SELECT * FROM n", "partition_on": "n", "partitions": "4", "key": ["n"]}
    first = hospital.land(**query)
    assert (first.base, first.same_parts, first.unchanged) == (None, {}, False)
    base = Base("20260314T010000Z", hospital.out)
    parts = sorted(path.name for path in (hospital.out / "dx").iterdir())
    hospital.out = tmp_path / "second"
    second = hospital.land(**query, options={"base": base})
    assert (second.base, second.unchanged) == (base.snapshot, True)
    assert second.same_parts == {name: name for name in parts}
    assert [(hospital.out / "dx" / name).stat().st_nlink for name in parts] == [2] * len(parts)
    hospital.run("INSERT INTO n VALUES (100, '새 값')")
    hospital.out = tmp_path / "third"
    third = hospital.land(**query, options={"base": base})
    assert (third.unchanged, sorted(third.same_parts)) == (False, parts[:-1])
    (base.folder / "dx" / parts[0]).write_bytes(b"damaged")
    hospital.out = tmp_path / "fourth"
    fourth = hospital.land(**query, options={"base": base})
    assert sorted(fourth.same_parts) == parts[1:-1]
    assert len(hospital.rows()) == 101


@pytest.mark.parametrize("dialect", ["postgresql", "oracle", "mssql", "mysql", "mariadb"])
def test_every_driver_takes_what_it_is_given(hospital: Hospital, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at port 1 of this machine, so only a driver that takes all its arguments gets as far as that."""
    pytest.importorskip(DIALECTS[dialect].module)
    monkeypatch.setenv("BADA_DB", f"{dialect}://dure:s3cret@127.0.0.1:1/bada")
    source = hospital.source("SELECT 1 AS a FROM dual", connection="env:BADA_DB")
    with pytest.raises(ExtractNotReadyError) as error:
        header_of_query("dx", source, Defaults())
    assert problem(error).startswith("sources.dx.connection: cannot connect")
    assert "s3cret" not in problem(error) and "127.0.0.1" not in problem(error)
