"""Whatever Python's csv module writes, in any codec and layout, lands as it was."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landing_extract import Extract

from dure.landing import key_text_of

CODECS = ["utf-8", "utf-8-sig", "cp949", "euc-kr", "utf-16", "utf-16-le", "utf-32"]
# Every character that means something to a reader, and Hangul that EUC-KR has.
ALPHABET = "aZ09 ,|\t\"'\\\n\r.가힣ㄱ㎎"


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(1, 4))
    cell = st.one_of(st.text(ALPHABET, max_size=6), st.just(""))
    rows = draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=12))
    return [f"열{n}" for n in range(width)], rows


def _lands_as(cell: str) -> str | None:
    return cell.strip() or None


@given(
    table=tables(),
    codec=st.sampled_from(CODECS),
    delimiter=st.sampled_from([",", "|", "\t", ";"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    packed=st.booleans(),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_csv_writes_lands(
    table: tuple[list[str], list[list[str]]], codec: str, delimiter: str, quoting: int, line_end: str, packed: bool
) -> None:
    names, rows = table
    if quoting == csv.QUOTE_MINIMAL:
        # Python before 3.13 leaves a lone \r unquoted, which is then a line end to every reader.
        rows = [[cell.replace("\r", "\n") for cell in row] for row in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    writer.writerow(names)
    writer.writerows(rows)
    stored = text.getvalue().encode(codec)
    with tempfile.TemporaryDirectory() as folder:
        extract = Extract(Path(folder))
        extract.write("x.csv", gzip.compress(stored) if packed else stored)
        landed = extract.land(encoding=codec, delimiter=delimiter, key=names[:2])
        expected = [tuple(map(_lands_as, row)) for row in rows]
        assert extract.cells() == expected
        assert [r["_key"] for r in extract.rows()] == [key_text_of(row[:2]) for row in expected]
        assert [r["_row"] for r in extract.rows()] == list(range(2, len(rows) + 2))
        assert (landed.rows_read, landed.rejected) == (len(rows), {})


@given(
    table=tables().filter(lambda table: len(table[0]) > 1),
    codec=st.sampled_from(["utf-8", "cp949", "utf-16-le", "utf-32-be"]),
    broken=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=4),
    chunk=st.sampled_from([16, 1 << 20]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_broken_records_cost_nothing_but_themselves(
    table: tuple[list[str], list[list[str]]], codec: str, broken: list[tuple[int, bool]], chunk: int
) -> None:
    """Records with undecodable bytes or a field too many, put anywhere, change neither the others nor their numbers."""
    names, rows = table
    records: list[tuple[list[str], str | None]] = [(row, None) for row in rows]
    for place, undecodable in broken:
        reason = "undecodable" if undecodable else "wrong_number_of_fields"
        records.insert(place, (["x"] * (len(names) + (not undecodable)), reason))
    # No field ends the characters of UTF-16 or UTF-32 out of step: a lone low surrogate, a code point beyond Unicode.
    wrong = {"utf-8": b"\xff", "cp949": b"\xff", "utf-16-le": b"\x00\xdc", "utf-32-be": b"\x7f\x00\x00\x00"}[codec]
    stored = b""
    for record, reason in [(names, None), *records]:
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(record)
        line = text.getvalue().encode(codec)
        if reason == "undecodable":
            quote = '"x'.encode(codec)
            line = line.replace(quote, quote + wrong, 1)
        stored += line
    extra = [(["끝"] * len(names), None)] * max(0, 12 + len(broken) - len(rows))
    for record, _ in extra:
        stored += (",".join(record) + "\n").encode(codec)
    expected = [
        (number, tuple(map(_lands_as, record)))
        for number, (record, reason) in enumerate([*records, *extra], 2)
        if reason is None
    ]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("dure.landing.records.CAREFUL_CHUNK", chunk)
        extract = Extract(Path(folder))
        extract.write("x.csv", stored)
        landed = extract.land(encoding=codec)
        assert list(zip([r["_row"] for r in extract.rows()], extract.cells(), strict=True)) == expected
        assert [(row, reason) for _, row, reason in extract.rejects()] == [
            (number, reason) for number, (_, reason) in enumerate(records, 2) if reason is not None
        ]
        assert landed.rows_read == len(records) + len(extra)
