"""Agreement, differences and adoption of three hospitals, against figures counted by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from compared_hospitals import CHILD, GRANDCHILD, ROOT, code, hospital, report, three_hospitals, vocabulary


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("agreement")
    three_hospitals(folder / "store")
    return report(folder / "store", folder / "out", vocabulary(folder / "vocabulary")) | {"out": str(folder / "out")}


def test_pairs_agree_on_what_both_map(told: dict[str, Any]) -> None:
    names = ("site_a", "site_b", "shared", "only_one_mapped", "both_mapped", "agree", "records", "agree_records")
    found = [tuple(pair[name] for name in names) for pair in told["agreement"]["code"]["pairs"]]
    assert found == [
        ("bada", "haneul", 3, 1, 2, 1, 250, 150),
        ("bada", "gangsan", 2, 0, 2, 0, 180, 0),
        ("haneul", "gangsan", 2, 0, 2, 0, 170, 0),
    ]


def test_the_whole_is_said_once_a_code_and_weighted_by_records(told: dict[str, Any]) -> None:
    code = told["agreement"]["code"]
    assert code["overall"] == {
        "shared": 7,
        "only_one_mapped": 1,
        "both_mapped": 6,
        "agree": 1,
        "records": 600,
        "agree_records": 150,
        "agree_share": 0.1667,
        "agree_records_share": 0.25,
    }
    assert code["within_consortia"]["동부"]["agree_share"] == 0.5
    assert code["within_consortia"]["서부"]["both_mapped"] == 0
    assert code["hospitals"]["bada"]["agree_records_share"] == 0.3488  # 150 of 250 + 180


def test_two_of_three_codes(tmp_path: Path) -> None:
    for site, last in (("haneul", CHILD), ("bada", ROOT)):
        hospital(tmp_path / "store", site, [code("A", CHILD, 10), code("B", "11 12", 20), code("C", last, 70)])
    found = report(tmp_path / "store", tmp_path / "out")["agreement"]["code"]["overall"]
    assert (found["agree"], found["both_mapped"], found["agree_share"]) == (2, 3, 0.6667)
    assert found["agree_records_share"] == 0.3  # 60 of 200


def test_a_description_is_the_same_under_another_code_whatever_its_case_and_spaces(told: dict[str, Any]) -> None:
    overall = told["agreement"]["description"]["overall"]
    # X1 of haneul and Y9 of gangsan; the KCD code with one description is compared as a code.
    assert (overall["shared"], overall["both_mapped"], overall["agree"]) == (1, 1, 0)
    (difference,) = [row for row in told["differences"]["listed"] if row["same"] == "description"]
    assert [(each["targets"], each["sites"], each["codes"]) for each in difference["answers"]] == [
        ("10", ["haneul"], ["X1"]),
        ("11", ["gangsan"], ["Y9"]),
    ]


def test_steps_lead_to_the_nearest_common_ancestor(told: dict[str, Any]) -> None:
    assert told["agreement"]["code"]["steps"] == {
        "1": {"codes": 2, "records": 210},
        "2": {"codes": 2, "records": 140},
        "3": {"codes": 0, "records": 0},
        "4+": {"codes": 0, "records": 0},
        "unrelated": {"codes": 1, "records": 100},
    }
    found = {row["code"]: row for row in told["differences"]["listed"] if row["same"] == "code"}
    # A child and its child; a concept and its grandchild; two children; strangers.
    assert {name: (row["steps"], row["unrelated"]) for name, row in found.items()} == {
        "D50.9": (1, False),
        "X1": (2, False),
        "X2": (2, False),
        "X3": (None, True),
    }


def test_a_difference_names_each_answer_with_its_hospitals(told: dict[str, Any]) -> None:
    first = told["differences"]["listed"][0]
    assert (first["code"], first["description"], first["records"], first["hospitals"]) == (
        "D50.9",
        "철결핍빈혈",
        180,
        3,
    )
    assert first["answers"] == [
        {
            "targets": str(CHILD),
            "records": 150,
            "sites": first["answers"][0]["sites"],
            "codes": ["D50.9", "D509"],
            "names": "Deficiency anemia",
            "steps": 0,
        },
        {
            "targets": str(GRANDCHILD),
            "records": 30,
            "sites": ["gangsan"],
            "codes": ["D50.9"],
            "names": "Iron deficiency anemia",
            "steps": 1,
        },
    ]
    assert sorted(first["answers"][0]["sites"]) == ["bada", "haneul"]


def test_the_list_of_differences_has_a_line_an_answer(told: dict[str, Any]) -> None:
    with (Path(told["out"]) / "differences.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["same"], row["code"], row["answer"], row["targets"], row["steps"]) for row in csv.DictReader(file)]
    assert rows == [
        ("code", "D50.9", "1", "11", ""),
        ("code", "D50.9", "2", "12", "1"),
        ("code", "X1", "1", "12", ""),
        ("code", "X1", "2", "10", "2"),
        ("code", "X3", "1", "20", ""),
        ("code", "X3", "2", "11", ""),
        ("code", "X2", "1", "11", ""),
        ("code", "X2", "2", "13", "2"),
        ("description", "X1", "1", "10", ""),
        ("description", "X1", "2", "11", "1"),
    ]


def test_adoption_counts_what_the_common_map_answers(told: dict[str, Any]) -> None:
    rows = {row["site"]: row for row in told["adoption"]}
    assert (rows["bada"]["codes_common_share"], rows["bada"]["records_common_share"]) == (0.25, 0.3704)  # 50 of 135
    # haneul's own map speaks before the common one on X1, and says another concept.
    assert (rows["haneul"]["codes_overridden"], rows["haneul"]["codes_against_common"]) == (1, 1)
    assert rows["haneul"]["codes_common"] == 0


def test_without_a_vocabulary_there_are_neither_steps_nor_names(tmp_path: Path) -> None:
    three_hospitals(tmp_path / "store")
    told = report(tmp_path / "store", tmp_path / "out")
    assert told["vocabulary"] is None and told["agreement"]["code"]["steps"] == {}
    first = told["differences"]["listed"][0]
    assert (first["steps"], first["unrelated"], first["answers"][0]["names"]) == (None, False, "")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "give --vocab" in page and "--vocab을 주세요" in page


def test_most_records_speak_for_a_code_with_two_answers(tmp_path: Path) -> None:
    hospital(tmp_path / "store", "haneul", [code("A", CHILD, 30), code("A", ROOT, 31), code("A", 0, 20)])
    hospital(tmp_path / "store", "bada", [code("A", ROOT, 10)])
    overall = report(tmp_path / "store", tmp_path / "out")["agreement"]["code"]["overall"]
    assert (overall["agree"], overall["both_mapped"], overall["records"]) == (1, 1, 91)


def test_codes_without_a_vocabulary_or_not_told_one_by_one_are_nobodys(tmp_path: Path) -> None:
    for site in ("haneul", "bada"):
        rows = [code("A", CHILD, 30, vocabulary_id=None), code(None, CHILD, 50)]
        hospital(tmp_path / "store", site, rows)
    told = report(tmp_path / "store", tmp_path / "out")
    assert told["agreement"]["code"]["overall"]["shared"] == 0
    # They are the hospital's records all the same.
    cell = told["coverage"]["hospitals"]["haneul"]["Condition"]
    assert (cell["records"], cell["records_mapped_share"], cell["codes"]) == (80, 1.0, 1)
