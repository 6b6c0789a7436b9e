"""Lint on real maps: Korean EDI codes to standard concepts, with every defect that the counts below name.

Most of these counts were found twice: by the rules, and by reading the files with pandas (an expression a kind), row
for row. `docs/guide/lint-korea-edi.md` says what each means.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dure.vocab.lint import Finding, by_rule, lint
from dure.vocab.lint.repair import repaired
from dure.vocab.maps import read_map

ROOT = Path(__file__).parents[2]
MAPS = ROOT.parent / "shared" / "data" / "korea_edi_maps"
PAGE = ROOT / "docs" / "guide" / "lint-korea-edi.md"
MEASUREMENTS = "measurement_guideline/source_to_concept_map.csv"
PROCEDURES = "procedure_guideline/source_to_concept_map.csv"
DEVICES = "device_guideline/procedure_table.csv"
WORKBOOK = "procedure_guideline/Procedure_1-5009.xlsx"

COUNTS = {
    MEASUREMENTS: {
        "placeholder": 193,
        "placeholder_flag": 1850,
        "placeholder_in_description": 1496,
        "white_space": 1,
        "compatibility_character": 18,
        "code_missing": 192,
        "specimen_contradiction": 7,
        "scale_contradiction": 131,
        "retired": 13,
        "validity_overlap": 160,
        "several_targets": 237,
        "near_duplicate_code": 1,
        "near_duplicate_description": 2,
    },
    PROCEDURES: {
        "placeholder": 2987,
        "placeholder_flag": 5009,
        "placeholder_date": 2987,
        "too_long": 6,
        "vocabulary_misspelt": 5009,
        "white_space": 17,
        "look_alike": 41,
        "compatibility_character": 68,
        "target_missing": 2987,
    },
    DEVICES: {
        "too_long": 6,
        "vocabulary_misspelt": 5009,
        "white_space": 17,
        "look_alike": 41,
        "compatibility_character": 68,
        "target_missing": 2987,
        "target_not_an_id": 2022,
    },
    WORKBOOK: {
        "white_space": 19,
        "look_alike": 45,
        "compatibility_character": 130,
        "target_missing": 2987,
        "code_damaged": 3,
        "check_digit": 7,
        "target_contradicts_itself": 15,
        "target_code_is_source_code": 5009,
        "domain_unknown": 11,
        "standard_flag_unknown": 3,
    },
}

pytestmark = pytest.mark.skipif(not MAPS.is_dir(), reason=f"the real maps are not here: {MAPS}")


@pytest.fixture(scope="module")
def findings() -> dict[str, list[Finding]]:
    return {name: lint(read_map(MAPS / name)) for name in COUNTS}


@pytest.mark.parametrize("name", COUNTS)
def test_every_defect_is_found(findings: dict[str, list[Finding]], name: str) -> None:
    assert {rule: count for _, rule, _, count in by_rule(findings[name])} == COUNTS[name]


def rows(findings: dict[str, list[Finding]], name: str, rule: str) -> list[int | None]:
    return [finding.row for finding in findings[name] if finding.rule == rule]


def test_where_the_rare_ones_are(findings: dict[str, list[Finding]]) -> None:
    assert rows(findings, MEASUREMENTS, "white_space") == [933]
    assert rows(findings, MEASUREMENTS, "near_duplicate_code") == [933]
    assert rows(findings, MEASUREMENTS, "near_duplicate_description") == [249, 273]
    assert rows(findings, MEASUREMENTS, "code_missing") == list(range(2, 194))
    assert rows(findings, MEASUREMENTS, "specimen_contradiction") == [440, 459, 744, 745, 746, 750, 933]
    assert rows(findings, MEASUREMENTS, "retired") == [
        740, 760, 782, 956, 958, 960, 1015, 1018, 1021, 1024, 1027, 1030, 1033,
    ]  # fmt: skip
    assert rows(findings, WORKBOOK, "code_damaged") == [1580, 1621, 1660]
    assert rows(findings, WORKBOOK, "standard_flag_unknown") == [1325, 1326, 1327]
    assert rows(findings, WORKBOOK, "domain_unknown") == list(range(1349, 1360))
    assert rows(findings, PROCEDURES, "too_long") == rows(findings, DEVICES, "too_long")


def test_the_copy_in_the_device_folder_differs_by_its_floats_and_placeholders_only() -> None:
    devices, procedures = (list(read_map(MAPS / name).entries()) for name in (DEVICES, PROCEDURES))
    assert [entry.source_code for entry in devices] == [entry.source_code for entry in procedures]
    assert [entry.target_concept_id.removesuffix(".0") for entry in devices] == [
        entry.target_concept_id for entry in procedures
    ]


def test_repairs_leave_what_a_person_must_decide(tmp_path: Path) -> None:
    result = repaired(read_map(MAPS / DEVICES), None, lint)
    assert result is not None
    content = (MAPS / DEVICES).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") and result.content.startswith(content[:3])
    assert result.content.count(b"\n") == content.count(b"\n")
    path = tmp_path / "repaired.csv"
    path.write_bytes(result.content)
    assert {rule: count for _, rule, _, count in by_rule(lint(read_map(path)))} == {
        "too_long": 6,
        "look_alike": 39,  # two are full-width brackets, which have one plain form
        "compatibility_character": 68,
        "target_missing": 2987,
    }


def test_the_page_shows_these_counts() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = {
        (file, rule): int(count.replace(",", ""))
        for file, rule, count in re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| ([0-9,]+) \|", text, re.MULTILINE)
    }
    assert shown == {(name, rule): count for name, counts in COUNTS.items() for rule, count in counts.items()}
