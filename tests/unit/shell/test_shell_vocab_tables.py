"""How the vocabulary commands lay their tables out: aligned whatever the script, one row a line, nothing cut silently."""

from __future__ import annotations

import json

import pytest

from dure.cli.vocab.shown import show, table_lines

ROWS = [
    {"code": "GLU", "description": "혈당", "records": 12345, "share_%": "98.1", "differs": True},
    {"code": "NA\t1\x1b[31m", "description": None, "records": 7, "share_%": "2.0", "differs": False},
]
COLUMNS = ("code", "description", "records", "share_%", "differs")


def test_hangul_takes_two_columns_and_numbers_stand_right() -> None:
    assert table_lines(COLUMNS, ROWS) == [
        "code       description  records  share %  differs",
        "─────────  ───────────  ───────  ───────  ───────",
        "GLU        혈당          12,345     98.1  yes",
        "NA 1 [31m                     7      2.0  no",
    ]


def test_a_long_text_is_cut_with_a_sign() -> None:
    line = table_lines(("name",), [{"name": "긴 이름" * 20}])[2]
    assert line.endswith("…")
    assert line.startswith("긴 이름긴 이름")


def test_no_rows_are_a_header() -> None:
    assert table_lines(("code",), []) == ["code", "────"]


def test_csv_neutralises_and_json_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"code": "=1+1", "records": 2, "hidden": "x"}]
    show(("code", "records", "unit"), rows, "csv")
    assert capsys.readouterr().out == "code,records,unit\n'=1+1,2,\n"
    show(("code", "records", "unit"), rows, "json")
    assert json.loads(capsys.readouterr().out) == [{"code": "=1+1", "records": 2, "unit": None}]
