"""The file format: what is read, and where a malformed file is said to be malformed."""

from datetime import date

import pyarrow.parquet as pq
import pytest
from vocab_athena_folder import concept, maps_to, write_athena

from dure.errors import ConfigurationError
from dure.vocab import load_athena


def refusal(folder, stores):
    with pytest.raises(ConfigurationError) as refused:
        load_athena(folder, stores)
    assert list(stores.glob("*")) == []
    return [(problem.where.removeprefix(f"{folder}/"), problem.found) for problem in refused.value.problems]


def replace_line(path, number, line):
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line
    path.write_bytes(b"\n".join(lines))


def test_cells_are_kept_as_they_are(tmp_path):
    folder = write_athena(
        tmp_path / "athena",
        [
            concept(7, "x", name='5" 관, "NA"', dates=("18991231", "20991231")),
            concept(8, "NULL", standard="", name=" NA "),
        ],
        DRUG_STRENGTH=[
            {
                "drug_concept_id": 7,
                "ingredient_concept_id": 99,
                "amount_value": "0.5",
                "valid_start_date": "20200229",
                "valid_end_date": "20991231",
            }
        ],
    )
    store = load_athena(folder, tmp_path / "stores")

    rows = pq.read_table(store.path("concept")).to_pylist()
    assert [row["concept_name"] for row in rows] == ['5" 관, "NA"', " NA "]
    assert [row["concept_code"] for row in rows] == ["x", "NULL"]
    assert [row["standard_concept"] for row in rows] == ["S", None]
    assert rows[0]["valid_start_date"] == date(1899, 12, 31)
    strength = pq.read_table(store.path("DRUG_STRENGTH")).to_pylist()[0]
    assert (strength["amount_value"], strength["box_size"], strength["valid_start_date"]) == (
        0.5,
        None,
        date(2020, 2, 29),
    )
    assert store.counts["dangling"]["DRUG_STRENGTH"] == 1


def test_file_names_line_ends_bom_and_column_order_do_not_matter(tmp_path):
    folder = write_athena(tmp_path / "athena", [concept(7, "x")])
    text = (folder / "CONCEPT.csv").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines()]
    turned = "\r\n".join("\t".join(reversed([*line, more])) for line, more in zip(lines, ["Note", "쪽지"], strict=True))
    (folder / "CONCEPT.csv").unlink()
    (folder / "Concept.CSV").write_text("﻿" + turned, encoding="utf-8")

    store = load_athena(folder, tmp_path / "stores")

    table = pq.read_table(store.path("CONCEPT"))
    assert table.column_names[0] == "concept_id" and table.column_names[-1] == "note"
    assert table.to_pylist()[0]["concept_id"] == 7 and table.to_pylist()[0]["note"] == "쪽지"


def test_all_missing_files_are_named_at_once(tmp_path):
    folder = write_athena(tmp_path / "athena")
    (folder / "CONCEPT.csv").unlink()
    (folder / "VOCABULARY.csv").unlink()
    (folder / "DOMAIN.csv").unlink()
    assert refusal(folder, tmp_path / "stores") == [("CONCEPT.csv", "no such file"), ("VOCABULARY.csv", "no such file")]


def test_no_folder(tmp_path):
    with pytest.raises(ConfigurationError, match="no such folder"):
        load_athena(tmp_path / "absent", tmp_path / "stores")


def test_a_table_the_download_lacks_is_stored_empty_and_said(tmp_path):
    folder = write_athena(tmp_path / "athena", [concept(7, "x")])
    (folder / "CONCEPT_SYNONYM.csv").unlink()
    store = load_athena(folder, tmp_path / "stores")
    assert store.counts["absent"] == ["CONCEPT_SYNONYM"]
    assert pq.read_table(store.path("CONCEPT_SYNONYM")).num_rows == 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"8\tname\tCondition", "3 fields, the header has 10"),
        (b"8.0\tn\tCondition\tKCD7\tc\tS\tx\t19700101\t20991231\t", "concept_id is '8.0'"),
        (b"\tn\tCondition\tKCD7\tc\tS\tx\t19700101\t20991231\t", "concept_id is ''"),
        (b"99999999999\tn\tCondition\tKCD7\tc\tS\tx\t19700101\t20991231\t", "concept_id is '99999999999'"),
        (b"8\tn\tCondition\tKCD7\tc\tS\tx\t2021-02-03\t20991231\t", "valid_start_date is '2021-02-03'"),
        (b"8\tn\tCondition\tKCD7\tc\tS\tx\t20210230\t20991231\t", "valid_start_date is '20210230'"),
        (b"8\tn\tCondition\tKCD7\tc\tS\tx\t19700101\t\t", "valid_end_date is ''"),
        ("8\t이름\tCondition\tKCD7\tc\tS\tx\t19700101\t20991231\t".encode("cp949"), "bytes that are not UTF-8"),
        (b"7\tn\tCondition\tKCD7\tc\tS\tx\t19700101\t20991231\t", "concept_id 7 again; line 2 has it already"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(tmp_path, line, found):
    folder = write_athena(tmp_path / "athena", [concept(7, "a"), concept(8, "b"), concept(9, "c")])
    replace_line(folder / "CONCEPT.csv", 3, line)
    assert refusal(folder, tmp_path / "stores") == [("CONCEPT.csv:3", found)]


def test_every_malformed_row_is_named(tmp_path):
    folder = write_athena(tmp_path / "athena", [concept(7, "a")], [maps_to(7, 7), maps_to("칠", 7), maps_to(7, "1e3")])
    assert refusal(folder, tmp_path / "stores") == [
        ("CONCEPT_RELATIONSHIP.csv:3", "concept_id_1 is '칠'"),
        ("CONCEPT_RELATIONSHIP.csv:4", "concept_id_2 is '1e3'"),
    ]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", "the file is empty"),
        ("concept_id,concept_name", "no column concept_id"),
        ("concept_id\tconcept_id", "columns named twice: concept_id"),
    ],
)
def test_a_header_that_is_none(tmp_path, header, found):
    folder = write_athena(tmp_path / "athena")
    (folder / "CONCEPT.csv").write_text(header, encoding="utf-8")
    [(where, said)] = refusal(folder, tmp_path / "stores")
    assert where == "CONCEPT.csv:1" and said.startswith(found)


def test_two_files_for_one_table(tmp_path):
    folder = write_athena(tmp_path / "athena")
    (folder / "concept.csv").write_bytes((folder / "CONCEPT.csv").read_bytes())
    assert refusal(folder, tmp_path / "stores") == [
        ("concept.csv", "a second file for CONCEPT; CONCEPT.csv is there too")
    ]
