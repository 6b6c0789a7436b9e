"""Maps of every format: read as one model, written back without loss."""

from __future__ import annotations

import csv
import dataclasses
from datetime import date
from io import StringIO
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dure.errors import ConfigurationError
from dure.vocab.lint import lint
from dure.vocab.map_files import read_map_file
from dure.vocab.maps import FORMATS, Format, MapEntry, MapTable, read_map, write_map
from dure.vocab.maps.entry import EQUIVALENCES, MAPPING_TYPES, PLACEHOLDERS, STATUSES, canonical

USAGI = (
    "sourceCode,sourceName,sourceFrequency,sourceAutoAssignedConceptIds,ADD_INFO:규격,matchScore,mappingStatus,"
    "equivalence,statusSetBy,statusSetOn,conceptId,conceptName,domainId,mappingType,comment,createdBy,createdOn,"
    "assignedReviewer\n"
    "L2201,Sodium,120,,5mL,0.81,APPROVED,EQUAL,김검토,1700000000123,3019550,Sodium [Moles/volume],Measurement,MAPS_TO,"
    '"좋음, 확인",이작성,1690000000000,\n'
    "L2202,Glucose,-1,,,0.0,UNCHECKED,UNREVIEWED,,0,0,,,MAPS_TO,,,0,박검토\n"
    "L2203,Urine protein,7,,,1.0,APPROVED,WIDER,김검토,1700000000000,3014051,Protein,Measurement,MAPS_TO,,이작성,1,\n"
    "L2203,Urine protein,7,,,1.0,APPROVED,WIDER,김검토,1700000000000,9191,Positive,Meas Value,MAPS_TO_VALUE,,이작성,1,\n"
)


