"""Parquet of any flat types lands as text in one canonical form."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landing_extract import Extract

from dure.errors import SourceError
from dure.landing.parquet_text import text_of


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        (pa.string(), ["가", "", None], ["가", "", None]),
        (pa.large_string(), ["가"], ["가"]),
        (pa.string_view(), ["가", None], ["가", None]),
        (pa.dictionary(pa.int8(), pa.string()), ["가", None], ["가", None]),
        (pa.bool_(), [True, False, None], ["true", "false", None]),
        (pa.int64(), [-12, 2**63 - 1, None], ["-12", "9223372036854775807", None]),
        (pa.uint64(), [2**64 - 1], ["18446744073709551615"]),
        (
            pa.float64(),
            [3.0, -0.5, 1e-5, 1e22, 0.1 + 0.2, float("nan"), 123456789012.0, None],
            ["3", "-0.5", "0.00001", "10000000000000000000000", "0.30000000000000004", None, "123456789012", None],
        ),
        (pa.float32(), [0.1, 20240229.0], ["0.1", "20240228"]),
        (pa.float16(), [0.5], ["0.5"]),
        (pa.decimal128(10, 2), [Decimal("1.50"), Decimal("-0.01"), None], ["1.50", "-0.01", None]),
        (pa.decimal128(12, 10), [Decimal("1E-10"), Decimal(0)], ["0.0000000001", "0.0000000000"]),
        (pa.date32(), [dt.date(2024, 2, 29), dt.date(1899, 1, 1)], ["2024-02-29", "1899-01-01"]),
        (pa.date64(), [dt.date(2024, 2, 29)], ["2024-02-29"]),
        (pa.time32("s"), [dt.time(23, 59)], ["23:59:00"]),
        (pa.time64("us"), [dt.time(0, 0, 1, 500000), None], ["00:00:01.5", None]),
        (
            pa.timestamp("us"),
            [1_709_197_140_000_000, -749_999, None],
            ["2024-02-29T08:59:00", "1969-12-31T23:59:59.250001", None],
        ),
        (pa.timestamp("s"), [-62_135_596_800], ["0001-01-01T00:00:00"]),
        (pa.timestamp("ns"), [1_704_067_200_000_000_001], ["2024-01-01T00:00:00.000000001"]),
        (
            pa.timestamp("ms", "Asia/Seoul"),
            [dt.datetime(2024, 1, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=9)))],
            ["2023-12-31T15:30:00Z"],
        ),
        (pa.null(), [None], [None]),
    ],
)
def test_canonical_text(kind: pa.DataType, values: list[Any], texts: list[str | None]) -> None:
    assert text_of(pa.array(values, kind)).to_pylist() == texts


def _stored(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_rows_of_parquet(extract: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.landing.parquet_text.BATCH_ROWS", 2)
    stored = _stored(pa.table({"번호": [1, 2, 3], "값": [" 가 ", "", "NULL"]}))
    extract.write("검사.parquet", stored)
    landed = extract.land("*.parquet", key=["번호"], null_values=["NULL"])
    assert [(r["번호"], r["값"], r["_row"], r["_key"]) for r in extract.rows()] == [
        ("1", "가", 1, "1"),
        ("2", None, 2, "2"),
        ("3", None, 3, "3"),
    ]
    assert (landed.files[0].bytes, landed.files[0].sha256) == (len(stored), hashlib.sha256(stored).hexdigest())


def test_types_without_text_are_refused_all_at_once(extract: Extract) -> None:
    extract.write("x.parquet", _stored(pa.table({"a": [[1]], "b": [{"c": 1}], "d": [b"x"], "e": ["가"]})))
    with pytest.raises(SourceError) as error:
        extract.land("x.parquet")
    assert [problem.where.rsplit(" ")[-1] for problem in error.value.problems] == ["a", "b", "d"]


def test_a_damaged_file(extract: Extract) -> None:
    stored = _stored(pa.table({"a": ["환자"] * 100}))
    extract.write("x.parquet", stored[:-20])
    with pytest.raises(SourceError, match=r"x\.parquet: is not a readable Parquet file"):
        extract.land("x.parquet")
