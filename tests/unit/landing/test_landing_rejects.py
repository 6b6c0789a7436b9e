"""What cannot be read as a row is counted, named by file and record, and kept raw; the rest lands."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landing_extract import Extract

from dure.landing import LandingRejectReason
from dure.landing.layout import layout_of
from dure.landing.records import complete_record, fields_of, record_pattern
from dure.site.spec import Defaults, FileSource

GOOD = [f"{n},환자{n}" for n in range(30)]


def _file(lines: list[bytes]) -> bytes:
    return b"\n".join([b"no,name", *lines]) + b"\n"


def test_undecodable_bytes_cost_their_record_only(extract: Extract) -> None:
    lines = [line.encode() for line in GOOD]
    lines[3] = b"3,\xb0\xa1"
    lines[9] = b'9,"first\nsecond \xff"'
    lines[10] = b'10,"a\nb"'
    lines[29] = b"29,\xed\x95"
    extract.write("x.csv", _file(lines))
    landed = extract.land(key=["no"])
    assert landed.rejected == {"undecodable": 3}
    assert (landed.rows_read, landed.rows_landed) == (30, 27)
    assert extract.rejects() == [
        ("x.csv", 5, "undecodable"),
        ("x.csv", 11, "undecodable"),
        ("x.csv", 31, "undecodable"),
    ]
    assert extract.raw_rejects() == [b"3,\xb0\xa1\n", b'9,"first\nsecond \xff"\n', b"29,\xed\x95\n"]
    assert [(r["no"], r["_row"]) for r in extract.rows()] == [(str(n), n + 2) for n in range(30) if n not in (3, 9, 29)]
    assert extract.rows()[9 - 1]["name"] == "a\nb"


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "utf-16", "utf-16-be"])
def test_undecodable_in_other_encodings(extract: Extract, encoding: str) -> None:
    text = "\n".join(["번호,이름", *GOOD]) + "\n"
    stored = text.encode(encoding)
    bad = (
        "\udc00".encode("utf-16-be" if encoding == "utf-16-be" else "utf-16-le", "surrogatepass")
        if "16" in encoding
        else b"\xff"
    )
    place = stored.index("환자7".encode(encoding)[-2 if "16" not in encoding else -4 :])
    stored = stored[:place] + bad + stored[place:]
    extract.write("x.csv", stored)
    landed = extract.land(encoding=encoding, key=["번호"])
    assert landed.rejected == {"undecodable": 1}
    assert extract.rejects()[0][:2] == ("x.csv", next(n for n, line in enumerate(GOOD) if "7" in line) + 2)
    assert bad in extract.raw_rejects()[0]
    assert landed.rows_landed == 29


def test_wrong_number_of_fields_of_both_kinds_with_line_breaks_between(extract: Extract) -> None:
    extract.write("x.csv", 'a,b\n1,"가\n나"\n2\n\n3,다\n4,라,마\n5,"바\n"\n6\n', "cp949")
    landed = extract.land(encoding="cp949", key=["a"])
    assert landed.rejected == {"wrong_number_of_fields": 3}
    assert extract.rejects() == [("x.csv", row, "wrong_number_of_fields") for row in (3, 5, 7)]
    assert extract.raw_rejects() == [b"2", "4,라,마".encode("cp949"), b"6"]
    assert [(r["a"], r["_row"]) for r in extract.rows()] == [("1", 2), ("3", 4), ("5", 6)]


def test_both_kinds_in_one_file_keep_their_numbers(extract: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.landing.delimited.CAREFUL_BLOCK", 512)
    monkeypatch.setattr("dure.landing.records.CAREFUL_CHUNK", 37)
    lines = [f"{n},가{n}".encode() for n in range(1_000)]
    undecodable = {5, 6, 300, 998}
    short = {0, 7, 301, 302, 999}
    for n in undecodable:
        lines[n] = f"{n},".encode() + b"\xff"
    for n in short:
        lines[n] = str(n).encode()
    extract.write("x.csv", _file(lines))
    landed = extract.land(key=["no"])
    assert landed.rejected == {"undecodable": 4, "wrong_number_of_fields": 5}
    assert [row for _, row, _ in extract.rejects()] == sorted(n + 2 for n in undecodable | short)
    assert [(r["no"], r["_row"]) for r in extract.rows()] == [
        (str(n), n + 2) for n in range(1_000) if n not in undecodable | short
    ]


@pytest.mark.parametrize(
    ("last", "rest"), [('30,"열림', ""), ('30,"', ""), ('"30', ",둘\n31,셋\n"), ('30,"열림', "\n31,닫힘\n")]
)
def test_a_quote_that_nothing_closes_costs_its_line_only(extract: Extract, last: str, rest: str) -> None:
    extract.write("x.csv", "\n".join(["no,name", *GOOD, last]) + rest)
    landed = extract.land(key=["no"])
    assert landed.rejected == {"unclosed_quote": 1}
    assert extract.rejects() == [("x.csv", 32, "unclosed_quote")]
    assert landed.rows_landed == 30 + ("31" in rest)


def test_a_record_longer_than_any_is_taken_for_an_open_quote(extract: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.landing.delimited.QUICK_BLOCK", 1 << 10)
    monkeypatch.setattr("dure.landing.records.LONGEST_RECORD", 2_000)
    monkeypatch.setattr("dure.landing.records.CAREFUL_CHUNK", 1_000)
    body = [f"{n},나" for n in range(100, 1_000)]
    extract.write("x.csv", "\n".join(["no,name", *GOOD, '30,"열림', *body, '1000,"끝"', ""]))
    landed = extract.land(key=["no"])
    assert landed.rejected == {"unclosed_quote": 1}
    assert landed.rows_landed == 30 + 900 + 1


def test_rejects_of_several_files(extract: Extract) -> None:
    extract.write("1.csv", "a,b\n1\n1,2\n")
    extract.write("2.csv", b"a,b\n\xff,3\n1,2\n")
    extract.write("3.csv", "a,b\n1,2,3\n")
    landed = extract.land()
    assert landed.rejected == {"undecodable": 1, "wrong_number_of_fields": 2}
    assert extract.rejects() == [
        ("1.csv", 2, "wrong_number_of_fields"),
        ("2.csv", 2, "undecodable"),
        ("3.csv", 2, "wrong_number_of_fields"),
    ]
    assert extract.raw_rejects() == [b"1", b"\xff,3\n", b"1,2,3"]


def test_a_careful_reading_forgets_what_the_quick_one_rejected(extract: Extract) -> None:
    lines = [line.encode() for line in GOOD]
    lines[2], lines[20] = b"2", b"20,\xff"
    extract.write("x.csv", _file(lines))
    landed = extract.land()
    assert landed.rejected == {"undecodable": 1, "wrong_number_of_fields": 1}
    assert extract.raw_rejects() == [b"2", b"20,\xff\n"]


def test_every_reason_says_what_it_means() -> None:
    assert all(re.fullmatch(r"[a-z].{20,}", reason.description) for reason in LandingRejectReason)


# The record pattern against pyarrow's own parser, on text made of what matters to both.
texts = st.text(alphabet='a,"\n\r가', max_size=30)


@given(texts, st.booleans())
@settings(max_examples=400, deadline=None)
def test_records_end_where_pyarrow_ends_them(text: str, quoting: bool) -> None:
    layout = layout_of("x", FileSource(path="x.csv", quote='"' if quoting else ""), Defaults())
    pattern = record_pattern(layout)
    records, start = [], 0
    while start < len(text):
        end = complete_record(pattern, text, start, ended=True)
        if end is None:
            return  # an open quote, which pyarrow closes at the end of the file
        if text[start:end].strip("\r\n"):
            records.append(fields_of(layout, text[start:end]))
        start = end
    assert records == _by_pyarrow(text, quoting)


def _by_pyarrow(text: str, quoting: bool) -> list[list[str]]:
    """Records of any width: what is refused for one width is accepted for its own."""
    found: dict[int, list[str]] = {}
    widths = range(1, 32)
    for width in widths:
        names = [f"c{n}" for n in range(width)]
        refused: list[int] = []

        def refuse(row: pyarrow.csv.InvalidRow, refused: list[int] = refused) -> str:
            refused.append(row.number)
            return "skip"

        if not text:
            return []
        table = pyarrow.csv.open_csv(
            pa.BufferReader(text.encode()),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                quote_char='"' if quoting else False, newlines_in_values=quoting, invalid_row_handler=refuse
            ),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        ).read_all()
        rows = iter(table.to_pylist())
        number = 0
        total = table.num_rows + len(refused)
        while number < total:
            number += 1
            if number not in refused:
                found[number] = list(next(rows).values())
        if len(found) == total:
            break
    return [found[number] for number in sorted(found)]


def test_nothing_is_left_when_a_source_fails(extract: Extract, tmp_path: Path) -> None:
    extract.write("x.csv", b"a,b\n" + b"1\n" * 40)
    with pytest.raises(Exception, match="40 of 40 records cannot be read"):
        extract.land()
    assert list((extract.out / "dx").glob("*")) == []