def written(folder: Path, content: str | bytes, name: str = "지도.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_usagi_s_export(tmp_path: Path) -> None:
    table = read_map(written(tmp_path, USAGI))
    first, second, third, fourth = table.entries()
    assert (table.format, table.has_status) == ("usagi", True)
    assert (first.source_code, first.description, first.frequency) == ("L2201", "Sodium", "120")
    assert (first.status, first.equivalence, first.kind, first.target) == ("approved", "equal", "Maps to", 3019550)
    assert (first.reviewer, first.reviewed_on) == ("김검토", "2023-11-14T22:13:20.123Z")
    assert (first.author, first.authored_on) == ("이작성", "2023-07-22T04:26:40.000Z")
    assert (first.target_concept_name, first.target_domain_id) == ("Sodium [Moles/volume]", "Measurement")
    assert dict(first.extra) == {"규격": "5mL"}
    assert (second.approved, second.target_concept_id, second.frequency, second.equivalence) == (False, "", "", "")
    assert (third.kind, fourth.kind, fourth.target) == ("Maps to", "Maps to value", 9191)


def test_a_run_takes_what_is_approved(tmp_path: Path) -> None:
    file = read_map_file(written(tmp_path, USAGI))
    assert [(row.code, row.target, row.mapping_type, row.equivalence) for row in file.rows] == [
        ("L2201", 3019550, "Maps to", "equal"),
        ("L2203", 3014051, "Maps to", "wider"),
        ("L2203", 9191, "Maps to value", "wider"),
    ]
    assert file.not_approved == ((3, "unchecked"),)


@pytest.mark.parametrize(
    ("statuses", "applied"),
    [
        (["approved", "Approved", "APPROVED "], 3),
        (["", "승인", "auto_mapped", "flagged", "ignored"], 0),
    ],
)
def test_only_approved_applies_where_there_are_statuses(tmp_path: Path, statuses: list[str], applied: int) -> None:
    rows = "".join(f"A{number},7,{status}\n" for number, status in enumerate(statuses))
    file = read_map_file(written(tmp_path, "source_code,target_concept_id,status\n" + rows))
    assert len(file.rows) == applied
    assert len(file.not_approved) == len(statuses) - applied


def test_a_workbook_s_cells_are_what_a_person_sees(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["우리 병원 검사 지도"])
    sheet.append([])
    sheet.append(["Source_Code", "TARGET_CONCEPT_ID", "valid_start_date", "비고", None])
    sheet.append([59900110, 1127433, date(2020, 1, 31), True])
    sheet["A4"].number_format = "000000000"
    sheet.append(["D2800020", 3019550.0, "20200101", 0.5])
    sheet.append([None, None, None, None])
    sheet.append(["370885003", 1.63276910001191e16, None, "=1+1"])
    book.save(tmp_path / "지도.xlsx")
    first, second, third = read_map(tmp_path / "지도.xlsx").entries()
    assert (first.row, first.source_code, first.target, first.valid_start_date) == (
        4,
        "059900110",
        1127433,
        "2020-01-31",
    )
    assert dict(first.extra) == {"비고": "TRUE"}
    assert (second.target, dict(second.extra)) == (3019550, {"비고": "0.5"})
    assert (third.row, third.target, third.target_concept_id) == (7, None, "1.63276910001191e+16")
    assert read_map_file(tmp_path / "지도.xlsx").rows[0].target == 1127433


def test_a_sheet_can_be_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for number, name in enumerate(("가", "나"), 1):
        sheet = book.create_sheet(name)
        sheet.append(["source_code", "target_concept_id"])
        sheet.append([f"K{number}", number])
    book.save(tmp_path / "지도.xlsx")
    assert [entry.source_code for entry in read_map(tmp_path / "지도.xlsx").entries()] == ["K1"]
    assert [entry.source_code for entry in read_map(tmp_path / "지도.xlsx", "나").entries()] == ["K2"]
    with pytest.raises(ConfigurationError, match="no sheet '다'"):
        read_map(tmp_path / "지도.xlsx", "다")


def test_of_annotators_targets_the_agreed_one_is_the_map(tmp_path: Path) -> None:
    text = (
        "concept_code,concept_name,concept_synonym,targetConceptId_a,targetConceptId_b,targetConceptId_fixed,"
        "targetConceptName_fixed\nA1100,Care,의료최고도,1,2,3,Management\n"
    )
    table = read_map(written(tmp_path, text))
    [entry] = table.entries()
    assert (entry.source_code, entry.english, entry.korean) == ("A1100", "Care", "의료최고도")
    assert (entry.target, entry.target_concept_name) == (3, "Management")
    assert dict(entry.extra) == {"targetConceptId_a": "1", "targetConceptId_b": "2"}
    assert set(table.grid.layout.targets) == {"a", "b", "fixed"}


def test_a_bilingual_description_is_two(tmp_path: Path) -> None:
    text = 'source_code,source_code_description,target_concept_id\nA,"Glucose; 당검사[정량], NA",1\nB,나트륨,2\nC,X; NA,3\n'
    entries = list(read_map(written(tmp_path, text)).entries())
    assert [(each.english, each.korean) for each in entries] == [
        ("Glucose", "당검사[정량], NA"),
        ("", "나트륨"),
        ("X", ""),
    ]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp949"])
def test_any_separator_and_encoding(tmp_path: Path, delimiter: str, codec: str) -> None:
    text = "\r\n".join(
        delimiter.join(cells) for cells in (["SOURCE_CODE", "target_concept_id", "비고"], ["똠방1", "7", "각하"])
    )
    [entry] = read_map(written(tmp_path, text.encode(codec))).entries()
    assert (entry.source_code, entry.target, dict(entry.extra)) == ("똠방1", 7, {"비고": "각하"})


@pytest.mark.parametrize(
    "content",
    [
        "source_code,target_concept_id\nÄrzte,1\n".encode("cp1252"),
        "source_code,target_concept_id\nÉ,1\n".encode("latin-1"),
        "source_code,target_concept_id\nкод,1\n".encode("cp1251"),
        b"source_code,target_concept_id\n\xff\xff,1\n",
    ],
)
def test_another_code_page_is_not_taken_for_korean(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="CP949"):
        read_map(written(tmp_path, content))


TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zs", "Zl", "Zp"), include_characters=' ,;"\n가힣㎎'),
    max_size=12,
).map(str.strip)
WORD = TEXT.filter(lambda text: text.upper() not in PLACEHOLDERS)
MOMENT = st.just("") | st.integers(1, 4_000_000_000_000).map(lambda number: canonical("authored_on", str(number)))


ENTRY = st.builds(
    MapEntry,
    row=st.just(2),
    source_vocabulary_id=WORD,
    source_code=WORD.filter(bool),
    code_type=WORD,
    specimen=WORD,
    unit=TEXT,
    description=TEXT,
    description_en=TEXT,
    description_ko=TEXT,
    source_concept_id=st.sampled_from(["", "42364257"]),
    frequency=st.sampled_from(["", "0", "12"]),
    target_concept_id=st.sampled_from(["3019550", "4154551.0", "7"]),
    target_concept_name=WORD,
    target_vocabulary_id=WORD,
    mapping_type=st.sampled_from(MAPPING_TYPES),
    equivalence=st.sampled_from(["", *EQUIVALENCES]),
    status=st.sampled_from(STATUSES),
    match_score=st.sampled_from(["", "0.5", "1.0"]),
    author=WORD,
    authored_on=MOMENT,
    reviewer=WORD,
    reviewed_on=MOMENT,
    valid_start_date=st.sampled_from(["", "2020-01-31", "20991231"]),
    invalid_reason=st.sampled_from(["", "D", "X"]),
    comment=TEXT,
)


def as_dure(entries: list[MapEntry]) -> str:
    names = [field.name for field in dataclasses.fields(MapEntry) if field.name not in ("row", "extra", "needs_status")]
    out = StringIO(newline="")
    rows = [[getattr(entry, name) for name in names] for entry in entries]
    csv.writer(out).writerows([[*names, "우리 열", "note"], *([*row, f"r{n}", '"x"'] for n, row in enumerate(rows))])
    return out.getvalue()


