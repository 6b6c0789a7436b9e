"""Delimited files of every kind land as the same text."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import json
import stat

import pyarrow.parquet as pq
import pytest
from landing_extract import Extract

# 똠, 쀍 and 햏 are in CP949, not in EUC-KR (KS X 1001).
ROWS = '환자번호,진단명,비고\n0001,고혈압,똠방각하\n0002,"당뇨, 제2형",쀍\n0003,"여러\n줄","큰""따옴표"""\n0004,,햏\n'
CELLS = [
    ("0001", "고혈압", "똠방각하"),
    ("0002", "당뇨, 제2형", "쀍"),
    ("0003", "여러\n줄", '큰"따옴표"'),
    ("0004", None, "햏"),
]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"]
)
def test_every_codec_lands_the_same_text(extract: Extract, encoding: str) -> None:
    extract.write("진단.csv", ROWS, encoding)
    landed = extract.land("진단.csv", encoding=encoding, key=["환자번호"])
    assert extract.cells() == CELLS
    assert landed.columns == ("환자번호", "진단명", "비고")
    assert [(r["_file"], r["_row"], r["_key"]) for r in extract.rows()] == [
        ("진단.csv", 2, "0001"),
        ("진단.csv", 3, "0002"),
        ("진단.csv", 4, "0003"),
        ("진단.csv", 5, "0004"),
    ]
    assert (landed.rows_read, landed.rows_landed, landed.rejected, landed.opted_out) == (4, 4, {}, 0)


def test_euc_kr(extract: Extract) -> None:
    extract.write("진단.csv", "환자번호,진단명\n1,폐렴\n", "euc-kr")
    extract.land(encoding="euc-kr")
    assert extract.cells() == [("1", "폐렴")]


