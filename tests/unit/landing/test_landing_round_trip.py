"""Whatever Python's csv module writes, in any codec and layout, lands as it was."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from pathlib import Path

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