def same(table: MapTable) -> list[MapEntry]:
    """The entries without where they stand."""
    return [dataclasses.replace(entry, row=0) for entry in table.entries()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(ENTRY, max_size=4), way=st.lists(st.sampled_from(FORMATS), min_size=1, max_size=3))
def test_a_map_is_the_same_after_any_way_through_the_formats(
    tmp_path: Path, entries: list[MapEntry], way: list[Format]
) -> None:
    table = read_map(written(tmp_path, as_dure(entries)))
    before = same(table)
    for number, format in enumerate(way):
        path = tmp_path / f"{number}.csv"
        write_map(table, format, path)
        table = read_map(path)
        assert table.format == ("dure" if format == "stcm" else format)
    assert same(table) == before
    assert [dict(entry.extra) for entry in before] == [{"우리 열": f"r{n}", "note": '"x"'} for n in range(len(entries))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(ENTRY, min_size=1, max_size=3), format=st.sampled_from(FORMATS))
def test_a_workbook_says_what_the_csv_says(tmp_path: Path, entries: list[MapEntry], format: Format) -> None:
    table = read_map(written(tmp_path, as_dure(entries)))
    write_map(table, format, tmp_path / "지도.xlsx")
    assert same(read_map(tmp_path / "지도.xlsx")) == same(table)


def test_columns_of_one_name_are_all_kept(tmp_path: Path) -> None:
    text = "source_code,target_concept_id,note,note,,\nA,7,하나,둘,셋,넷\n"
    table = read_map(written(tmp_path, text))
    extra = {"note": "하나", "note (2)": "둘", "column": "셋", "column (2)": "넷"}
    for number, format in enumerate(FORMATS):
        assert [dict(entry.extra) for entry in table.entries()] == [extra]
        write_map(table, format, tmp_path / f"{number}.csv")
        table = read_map(tmp_path / f"{number}.csv")


def test_a_plain_omop_map_stays_plain(tmp_path: Path) -> None:
    header = (
        "source_code,source_concept_id,source_vocabulary_id,source_code_description,target_concept_id,"
        "target_vocabulary_id,valid_start_date,valid_end_date,invalid_reason"
    )
    text = f"{header}\nA1100,42364257,EDI,의료최고도,4154551,SNOMED,1970-01-01,2099-12-31,\n"
    write_map(read_map(written(tmp_path, text)), "stcm", tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text("utf-8") == text


def test_usagi_can_open_what_is_written_for_it(tmp_path: Path) -> None:
    """Usagi parses these as numbers and words of its own; an empty cell stops it."""
    text = "source_code,target_concept_id\nA,7\nB,\nC,0\n"
    write_map(read_map(written(tmp_path, text)), "usagi", tmp_path / "usagi.csv")
    rows = list(csv.DictReader(StringIO((tmp_path / "usagi.csv").read_text("utf-8"))))
    numbers = ("sourceFrequency", "matchScore", "conceptId", "statusSetOn", "createdOn")
    assert [[row[name] for name in numbers] for row in rows] == [
        ["-1", "0.0", "7", "0", "0"],
        ["-1", "0.0", "0", "0", "0"],
        ["-1", "0.0", "0", "0", "0"],
    ]
    assert [(row["mappingStatus"], row["equivalence"], row["mappingType"]) for row in rows] == [
        ("APPROVED", "UNREVIEWED", "MAPS_TO"),
        ("UNCHECKED", "UNREVIEWED", "MAPS_TO"),
        ("APPROVED", "UNREVIEWED", "MAPS_TO"),
    ]
    again = list(read_map(tmp_path / "usagi.csv").entries())
    assert [(entry.target, entry.approved) for entry in again] == [(7, True), (None, False), (0, True)]


def test_usagi_s_own_file_comes_back_cell_by_cell(tmp_path: Path) -> None:
    write_map(read_map(written(tmp_path, USAGI)), "usagi", tmp_path / "again.csv")
    before, after = (
        list(csv.DictReader(StringIO(text))) for text in (USAGI, (tmp_path / "again.csv").read_text("utf-8"))
    )
    assert after == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200)
    | st.binary(max_size=80).map(lambda tail: b"source_code,target_concept_id\n" + tail)
    | st.binary(max_size=60).map(lambda tail: b"PK\x03\x04" + tail)
    | st.text(max_size=80).map(lambda text: f"sourceCode,conceptId\n{text}".encode("utf-8", "surrogatepass"))
)
@pytest.mark.parametrize("name", ["map.csv", "map.xlsx"])
def test_any_bytes_are_a_map_or_an_error_for_people(tmp_path: Path, name: str, content: bytes) -> None:
    try:
        table = read_map(written(tmp_path, content, name))
    except ConfigurationError as error:
        assert error.problems[0].where.startswith(str(tmp_path))
    else:
        assert all(finding.message for finding in lint(table))
