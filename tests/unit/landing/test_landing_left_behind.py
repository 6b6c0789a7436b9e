"""Columns that a site leaves out: read and checked like the others, but not kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landing_extract import Extract

LEFT = {"left_behind": frozenset({"주민번호", "비고"})}
TEXT = "번호,주민번호,값,비고\n1,800101-1,가,x\n1,,가,\n2,800101-2,나,끝\n"


def test_they_are_not_in_the_landing_but_in_the_ledger(extract: Extract) -> None:
    extract.write("1.csv", TEXT)
    landed = extract.land(key=["번호"], options=LEFT)
    assert extract.cells() == [("1", "가"), ("1", "가"), ("2", "나")]
    assert landed.columns == ("번호", "주민번호", "값", "비고")
    assert landed.new_columns == ()


def test_rows_that_differ_only_there_have_one_hash_and_order_does_not_matter(extract: Extract) -> None:
    extract.write("1.csv", TEXT)
    extract.write("2.csv", "비고,값,번호,주민번호\nx,가,1,\n")
    extract.land(key=["번호"], options=LEFT)
    hashes = [row["_row_hash"] for row in extract.rows()]
    assert hashes[0] == hashes[1] == hashes[3] != hashes[2]


def test_they_still_name_the_rows_of_a_source_without_a_key(extract: Extract) -> None:
    extract.write("1.csv", TEXT)
    extract.land(options=LEFT)
    rows = extract.rows()
    # names in order: 값, 번호, 비고, 주민번호
    assert [row["_key"] for row in rows] == ["가|1|x|800101-1", "가|1|\\N|\\N", "나|2|끝|800101-2"]
    assert extract.cells() == [("1", "가"), ("1", "가"), ("2", "나")]
    whole = [row["_row_hash"] for row in rows]
    keys = [row["_key"] for row in rows]
    extract.land()
    assert [row["_row_hash"] for row in extract.rows()] == whole
    assert [row["_key"] for row in extract.rows()] == keys


def test_keys_normalised_columns_and_persons_are_kept_whatever_is_said(extract: Extract) -> None:
    extract.write("1.csv", "번호,환자,값,비고\n1,Ａ,㎎,x\n")
    options = {"left_behind": frozenset({"번호", "환자", "값", "비고"}), "person": ("환자",)}
    extract.land(key=["번호"], nfkc=["값"], options=options)
    assert extract.cells() == [("1", "Ａ", "㎎", "mg")]


def test_a_record_that_is_wrong_there_is_rejected(extract: Extract) -> None:
    good = "".join(f"{n},a,가,b\n" for n in range(2, 30)).encode()
    extract.write("1.csv", "번호,주민번호,값,비고\n".encode() + good + b"30,\xff\xfe,x,y\n31,a,b\n32,a,b,c,d\n")
    landed = extract.land(key=["번호"], options=LEFT)
    assert landed.rejected == {"undecodable": 1, "wrong_number_of_fields": 2}
    assert landed.rows_landed == 28


def test_a_quote_left_open_in_the_last_column_is_found_though_it_is_not_kept(extract: Extract) -> None:
    lines = "".join(f"{n},a,가,b\n" for n in range(2, 30))
    extract.write("1.csv", f'번호,주민번호,값,비고\n{lines}30,a,나,"끝\n31,a,다,b\n')
    landed = extract.land(key=["번호"], options=LEFT)
    assert landed.rejected == {"unclosed_quote": 1}
    assert extract.cells()[-1] == ("31", "다")


@pytest.mark.parametrize("kind", ["parquet", "fixed"])
def test_other_formats(extract: Extract, kind: str) -> None:
    if kind == "parquet":
        table = pa.table({"번호": ["1", "2"], "주민번호": ["x", "y"], "값": [1.5, None], "비고": [True, False]})
        pq.write_table(table, Path(extract.folder) / "1.parquet")
        extract.land("*.parquet", key=["번호"], options=LEFT, format="parquet")
        assert extract.cells() == [("1", "1.5"), ("2", None)]
    else:
        extract.write("1.txt", "1xx가\n2yy나\n")
        places = {"번호": [1, 1], "주민번호": [2, 2], "값": [4, 1]}
        extract.land("*.txt", key=["번호"], options=LEFT, format="fixed", columns=places)
        assert extract.cells() == [("1", "가"), ("2", "나")]
