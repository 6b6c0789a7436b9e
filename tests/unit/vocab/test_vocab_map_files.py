from datetime import date

import pytest

from dure.errors import ConfigurationError
from dure.vocab.intervals import FIRST_DAY, LAST_DAY
from dure.vocab.map_files import read_map_file


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "maps" / "lab.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp949"])
def test_omop_s_headers_in_any_case_and_dure_s_own(tmp_path, encoding):
    text = (
        '"SOURCE_CODE",Source_Vocabulary_Id,SOURCE_CODE_DESCRIPTION,TARGET_CONCEPT_ID,VALID_START_DATE,valid_end_date,'
        "INVALID_REASON,code_type,specimen,unit,equivalence,source_concept_id\r\n"
        '" D2800020 ",EDI,"나트륨,\r\n혈청",3019550,20100101,2015-12-31,NA,1,S,mmol/L,WIDER,2000000001\r\n'
        "\r\n"
        "L1,EDI,포도당,0,1970-01-01,20991231,,,,,,\r\n"
    )
    first, second = read_map_file(written(tmp_path, text, encoding)).rows
    assert (first.file, first.row, first.vocabulary, first.code) == ("maps/lab.csv", 2, "EDI", "D2800020")
    assert (first.code_type, first.specimen, first.unit) == ("1", "S", "mmol/L")
    assert (first.target, first.source_concept_id, first.equivalence) == (3019550, 2_000_000_001, "wider")
    assert (first.start, first.end) == (date(2010, 1, 1).toordinal(), date(2015, 12, 31).toordinal())
    assert (second.row, second.target, second.fault, second.equivalence) == (5, 0, None, "equal")
    assert (second.start, second.end) == (FIRST_DAY, LAST_DAY)


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (",,", "target_missing"),
        ("NA,,", "target_missing"),
        ("4154551.0,,", "target_not_an_id"),
        ("4.32E+14,,", "target_not_an_id"),
        ("-1,,", "target_not_an_id"),
        ("2147483648,,", "target_not_an_id"),
        ("１２,,", "target_not_an_id"),
        ("7,20210230,", "date_unreadable"),
        ("7,,31/12/2020", "date_unreadable"),
        ("7,2020-01-01,2019-12-31", "validity_reversed"),
        ("7,0000-00-00,", "date_unreadable"),
    ],
)
def test_a_row_that_cannot_be_trusted_stays_with_its_fault(tmp_path, cells, fault):
    text = f"source_code,target_concept_id,valid_start_date,valid_end_date\nA,{cells}\n"
    [row] = read_map_file(written(tmp_path, text)).rows
    assert (row.fault, row.target, row.start, row.end) == (fault, None, FIRST_DAY, LAST_DAY)


def test_retired_rows_are_left_out_and_rows_without_code_told(tmp_path):
    text = "source_code\ttarget_concept_id\tinvalid_reason\nA\t1\tD\nB\t2\tu\n\t3\t\nC\t4\tX\nD\t5\t\n"
    file = read_map_file(written(tmp_path, text))
    assert [(row.code, row.target, row.fault) for row in file.rows] == [
        ("C", None, "invalid_reason_unknown"),
        ("D", 5, None),
    ]
    assert file.without_code == (4,)


@pytest.mark.parametrize(
    ("content", "where", "found"),
    [
        (b"", "1", "the file is empty"),
        (b"source_code,target\n", "1", "no column target_concept_id"),
        (b"source_code,Source_Code,target_concept_id\n", "1", "columns named twice: source_code"),
        (b"source_code,target_concept_id\nA,1\nB,2,3\n", "3", "3 fields, the header has 2"),
        (b'source_code,target_concept_id\nA,1\n"B,2\n', "3", "not readable as CSV"),
        ("source_code,target_concept_id\nA,1\nÉ,2\n".encode("latin-1"), "3", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, where, found):
    path = tmp_path / "map.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        read_map_file(path)
    [problem] = refused.value.problems
    assert problem.where == f"{path}:{where}" and problem.found.startswith(found)


def test_a_map_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match=r"lab\.csv: cannot be read"):
        read_map_file(tmp_path / "lab.csv")
