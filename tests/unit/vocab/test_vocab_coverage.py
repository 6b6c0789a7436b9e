"""Coverage and work lists, counted from hand-written records of codes."""

import pyarrow as pa
import pytest

from dure.errors import ConfigurationError
from dure.vocab.coverage import CODE_RECORDS, CODE_RECORDS_FILE, code_records_table, coverage, read_code_records
from dure.vocab.map_files import read_map_file
from dure.vocab.spreadsheet import as_written, csv_text, neutral, write_csv
from dure.vocab.worklist import COLUMNS, worklist

NOTHING = dict.fromkeys(CODE_RECORDS.names) | {
    "source": "lab",
    "table": "measurement",
    "role": "code",
    "source_concept_id": 0,
    "target_concept_id": 0,
    "targets": "",
    "authority": "none",
    "domain_id": "Measurement",
}


def row(code, status, records, year=2024, **more):
    return NOTHING | {"vocabulary": "LAB", "code": code, "status": status, "records": records, "year": year} | more


def counted(rows, by):
    names = ("codes", "codes_mapped", "codes_wider", "codes_unmapped", "codes_invalid", "records", "records_mapped")
    return [tuple(line[name] for name in (*by, *names)) for line in coverage(code_records_table(rows), by)]


def test_codes_and_records_by_year():
    rows = [
        row("혈당", "mapped", 10, 2023),
        row("혈당", "mapped", 20, 2024),
        row("나트륨", "wider", 3),
        row("칼륨", "unmapped", 4),
        row("철", "invalid", 1),
    ]
    assert counted(rows, ["year"]) == [(2023, 1, 1, 0, 0, 0, 10, 10), (2024, 4, 1, 1, 1, 1, 28, 20)]
    assert counted(rows, []) == [(4, 1, 1, 1, 1, 38, 30)]


def test_a_code_counts_once_by_the_worst_that_became_of_it():
    rows = [row("혈당", "mapped", 10, 2023), row("혈당", "unmapped", 1, 2024)]
    assert counted(rows, ["vocabulary"]) == [("LAB", 1, 0, 0, 1, 0, 11, 10)]


def test_one_code_of_two_specimens_is_two():
    rows = [row("혈당", "mapped", 1, specimen="혈액"), row("혈당", "unmapped", 1, specimen="소변")]
    assert counted(rows, []) == [(2, 1, 0, 1, 0, 2, 1)]


def test_groups_without_a_value_come_first_and_are_kept():
    rows = [row("A", "mapped", 1, year=None, vocabulary=None), row("A", "mapped", 2)]
    assert counted(rows, ["vocabulary", "year"]) == [
        (None, None, 1, 1, 0, 0, 0, 1, 1),
        ("LAB", 2024, 1, 1, 0, 0, 0, 2, 2),
    ]


def test_nothing_at_all_is_no_line():
    assert coverage(code_records_table([]), ["vocabulary"]) == []
    assert worklist(code_records_table([]), {}) == []


def test_worklist_ranks_by_records_and_adds_up_to_one():
    rows = [
        row("NA", "unmapped", 6, 2023, description="나트륨", specimen="혈액"),
        row("NA", "unmapped", 1, 2020, description="나트륨", specimen="혈액"),
        row("K", "invalid", 3),
        row("GLU", "mapped", 100),
    ]
    key = ("lab", "measurement", "code", "LAB", "K", None, None, None)
    units = {key: {"mmol/L": 2, "mEq/L": 9}}
    found = [dict(zip(COLUMNS, line, strict=True)) for line in worklist(code_records_table(rows), units)]
    assert [(each["rank"], each["code"], each["records"], each["cumulative_share"]) for each in found] == [
        (1, "NA", 7, "0.7000"),
        (2, "K", 3, "1.0000"),
    ]
    assert (found[0]["name"], found[0]["first_year"], found[0]["last_year"], found[0]["specimen"]) == (
        "나트륨",
        2020,
        2023,
        "혈액",
    )
    assert (found[1]["name"], found[1]["units"], found[1]["status"]) == ("K", "mEq/L; mmol/L", "invalid")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+82-2", "'+82-2"),
        ("-", "'-"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "' =1"),
        ("＝1", "'＝1"),
        ("둘째\r\n줄", "둘째 줄"),
        ("\n=1", "' =1"),
        ("혈당", "혈당"),
        ("D50.9", "D50.9"),
        (-5, -5),
        (None, None),
    ],
)
def test_no_cell_is_a_formula_or_breaks_its_line(cell, written):
    assert neutral(cell) == written


@pytest.mark.parametrize("cell", ["=1+1", "-", "혈당", "'quoted", "'"])
def test_a_neutralised_cell_can_be_read_back(cell):
    assert as_written(neutral(cell)) == cell


def test_a_map_made_of_a_work_list_speaks_for_the_code_itself(tmp_path):
    write_csv(tmp_path / "map.csv", ["source_code", "target_concept_id"], [["=SUM(A1)", 5], ["-", 6], ["GLU", 7]])
    assert [(row.code, row.target) for row in read_map_file(tmp_path / "map.csv").rows][::2] == [
        ("=SUM(A1)", 5),
        ("GLU", 7),
    ]


def test_csv_for_spreadsheets_has_a_bom_and_quotes(tmp_path):
    write_csv(tmp_path / "표.csv", ["이름", "수"], [['가,"나"', 1], [None, 2]])
    assert (tmp_path / "표.csv").read_bytes() == '\ufeff이름,수\n"가,""나""",1\n,2\n'.encode()
    assert csv_text(["a"], []) == "a\n"


def test_evidence_that_is_missing_or_foreign_is_said(tmp_path):
    import pyarrow.parquet as pq

    with pytest.raises(ConfigurationError, match="no such file"):
        read_code_records(tmp_path, "bada")
    (tmp_path / CODE_RECORDS_FILE).write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="cannot be read as Parquet"):
        read_code_records(tmp_path, "bada")
    pq.write_table(pa.table({"code": ["x"]}), tmp_path / CODE_RECORDS_FILE)
    with pytest.raises(ConfigurationError, match="has other columns"):
        read_code_records(tmp_path, "bada")
    pq.write_table(code_records_table([row("A", "mapped", 1)]), tmp_path / CODE_RECORDS_FILE)
    assert read_code_records(tmp_path, "bada").column("site").to_pylist() == ["bada"]


def test_what_usagi_saves_of_a_work_list_keeps_vocabulary_and_specimen(tmp_path):
    added = "ADD_INFO:vocabulary,ADD_INFO:specimen"
    header = f"sourceCode,sourceName,sourceFrequency,{added},matchScore,mappingStatus,equivalence,conceptId,mappingType"
    path = tmp_path / "usagi.csv"
    path.write_text(f"{header}\nGLU,혈당,3,LAB,혈액,0.9,APPROVED,EQUAL,3004501,MAPS_TO\n", "utf-8")
    assert [(row.vocabulary, row.specimen, row.target) for row in read_map_file(path).rows] == [
        ("LAB", "혈액", 3004501)
    ]
