"""Every rule of lint by its own examples, and the page that is made from them."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from dure.vocab.lint import RULES, lint
from dure.vocab.lint.document import page
from dure.vocab.lint.linted import Concept, Concepts
from dure.vocab.maps import MapTable, read_map

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "map-lint.md"
CONCEPTS = Concepts(
    {
        1001: Concept(1001, "포도당", "Measurement", "SNOMED", "100001", "S", ""),
        1102: Concept(1102, "옛 개념", "Measurement", "SNOMED", "100002", "", "D"),
        1103: Concept(1103, "표준 아님", "Measurement", "SNOMED", "100003", "", ""),
        1104: Concept(1104, "옮겨진 개념", "Measurement", "SNOMED", "100004", "", "U", (1001,)),
        1105: Concept(1105, "mg/dL", "Unit", "UCUM", "mg/dL", "S", ""),
    },
    complete=True,
    vocabulary_ids=frozenset({"SNOMED"}),
)
ONLY_IN_WORKBOOKS = {"sheet_not_read"}


def table(tmp_path: Path, text: str) -> MapTable:
    path = tmp_path / "maps" / "검사.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8", newline="")
    return read_map(path)


def rules_found(tmp_path: Path, text: str, concepts: Concepts | None = CONCEPTS) -> set[str]:
    return {finding.rule for finding in lint(table(tmp_path, text), concepts)}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_words_and_examples(name: str) -> None:
    rule = RULES[name]
    assert rule.finds.endswith(".") and rule.because.endswith(".")
    assert rule.passing
    assert bool(rule.failing) is (name not in ONLY_IN_WORKBOOKS)


@pytest.mark.parametrize("name", [name for name in RULES if name not in ONLY_IN_WORKBOOKS])
def test_the_failing_example_fails_and_the_passing_one_passes(tmp_path: Path, name: str) -> None:
    concepts = CONCEPTS if RULES[name].vocabulary else None
    assert name in rules_found(tmp_path, RULES[name].failing, concepts)
    assert name not in rules_found(tmp_path, RULES[name].passing, concepts)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not rule.fix])
def test_a_rule_that_promises_no_repair_makes_none(tmp_path: Path, name: str) -> None:
    if RULES[name].failing:
        found = [each for each in lint(table(tmp_path, RULES[name].failing), CONCEPTS) if each.rule == name]
        assert [each.edits for each in found] == [()] * len(found)


def test_the_page_of_rules_is_the_registry_s() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "stale, run: python -m dure.vocab.lint.document > docs/guide/map-lint.md"
    )


def test_a_workbook_with_two_maps_says_which_was_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "표지"
    for title in ("검사", "약"):
        sheet = book.create_sheet(title)
        sheet.append(["우리 병원 코드"])
        sheet.append(["source_code", "target_concept_id"])
        sheet.append(["K01", 1001])
    book.save(tmp_path / "지도.xlsx")
    [finding] = lint(read_map(tmp_path / "지도.xlsx"))
    assert (finding.row, finding.rule) == (None, "sheet_not_read")
    assert "검사" in finding.message and "약" in finding.message


@pytest.mark.parametrize(
    ("text", "rule", "rows"),
    [
        # Validity: a third row that overlaps the first but not the second, in any order of the file.
        (
            "source_code,target_concept_id,valid_start_date,valid_end_date\n"
            "A,1,20200601,20201231\nA,2,20200101,20200630\nA,1,20210101,20211231\nA,2,20201001,20201130\n",
            "validity_overlap",
            [2, 5],
        ),
        # A target and "no concept" at once is never meant, many targets or not.
        ("source_vocabulary_id,source_code,target_concept_id\nEDI,D0013,5\nEDI,D0013,0\n", "several_targets", [2]),
        # Code type, specimen and unit are part of the key.
        (
            "source_code,specimen,target_concept_id\nD2800020,혈청,1\nD2800020,소변,2\nD2800020,소변,3\n",
            "several_targets",
            [3],
        ),
        # What is retired or not approved is no rival.
        ("source_code,target_concept_id,invalid_reason\nA,1,\nA,2,U\n", "several_targets", []),
        ("source_code,target_concept_id,status\nA,1,approved\nA,2,unchecked\n", "several_targets", []),
        ("source_code,target_concept_id,mapping_type\nA,1,Maps to\nA,2,Maps to value\n", "several_targets", []),
        ("source_code,target_concept_id\n00123,1\n123,2\n", "near_duplicate_code", [3]),
        ("source_code,target_concept_id\nＡ１,1\nA1,2\n", "near_duplicate_code", [3]),
        ("source_vocabulary_id,source_code,target_concept_id\nKCD7,A010,1\nKCD7,A01.0,2\n", "near_duplicate_code", [3]),
        # A Korean local code is no mistake, a full-width EDI code is one.
        ("source_vocabulary_id,source_code,target_concept_id\nLAB,혈당（공복）,1\n", "look_alike", []),
        ("source_vocabulary_id,source_code,target_concept_id\nEDI,Ａ1100,1\n", "look_alike", [2]),
        # Greek in a text is Greek; Cyrillic within a Latin word is not.
        ("source_code,source_code_description,target_concept_id\nA,β-hCG γ,1\nB,Sоdium,2\n", "look_alike", [3]),
        ("source_vocabulary_id,source_code,target_concept_id\nEDI,59900110,1\n", "code_shape", [2]),
        ("source_vocabulary_id,source_code,target_concept_id\nICD9CM,250.0,1\n", "code_damaged", []),
        ("source_code,target_concept_id\n1-Mar,1\n3월 1일,2\n4.32E+14,3\n1E5,4\n", "code_damaged", [2, 3, 4]),
        ("source_code,target_concept_id\nA,4154551.5\nB,4.32E+14\nC,-1\nD,9999999999\n", "target_not_an_id", [2, 3, 4, 5]),
        ("source_code,target_concept_id,valid_start_date\nA,1,00000000\n", "placeholder_date", [2]),
        ("source_code,target_concept_id,valid_start_date\nA,1,99991231\n", "date_unreadable", []),
        # One unit in its spellings, and units that are not one.
        (
            "source_vocabulary_id,source_code,target_concept_id\nUCUM,mg/dL,1\nUCUM,㎎/㎗,1\nUCUM,mg%,1\nUCUM,MG/DL,1\n"
            "UCUM,g/L,1\n",
            "unit_of_several",
            [6],
        ),
        (
            "source_vocabulary_id,source_code,target_concept_id\nUCUM,10^3/uL,2\nUCUM,10*3/㎕,2\nUCUM,10^3/mm3,2\n"
            "UCUM,K/uL,2\nUCUM,10^6/uL,2\n",
            "unit_of_several",
            [6],
        ),
        (
            "source_code,unit,target_concept_id,mapping_type\nA,ng/mL,3,Maps to unit\nA,ng/dL,3,Maps to unit\n",
            "unit_of_several",
            [3],
        ),
        # 혈청 is blood; 반정량 and both at once say nothing.
        (
            "source_code,source_code_description,target_concept_id\nA,Glucose in Blood; 당검사(혈청),1\n"
            "B,Glucose in Urine; 당검사(혈청),2\n",
            "specimen_contradiction",
            [3],
        ),
        (
            "source_code,specimen,target_concept_id,target_concept_name\nA,소변,1,Glucose in Serum\n",
            "specimen_contradiction",
            [2],
        ),
        (
            "source_code,source_code_description,target_concept_id\nA,X [Presence] in Urine; 당(반정량),1\n"
            "B,X [Mass/volume] in Urine; 당(정성 또는 정량),1\nC,X [Presence] in Urine; 당(정량),1\n",
            "scale_contradiction",
            [4],
        ),
        ("source_code,source_code_description,target_concept_id\nA,DNA 검사,1\nB,\"a, NA\",2\nC,NA-channel,3\n",
         "placeholder_in_description", [3]),
        ("source_code,target_concept_id\nA,1104\n", "target_invalid", [2]),
        ("source_vocabulary_id,source_code,target_concept_id\nKCD7,E11.9,1105\n", "target_domain_unexpected", [2]),
        ("source_vocabulary_id,source_code,target_concept_id\nUCUM,mg/dL,1105\n", "target_domain_unexpected", []),
        (
            "source_code,target_concept_id,target_concept_name,target_vocabulary_id\nA,1,Alpha,SNOMED\nB,1,Alpha,SNOMED\n"
            "C,2,Alpha,SNOMED\n",
            "target_contradicts_itself",
            [4],
        ),
        ("source_code,target_concept_id,target_vocabulary_id\nA,1,SNOMED\nB,1,LOINC\n", "target_contradicts_itself", [2, 3]),
        ("source_code,target_concept_id,note\nA,1,=2+3\n", "spreadsheet_error", [2]),
        ("source_code,target_concept_id\nA,1\nB,2,3\nC\n", "cells_do_not_fit", [3, 4]),
    ],
)  # fmt: skip
def test_where_a_rule_finds_something(tmp_path: Path, text: str, rule: str, rows: list[int]) -> None:
    found = lint(table(tmp_path, text), CONCEPTS)
    assert [finding.row for finding in found if finding.rule == rule] == rows


def test_a_target_that_leads_to_a_standard_one_is_a_warning(tmp_path: Path) -> None:
    text = "source_code,target_concept_id\nA,1102\nB,1104\n"
    found = [each for each in lint(table(tmp_path, text), CONCEPTS) if each.rule == "target_invalid"]
    assert [(each.row, each.severity) for each in found] == [(2, "error"), (3, "warning")]
    assert "1001" in found[1].message


def test_an_unknown_target_is_a_warning_where_the_vocabulary_is_incomplete(tmp_path: Path) -> None:
    partial = Concepts(CONCEPTS.by_id, complete=False, vocabulary_ids=frozenset())
    text = "source_code,target_concept_id\nA,77\n"
    assert [each.severity for each in lint(table(tmp_path, text), partial)] == ["warning"]
    assert [each.severity for each in lint(table(tmp_path, text), CONCEPTS)] == ["error"]


def test_a_declaration_stills_what_it_declares(tmp_path: Path) -> None:
    read = table(tmp_path, "source_vocabulary_id,source_code,target_concept_id\nLAB,A,1\nLAB,A,2\n")
    assert {each.rule for each in lint(read)} == {"vocabulary_unknown", "several_targets"}
    assert lint(read, own=["LAB"], many_targets=["LAB"]) == []


def test_findings_come_by_row_then_by_rule(tmp_path: Path) -> None:
    text = "source_vocabulary_id,source_code,target_concept_id\nEDI,,1.0\nKorean EDI,A1100 ,NA\n"
    found = lint(table(tmp_path, text))
    assert [each.row for each in found] == sorted(each.row or 0 for each in found)
    assert {each.rule for each in found} == {
        "code_missing", "target_not_an_id", "vocabulary_misspelt", "white_space", "target_missing",
    }  # fmt: skip
