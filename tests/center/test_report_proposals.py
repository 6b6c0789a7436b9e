"""The proposed common map: the majority of records, what is not proposed and why, and that the mapping desk reads it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from compared_hospitals import (
    CHILD,
    GRANDCHILD,
    ROOT,
    SIBLING,
    code,
    hospital,
    report,
    three_hospitals,
    vocabulary,
)

from dure.cli import main
from dure.vocab import load_athena
from dure.vocab.map_files import read_map_file

LOCAL = 2_011_000_001


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def reasons(folder: Path) -> dict[str, str]:
    return {row["source_code"]: row["reason"] for row in rows(folder / "not_proposed.csv")}


def test_the_answer_of_most_records_is_proposed_with_its_evidence(tmp_path: Path) -> None:
    three_hospitals(tmp_path / "store")
    told = report(tmp_path / "store", tmp_path / "out", vocabulary(tmp_path / "vocabulary"))
    assert rows(tmp_path / "out" / "proposed_map.csv") == [
        {
            "source_vocabulary_id": "KCD7",
            "source_code": "D50.9",
            "description": "철결핍빈혈",
            "frequency": "180",
            "target_concept_id": "11",
            "target_concept_name": "Deficiency anemia",
            "mapping_type": "Maps to",
            "equivalence": "equal",
            "status": "unchecked",
            "comment": "majority of records: 2 hospitals for, 1 against",
            "hospitals_for": "2",
            "hospitals_against": "1",
            "hospitals_unmapped": "0",
            "records_for": "150",
            "records_against": "30",
            "records_unmapped": "0",
            "records_for_share": "0.8333",
            "steps": "1",
            "alternatives": "12 (gangsan: 30)",
            "sites_for": "bada haneul",
            "sites_against": "gangsan",
        }
    ]
    assert reasons(tmp_path / "out") == {
        "X1": "low_support",
        "X2": "tie",
        "X3": "low_support",
        "X4": "low_support",
    }
    assert told["proposals"]["codes"] == 1
    assert told["proposals"]["one_hospital"] == 1  # Y9
    assert told["proposals"]["not_proposed"]["tie"] == 1


def test_why_a_code_has_no_proposal(tmp_path: Path) -> None:
    answers = {
        "three_ways": (CHILD, ROOT, SIBLING, (40, 35, 30)),
        "local": (LOCAL, LOCAL, ROOT, (40, 35, 30)),
        "nobody": (0, 0, 0, (40, 35, 30)),
        "unmapped_elsewhere": (CHILD, CHILD, 0, (40, 35, 300)),
        "tie_of_two": (CHILD, CHILD, ROOT, (20, 20, 40)),
    }
    for n, site in enumerate(("haneul", "bada", "gangsan")):
        codes = [code(name, each[n], each[3][n]) for name, each in answers.items()]
        hospital(tmp_path / "store", site, [*codes, code(f"own_{site}", CHILD, 50)])
    told = report(tmp_path / "store", tmp_path / "out")
    assert reasons(tmp_path / "out") == {
        "three_ways": "no_majority",
        "local": "local",
        "nobody": "not_mapped",
        "tie_of_two": "tie",
    }
    (proposed,) = rows(tmp_path / "out" / "proposed_map.csv")
    assert (proposed["source_code"], proposed["hospitals_unmapped"], proposed["records_unmapped"]) == (
        "unmapped_elsewhere",
        "1",
        "300",
    )
    assert proposed["frequency"] == "375"
    assert told["proposals"]["one_hospital"] == 3


def test_what_the_common_map_and_the_vocabulary_say_alike_needs_no_proposal(tmp_path: Path) -> None:
    for site, authority in (("haneul", "consortium"), ("bada", "vocabulary"), ("gangsan", "site")):
        kept = [code("settled", CHILD, 20, authority="consortium" if authority == "site" else authority)]
        hospital(tmp_path / "store", site, [*kept, code("own_map", ROOT, 20, authority=authority)])
    told = report(tmp_path / "store", tmp_path / "out")
    assert [row["source_code"] for row in rows(tmp_path / "out" / "proposed_map.csv")] == ["own_map"]
    assert told["proposals"]["not_proposed"]["settled"] == 1
    assert reasons(tmp_path / "out") == {}


def test_records_under_the_threshold_are_neither_told_nor_enough(tmp_path: Path) -> None:
    for site, target, records in (("haneul", CHILD, 30), ("bada", CHILD, 40), ("gangsan", ROOT, 12)):
        hospital(tmp_path / "store", site, [code("A", target, records), code("B", CHILD, 15)])
    told = report(tmp_path / "store", tmp_path / "out", threshold=50)
    (proposed,) = rows(tmp_path / "out" / "proposed_map.csv")
    assert (proposed["records_for"], proposed["records_against"], proposed["alternatives"]) == (
        "70",
        "0",
        "10 (gangsan: <50)",
    )
    # The frequency of all answers would tell the one that is held back.
    assert proposed["frequency"] == "70"
    assert reasons(tmp_path / "out") == {"B": "few_records"}
    (difference,) = told["differences"]["listed"]
    assert (difference["records"], [each["records"] for each in difference["answers"]]) == (70, [70, "<50"])


def test_the_mapping_desk_reads_the_proposals(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = load_athena(repository / "tests/scenarios/vocabulary", tmp_path / "stores")
    for site in ("haneul", "bada"):
        codes = [
            code("GLU", "3004501", 300, description="=혈당 (serum)"),
            code("0012", "436659", 200, description='철결핍성 빈혈, "의증"', equivalence="wider"),
        ]
        hospital(tmp_path / "store", site, codes)
    report(tmp_path / "store", tmp_path / "out", store.folder)
    proposed = tmp_path / "out" / "proposed_map.csv"
    linted = ["vocab", "lint", str(proposed), "--vocab", str(store.folder), "--severity", "warning", "--own", "LAB"]
    assert main(linted) == 0
    assert main(["vocab", "convert", str(proposed), "--to", "usagi", "-o", str(tmp_path / "usagi.csv")]) == 0
    assert (
        main(["vocab", "convert", str(tmp_path / "usagi.csv"), "--to", "dure", "-o", str(tmp_path / "dure.csv")]) == 0
    )
    back = rows(tmp_path / "dure.csv")
    kept = ("source_vocabulary_id", "source_code", "target_concept_id", "equivalence", "status", "hospitals_for")
    assert [tuple(row[name] for name in kept) for row in back] == [
        ("LAB", "GLU", "3004501", "equal", "unchecked", "2"),
        ("LAB", "0012", "436659", "wider", "unchecked", "2"),
    ]
    # Nothing of it applies before somebody approves it.
    assert read_map_file(proposed).rows == ()
    approved = proposed.read_text(encoding="utf-8-sig").replace("unchecked", "approved")
    (tmp_path / "approved.csv").write_text(approved, encoding="utf-8")
    assert [(row.code, row.target) for row in read_map_file(tmp_path / "approved.csv").rows] == [
        ("GLU", 3004501),
        ("0012", 436659),
    ]
    capsys.readouterr()


def test_a_code_with_several_targets_has_a_row_each(tmp_path: Path) -> None:
    for site, targets in (("haneul", "11 13"), ("bada", "11 13"), ("gangsan", "12")):
        hospital(tmp_path / "store", site, [code("A", targets, 20)])
    report(tmp_path / "store", tmp_path / "out", vocabulary(tmp_path / "vocabulary"))
    found = [
        (row["target_concept_id"], row["records_for"], row["steps"]) for row in rows(tmp_path / "out/proposed_map.csv")
    ]
    # The farthest of the set: 13 is three steps from 12.
    assert found == [(str(CHILD), "40", "3"), (str(SIBLING), "40", "3")]
    assert GRANDCHILD == 12


def test_a_code_in_two_roles_has_one_proposal(tmp_path: Path) -> None:
    hospital(tmp_path / "store", "haneul", [code("A", CHILD, 30), code("A", SIBLING, 20, role="class")])
    hospital(tmp_path / "store", "bada", [code("A", CHILD, 40)])
    hospital(tmp_path / "store", "gangsan", [code("A", GRANDCHILD, 40, role="class")])
    told = report(tmp_path / "store", tmp_path / "out", vocabulary(tmp_path / "vocabulary"))
    (proposed,) = rows(tmp_path / "out" / "proposed_map.csv")
    assert (proposed["target_concept_id"], proposed["hospitals_for"], proposed["records_for"]) == (
        str(CHILD),
        "2",
        "70",
    )
    # The farthest answer is the child of another branch; roles agree or differ each by itself.
    assert (proposed["records_against"], proposed["steps"]) == ("60", "2")
    assert [row["role"] for row in told["differences"]["listed"]] == ["class"]
