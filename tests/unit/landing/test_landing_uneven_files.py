"""Files of one source that are not alike by the spec's leave: without some column, without a byte, with a last line that is no row."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landing_extract import Extract
from pydantic import ValidationError

from dure.errors import SourceError
from dure.landing import header_of
from dure.site.spec import Defaults, FileSource

JANUARY, MARCH = "번호,코드\n1,I10\n", "번호,주부,코드\n2,주,E11\n"


def header(extract: Extract, **spec: object) -> tuple[str, ...]:
    return header_of("dx", FileSource(path="*.csv", **spec), Defaults(), extract.folder)


# ---------------------------------------------------------------- optional


def test_a_column_that_comes_later_is_empty_before(extract: Extract) -> None:
    extract.write("1월.csv", JANUARY)
    extract.write("3월.csv", MARCH)
    landed = extract.land(optional=["주부"], key=["번호"])
    assert landed.columns == ("번호", "코드", "주부") == header(extract, optional=["주부"])
    assert extract.cells() == [("1", "I10", None), ("2", "E11", "주")]


def test_a_column_that_went_is_empty_after(extract: Extract) -> None:
    extract.write("1월.csv", MARCH)
    extract.write("3월.csv", JANUARY)
    extract.land(optional=["주부"], nfkc=["주부"])
    assert extract.cells() == [("2", "주", "주", "E11"), ("1", None, None, "I10")]


def test_a_column_that_no_file_has_yet(extract: Extract) -> None:
    """So a spec may name it before the month in which it comes."""
    extract.write("1월.csv", JANUARY)
    assert extract.land(optional=["주부"], options={"known_columns": ("번호", "코드", "주부")}).new_columns == ()
    assert extract.cells() == [("1", "I10", None)]


def test_a_row_has_one_hash_whether_its_file_lacks_the_column_or_leaves_it_empty(extract: Extract) -> None:
    extract.write("1월.csv", "번호,코드\n1,I10\n")
    extract.write("3월.csv", "번호,주부,코드\n1,,I10\n")
    extract.land(optional=["주부"])
    first, second = extract.rows()
    assert (first["_row_hash"], first["_key"]) == (second["_row_hash"], second["_key"])


def test_other_columns_must_still_be_there(extract: Extract) -> None:
    extract.write("1월.csv", JANUARY)
    extract.write("3월.csv", "번호,주부,상병\n2,주,E11\n")
    with pytest.raises(SourceError) as error:
        extract.land(optional=["주부"])
    assert str(error.value) == (
        "sources.dx 3월.csv: its header differs from that of 1월.csv: has no '코드' and has '상병' besides\n"
        "    export them again, or name columns that not every file has: optional: [...]"
    )


def test_an_optional_column_that_differs_only_in_case(extract: Extract) -> None:
    extract.write("1.csv", "no,Rank\n1,a\n")
    with pytest.raises(SourceError, match="columns 2 and 3 of the header have names that differ only in case"):
        extract.land(optional=["rank"])


def test_parquet_files_may_lack_a_column_too(extract: Extract) -> None:
    pq.write_table(pa.table({"번호": [1], "코드": ["I10"]}), extract.folder / "1.parquet")
    pq.write_table(pa.table({"번호": [2], "코드": ["E11"], "주부": ["주"]}), extract.folder / "2.parquet")
    extract.land("*.parquet", optional=["주부"])
    assert extract.cells() == [("1", "I10", None), ("2", "E11", "주")]


# ---------------------------------------------------------------- may_be_empty


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n", gzip.compress(b"", mtime=0)])
def test_a_file_without_a_row_among_others(extract: Extract, content: bytes) -> None:
    extract.write("0.csv", content)
    extract.write("1.csv", JANUARY)
    landed = extract.land(may_be_empty=True)
    assert (landed.rows_read, [file.path for file in landed.files], landed.warnings) == (1, ["0.csv", "1.csv"], ())
    assert extract.cells() == [("1", "I10")]
    with pytest.raises(SourceError, match=r"0\.csv: the file is empty\n    .*may_be_empty: true"):
        extract.land()


def test_only_empty_files_where_the_spec_names_the_columns(extract: Extract) -> None:
    extract.write("1.csv", "")
    landed = extract.land(may_be_empty=True, header=["번호", "코드"])
    assert (landed.columns, landed.rows_read) == (("번호", "코드"), 0)
    assert [warning.found for warning in landed.warnings] == ["has no rows"]
    fixed = extract.land(may_be_empty=True, format="fixed", columns={"번호": ["1", "2"]})
    assert (fixed.columns, fixed.rows_read) == (("번호",), 0)


def test_only_empty_files_where_a_file_must_name_the_columns(extract: Extract) -> None:
    extract.write("1.csv", "")
    with pytest.raises(SourceError) as error:
        header(extract, may_be_empty=True)
    assert str(error.value) == (
        "sources.dx: every file is empty, so none names the columns\n"
        "    export one again with its header line, or give the names: header: [...]"
    )


# ---------------------------------------------------------------- footer


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
@pytest.mark.parametrize("delimiter", [",", "¦"])
def test_a_last_line_that_is_no_row(extract: Extract, encoding: str, delimiter: str) -> None:
    if (encoding, delimiter) == ("cp949", "¦"):
        delimiter = "§"
    text = '번호,코드\n1,I10\n2,E11\n총 2건\n"(2 rows)"\n'.replace(",", delimiter)
    extract.write("1.csv", text, encoding)
    landed = extract.land(encoding=encoding, delimiter=delimiter, footer=["총 ", "("])
    assert (landed.rows_read, landed.rows_landed, landed.rejected) == (2, 2, {})
    assert extract.cells() == [("1", "I10"), ("2", "E11")]


def test_a_row_with_all_its_fields_is_a_row_whatever_it_begins_with(extract: Extract) -> None:
    extract.write("1.csv", "이름,코드\n총명해,I10\n총 1건\n이어짐\n")
    landed = extract.land(footer=["총"])
    assert (landed.rows_landed, landed.rejected) == (1, {"wrong_number_of_fields": 1})
    assert extract.cells() == [("총명해", "I10")]
    assert extract.rejects() == [("1.csv", 4, "wrong_number_of_fields")]


def test_numbers_of_records_count_the_lines_passed_over(extract: Extract) -> None:
    extract.write("1.csv", "번호,코드\n1,I10\n총 1건\n2,E11\n")
    extract.land(footer="총 ")
    assert [row["_row"] for row in extract.rows()] == [2, 4]


# ---------------------------------------------------------------- what cannot go together


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"path": "a", "optional": ["x"], "header": ["x"]}, "optional in files that do not name their columns"),
        (
            {"path": "a", "optional": ["x"], "format": "fixed", "columns": {"x": ["1", "1"]}},
            "optional in files that do not name their columns",
        ),
        ({"path": "a.parquet", "may_be_empty": "true"}, "may_be_empty with format: parquet"),
        ({"path": "a.parquet", "footer": "총"}, "footer with format: parquet"),
        ({"path": "a", "footer": "총", "format": "fixed", "columns": {"x": ["1", "1"]}}, "footer with format: fixed"),
    ],
)
def test_settings_of_another_format_are_refused(spec: dict[str, object], found: str) -> None:
    with pytest.raises(ValidationError) as error:
        FileSource.model_validate(spec)
    assert [detail["ctx"]["found"] for detail in error.value.errors()] == [found]