def test_a_mark_at_the_top_is_tolerated_in_utf_8_and_in_utf_16_of_declared_order(extract: Extract) -> None:
    extract.write("a.csv", codecs.BOM_UTF8 + "번호,값\n1,가\n".encode())
    extract.land("a.csv", encoding="utf-8", key=["번호"])
    assert extract.cells() == [("1", "가")]
    extract.write("b.csv", codecs.BOM_UTF16_LE + "번호,값\n1,가\n".encode("utf-16-le"))
    extract.land("b.csv", encoding="utf-16-le", key=["번호"])
    assert extract.cells() == [("1", "가")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("ends", [True, False])
def test_line_ends(extract: Extract, newline: str, ends: bool) -> None:
    text = newline.join(["a,b", "1,가", "", "2,나"]) + (newline if ends else "")
    extract.write("x.csv", text)
    extract.land()
    assert extract.cells() == [("1", "가"), ("2", "나")]
    # a line without a character is no record
    assert [row["_row"] for row in extract.rows()] == [2, 3]


@pytest.mark.parametrize("delimiter", ["\t", "|", ";", "^", "\x01", "§", "∥"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_any_delimiter_beyond_ascii_too(extract: Extract, delimiter: str, encoding: str) -> None:
    lines = [f"번호{delimiter}값", f"1{delimiter}가/나\\", f'2{delimiter}"다{delimiter}라"']
    extract.write("x.txt", "\n".join(lines) + "\n", encoding)
    extract.land("x.txt", delimiter=delimiter, encoding=encoding, key=["번호"])
    assert extract.cells() == [("1", "가/나\\"), ("2", f"다{delimiter}라")]


def test_another_quote_and_none(extract: Extract) -> None:
    extract.write("x.csv", "a,b\n'가,나',\"다\n")
    extract.land(quote="'")
    assert extract.cells() == [("가,나", '"다')]
    extract.write("x.csv", 'a,b\n"가,"나"\n')
    extract.land(quote="")
    assert extract.cells() == [('"가', '"나"')]


def test_given_names_and_skipped_lines(extract: Extract) -> None:
    extract.write("x.csv", "보고서\r\n\r\n1,가\r\n2,나\r\n", "cp949")
    extract.land(header=["번호", "값"], skip_lines=2, encoding="cp949", key=["번호"])
    assert [(r["번호"], r["값"], r["_row"]) for r in extract.rows()] == [("1", "가", 3), ("2", "나", 4)]
    extract.write("x.csv", "보고서\n번호,값\n1,가\n")
    extract.land(skip_lines=1)
    assert [(r["번호"], r["_row"]) for r in extract.rows()] == [("1", 3)]


def test_names_are_trimmed_and_composed(extract: Extract) -> None:
    extract.write("x.csv", ' "환자번호" , 값 \n1,가\n'.replace(' "', '"').replace("환자번호", "환자번호"))
    assert extract.land(key=["환자번호"]).columns == ("환자번호", "값")


def test_space_around_values_and_null_values(extract: Extract) -> None:
    extract.write("x.csv", 'a,b,c\n 1 ,"\u3000가 나\u00a0",NULL\n"  ",\t, null \n"NULL"," NULL ",""\n')
    extract.land(null_values=["NULL"])
    assert extract.cells() == [("1", "가 나", None), (None, None, "null"), (None, None, None)]


def test_nfkc_beside_the_source_text(extract: Extract) -> None:
    extract.write("x.csv", "번호,단위\n1,㎎\n2,mg\n3,５㎕\n4,\n")
    landed = extract.land(nfkc=["단위"], key=["번호"])
    assert landed.columns == ("번호", "단위", "단위_nfkc")
    assert extract.cells() == [("1", "㎎", "mg"), ("2", "mg", "mg"), ("3", "５㎕", "5μl"), ("4", None, None)]
    with_it = extract.rows()
    extract.land(key=["번호"])
    assert [r["_row_hash"] for r in extract.rows()] == [r["_row_hash"] for r in with_it]


def test_gzip_by_its_first_bytes_and_the_ledger_names_the_stored_bytes(extract: Extract) -> None:
    stored = gzip.compress(ROWS.encode("cp949")[:40]) + gzip.compress(ROWS.encode("cp949")[40:])
    path = extract.write("진단.csv.gz", stored)
    landed = extract.land("진단.csv*", encoding="cp949")
    assert extract.cells() == CELLS
    assert landed.files[0].path == "진단.csv.gz"
    assert (landed.files[0].bytes, landed.files[0].sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    path.rename(extract.folder / "진단.csv")
    extract.land("진단.csv", encoding="cp949")
    assert extract.cells() == CELLS


def test_files_in_the_order_of_names_with_columns_by_name(extract: Extract) -> None:
    extract.write("b/진단_2.csv", "값,번호\n나,2\n")
    extract.write("b/진단_1.csv", "번호,값\n1,가\n")
    landed = extract.land("**/진단_*.csv", key=["번호"])
    assert [(r["_file"], r["번호"], r["값"]) for r in extract.rows()] == [
        ("b/진단_1.csv", "1", "가"),
        ("b/진단_2.csv", "2", "나"),
    ]
    assert [file.path for file in landed.files] == ["b/진단_1.csv", "b/진단_2.csv"]
    assert extract.table().schema.names == ["번호", "값", "_file", "_row", "_key", "_row_hash"]


def test_a_hangul_name_stored_decomposed_is_found(extract: Extract) -> None:
    extract.write("진단.csv", "a\n1\n")
    extract.land("진단.csv")
    assert extract.cells() == [("1",)]


def test_a_link_to_a_file_of_the_source_is_read_once(extract: Extract) -> None:
    target = extract.write("2024.csv", "a\n1\n")
    (extract.folder / "0_latest.csv").symlink_to(target)
    landed = extract.land()
    assert [row["_file"] for row in extract.rows()] == ["2024.csv"]
    assert [str(w) for w in landed.warnings] == [
        "sources.dx 0_latest.csv: is the same file as 2024.csv\n    it is read once"
    ]


def test_a_header_without_rows_is_landed_with_a_warning(extract: Extract) -> None:
    extract.write("x.csv", "번호,값\n\n")
    landed = extract.land(key=["번호"])
    assert (landed.rows_read, extract.rows()) == (0, [])
    assert extract.table().schema.names == ["번호", "값", "_file", "_row", "_key", "_row_hash"]
    assert [w.found for w in landed.warnings] == ["has no rows"]


def test_columns_that_came(extract: Extract) -> None:
    extract.write("x.csv", "번호,값,새열\n1,가,나\n")
    landed = extract.land(nfkc=["값"], options={"known_columns": ("값", "값_nfkc", "번호")})
    assert landed.new_columns == ("새열",)
    assert [w.found for w in landed.warnings] == ["new columns: 새열"]


def test_opted_out_rows_leave_their_place_only(extract: Extract) -> None:
    extract.write("x.csv", "병원,환자,값\nA,1,가\nA,2,나\nB,1,다\n,1,라\n")
    landed = extract.land(
        key=["환자", "값"], options={"person": ("병원", "환자"), "opted_out": frozenset({"A|2", "B|1", "C|9"})}
    )
    assert [r["값"] for r in extract.rows()] == ["가", "라"]
    assert (landed.rows_read, landed.rows_landed, landed.opted_out) == (4, 2, 2)
    assert pq.read_table(extract.out / "_opted_out" / "dx.parquet").to_pylist() == [
        {"_file": "x.csv", "_row": 3, "_key": "2|나"},
        {"_file": "x.csv", "_row": 4, "_key": "1|다"},
    ]


def test_landing_again_leaves_nothing_of_the_time_before(extract: Extract) -> None:
    extract.write("1.csv", "a,b\n1,2\n1\n")
    extract.write("2.csv", "a,b\n3,4\n")
    extract.land(options={"person": ("a",), "opted_out": frozenset({"3"})})
    extract.land("2.csv")
    assert extract.cells() == [("3", "4")]
    assert sorted(p.name for p in extract.out.rglob("*") if p.is_file()) == ["dx.json", "part-00000.parquet"]


def test_the_result_is_plain_json(extract: Extract) -> None:
    extract.write("x.csv", "a,b\n1,2\n3\n")
    landed = extract.land()
    assert json.loads(json.dumps(landed.as_json()))["rejected"] == {"wrong_number_of_fields": 1}
    assert stat.S_IMODE((extract.out / "_rejects" / "dx.raw").stat().st_mode) == 0o600


def test_a_large_file_goes_through_many_blocks_with_right_numbers(
    extract: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dure.landing.delimited.QUICK_BLOCK", 1 << 10)
    monkeypatch.setattr("dure.landing.parts.GROUP_ROWS", 700)
    lines = [f'{n},"가\n나 {n}"' if n % 7 == 0 else f"{n},다" for n in range(5_000)]
    extract.write("x.csv", "번호,값\n" + "\n".join(lines))
    extract.land(key=["번호"])
    assert [(r["번호"], r["_row"]) for r in extract.rows()] == [(str(n), n + 2) for n in range(5_000)]
    groups = pq.read_metadata(extract.out / "dx" / "part-00000.parquet").num_row_groups
    assert 5 <= groups <= 8


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_head_that_comes_in_pieces(
    extract: Extract, monkeypatch: pytest.MonkeyPatch, encoding: str, size: int
) -> None:
    monkeypatch.setattr("dure.landing.records.HEAD_CHUNK", size)
    extract.write("x.csv", '제목\r\n\r\n"환자\r\n""번호""",값\r\n1,가\r\n', encoding)
    landed = extract.land(encoding=encoding, skip_lines=1)
    assert landed.columns == ('환자\r\n"번호"', "값")
    assert [row["_row"] for row in extract.rows()] == [3]
