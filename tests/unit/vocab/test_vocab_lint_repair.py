"""`--fix`: what it changes, what it leaves byte by byte."""

from __future__ import annotations

import csv
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dure.errors import ConfigurationError
from dure.vocab.lint import lint
from dure.vocab.lint.repair import Repaired, repaired
from dure.vocab.maps import read_map


def fixed(folder: Path, content: bytes, name: str = "지도.csv") -> Repaired | None:
    path = folder / name
    path.write_bytes(content)
    return repaired(read_map(path), None, lint)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("codec", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("cp949", b""),
    ],
)
def test_only_the_cells_that_are_wrong_change(tmp_path: Path, end: str, codec: str, mark: bytes) -> None:
    before = end.join(
        [
            '"source_vocabulary_id",source_code,"target_concept_id",source_code_description,invalid_reason',
            '"Korean EDI","A1100",4154551.0,"가, ""나""",NA',
            'EDI,"A1101",4154551,"두 줄' + end + '설명",',
            'EDI,A1102 ,"4154551.0",   ,',
            "",
            "EDI,A1102,4154551.0,아래,NA",
        ]
    )
    after = end.join(
        [
            '"source_vocabulary_id",source_code,"target_concept_id",source_code_description,invalid_reason',
            '"EDI","A1100",4154551,"가, ""나""",',
            'EDI,"A1101",4154551,"두 줄 설명",',
            'EDI,A1102,"4154551",   ,',
            "",
            "EDI,A1102,4154551,아래,",
        ]
    )
    result = fixed(tmp_path, mark + before.encode(codec))
    assert result is not None
    assert result.content == mark + after.encode(codec)
    assert (tmp_path / "지도.csv").read_bytes() == mark + before.encode(codec)


def test_a_repeated_row_goes_and_the_difference_is_one_that_patch_applies(tmp_path: Path) -> None:
    before = 'source_code,target_concept_id,comment\nA,1.0,"두\n줄"\nB,2,\nB,2,\nC,3,\nC,3,\nD,4.0,\nE,5,\n'
    result = fixed(tmp_path, before.encode())
    assert result is not None
    assert result.content.decode() == 'source_code,target_concept_id,comment\nA,1,"두 줄"\nB,2,\nC,3,\nD,4,\nE,5,\n'
    assert result.changes == 5
    if shutil.which("patch") is None:
        pytest.skip("no patch on this machine to apply the difference with")
    (tmp_path / "diff").write_text(result.difference + "\n", "utf-8")
    subprocess.run(
        ["patch", "-s", str(tmp_path / "지도.csv"), str(tmp_path / "diff")], check=True, capture_output=True, timeout=20
    )
    assert (tmp_path / "지도.csv").read_bytes() == result.content


def test_what_is_not_certain_stays(tmp_path: Path) -> None:
    text = "source_code,source_code_description,target_concept_id\nD 28,가ㆍ나 1∼2,4.32E+14\nNA,Ⅱ형,\n"
    assert fixed(tmp_path, text.encode()) is None


def test_repairs_uncover_others(tmp_path: Path) -> None:
    """White space around a full-width float: three rounds."""
    result = fixed(
        tmp_path, "source_vocabulary_id,source_code,target_concept_id\nEDI,\u200bＡ1100 ,4154551.0 \n".encode()
    )
    assert result is not None
    assert result.content.decode().splitlines()[1] == "EDI,A1100,4154551"


def test_a_workbook_keeps_its_formulas_and_formats(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["source_vocabulary_id", "source_code", "target_concept_id", "sum", "invalid_reason"])
    sheet.append(["Korean EDI", "A1100 ", "4154551.0", "=1+1", "NA"])
    sheet.append(["EDI", "A1101", 4154551, None, None])
    sheet.append(["EDI", "A1101", 4154551, None, None])
    sheet["A3"].font = openpyxl.styles.Font(bold=True)
    book.create_sheet("메모").append(["그대로"])
    book.save(tmp_path / "a.xlsx")
    result = fixed(tmp_path, (tmp_path / "a.xlsx").read_bytes(), "지도.xlsx")
    assert result is not None
    (tmp_path / "b.xlsx").write_bytes(result.content)
    after = openpyxl.load_workbook(tmp_path / "b.xlsx")
    rows = [list(row) for row in after.worksheets[0].iter_rows(values_only=True)]
    assert rows[1:] == [["EDI", "A1100", "4154551", "=1+1", None], ["EDI", "A1101", 4154551, None, None]]
    assert after.worksheets[0]["A3"].font.bold
    assert after["메모"]["A1"].value == "그대로"
    assert "-source_vocabulary_id: Korean EDI\n+source_vocabulary_id: EDI" in result.difference


def test_a_workbook_that_a_repair_would_harm_is_refused(tmp_path: Path) -> None:
    from openpyxl.chart import BarChart, Reference

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["source_code", "target_concept_id"])
    sheet.append(["A1100 ", 7])
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=2))
    sheet.add_chart(chart)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ConfigurationError, match="drawings"):
        fixed(tmp_path, (tmp_path / "a.xlsx").read_bytes(), "지도.xlsx")


def test_cp949_that_lacks_a_repaired_character_is_left_alone(tmp_path: Path) -> None:
    text = "source_code,source_code_description,target_concept_id\nA ,가나,7\n"
    result = fixed(tmp_path, text.encode("cp949"))
    assert result is not None and result.content.decode("cp949").splitlines()[1] == "A,가나,7"


CELLS = st.text(st.sampled_from('A1 .0"\t,가\u200bＡNA-'), max_size=6)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5))
def test_repairing_twice_is_repairing_once_and_adds_no_finding(
    tmp_path: Path, rows: list[tuple[str, str, str]]
) -> None:
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([("source_code", "target_concept_id", "comment"), *rows])
    result = fixed(tmp_path, out.getvalue().encode())
    if result is not None:
        assert fixed(tmp_path, result.content) is None
        after = read_map(tmp_path / "지도.csv")
        assert not any(finding.edits for finding in lint(after))
