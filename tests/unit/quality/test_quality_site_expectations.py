"""What a hospital expects besides: run by Great Expectations in the suite of its table, reported in counts alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clean_snapshot as clean
import pytest
from clean_snapshot import Clean

from dure.engine import EngineOptions, engine
from dure.errors import ConfigurationError
from dure.quality.catalogue import Severity
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.results import Result, Status
from dure.quality.site_expectations import read_expectations
from dure.quality.validate import validate

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    folder = tmp_path_factory.mktemp("clean")
    rows = clean.clean_rows()
    rows["measurement"] += [
        rows["measurement"][0] | {"measurement_id": 9 + i, "value_as_number": value}
        for i, value in enumerate((5.0, 7654321.0, None))
    ]
    for row in rows["measurement"]:
        row["range_low"] = None
    rows["specimen"] = []
    for name in ("measurement", "specimen", "person"):
        clean.write(name, rows[name], folder / "cdm" / name)
    with engine(EngineOptions(threads=2)) as running:
        yield Clean(running.session, folder / "cdm", clean.vocabulary(folder / "vocab"), rows)


def site(folder: Path, text: str) -> Path:
    (folder / "expectations.yaml").write_text(text, encoding="utf-8")
    return folder


def results(small: Clean, tmp_path: Path, text: str) -> dict[str, Result]:
    expectations = read_expectations(site(tmp_path, text))
    snapshot = CheckedSnapshot(small.session, small.folder, small.store, clean.TODAY)
    found = validate(snapshot, [each.check for each in expectations], expectations=expectations)
    return {result.check.id: result for result in found}


def ends(found: dict[str, Result]) -> dict[str, tuple[Any, ...]]:
    return {name: (r.status, r.violated, r.denominator) for name, r in found.items()}


def test_counts_and_ends(small: Clean, tmp_path: Path) -> None:
    found = results(
        small,
        tmp_path,
        """
measurement:
  - type: expect_column_values_to_be_between
    kwargs: {column: value_as_number, min_value: 0, max_value: 1000}
    severity: convention
    meta: {owner: 진단검사의학과, kahn_category: Plausibility}
  - {type: expect_column_values_to_be_between, id: mostly, kwargs: {column: value_as_number, max_value: 1000, mostly: 0.5}}
  - {type: expect_column_values_to_not_be_null, kwargs: {column: value_as_number}}
  - {type: expect_table_row_count_to_be_between, kwargs: {min_value: 5, max_value: 5}}
  - {type: expect_column_max_to_be_between, kwargs: {column: value_as_number, max_value: 1000}}
  - {type: expect_column_values_to_be_between, kwargs: {column: measurement_date, min_value: 2021-01-01}}
  - {type: expect_column_median_to_be_between, kwargs: {column: value_as_number, max_value: 1000}}
specimen:
  - {type: expect_column_values_to_not_be_null, kwargs: {column: specimen_date}}
person:
  - {type: expect_column_values_to_be_in_set, kwargs: {column: year_of_birth, value_set: [1980]}}
  - {type: expect_compound_columns_to_be_unique, kwargs: {column_list: [person_id, gender_concept_id]}}
""",
    )
    assert ends(found) == {
        "site_measurement_1": (Status.FAILED, 1, 3),
        "site_measurement_mostly": (Status.PASSED, 1, 3),
        "site_measurement_3": (Status.FAILED, 2, 5),
        "site_measurement_4": (Status.PASSED, 0, 1),
        "site_measurement_5": (Status.FAILED, 1, 1),
        "site_measurement_6": (Status.FAILED, 5, 5),
        "site_measurement_7": (Status.ERROR, None, None),
        "site_specimen_1": (Status.NOT_APPLICABLE, None, None),
        "site_person_1": (Status.PASSED, 0, 3),
        "site_person_2": (Status.PASSED, 0, 3),
    }
    first = found["site_measurement_1"].check
    assert (first.type.severity, first.type.category, first.field, first.threshold) == (
        Severity.CONVENTION, "Plausibility", "value_as_number", 0.0,
    )  # fmt: skip
    assert found["site_measurement_mostly"].check.threshold == 50.0
    assert found["site_specimen_1"].reason == "the table is empty"
    assert found["site_measurement_7"].reason.startswith("Great Expectations could not compute it: ")
    shown = json.dumps([str(result) for result in found.values()], ensure_ascii=False)
    assert "7654321" not in shown


def test_a_field_that_is_empty_throughout_is_no_pass(small: Clean, tmp_path: Path) -> None:
    found = results(
        small,
        tmp_path,
        "measurement: [{type: expect_column_values_to_be_between, kwargs: {column: range_low, max_value: 9}}]",
    )
    assert ends(found) == {"site_measurement_1": (Status.NOT_APPLICABLE, None, None)}


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "measurment: []\n",
            ["1 measurment: no table 'measurment' in a snapshot (closest: 'measurement')"],
        ),
        ("- 진단\n", ["1: not a mapping"]),
        ("person: {type: x}\n", ["1 person: not a list"]),
        ("person:\n  - kwargs: {}\n", ["2 person[0]: no type"]),
        (
            "person:\n  - type: expect_column_values_to_be_nul\n    kwargs: {column: person_id}\n",
            ["2 person[0].type: Great Expectations has no 'expect_column_values_to_be_nul'"
             " (closest: 'expect_column_values_to_be_null')"],
        ),
        (
            "person:\n  - type: unexpected_rows_expectation\n    kwargs: {unexpected_rows_query: SELECT 1}\n",
            ["2 person[0].type: 'unexpected_rows_expectation' does not count"],
        ),
        (
            "person:\n  - type: expect_column_values_to_not_be_null\n    kwargs:\n      column: birth\n    severty: fatal\n",
            ["5 person[0].severty: unknown key 'severty' (closest: 'severity')"],
        ),
        (
            "person:\n  - type: expect_column_values_to_not_be_null\n    kwargs:\n      column: gender_concept\n",
            ["4 person[0].kwargs.column: person has no column 'gender_concept' (closest: 'gender_concept_id')"],
        ),
        (
            "person:\n  - type: expect_column_values_to_not_be_null\n    kwargs: {column: person_id}\n    severity: 심각\n",
            ["4 person[0].severity: no severity '심각'"],
        ),
        (
            "person:\n  - {type: expect_column_values_to_not_be_null, id: a, kwargs: {column: person_id}}\n"
            "  - {type: expect_column_values_to_not_be_null, id: a, kwargs: {column: person_id}}\n",
            ["3 person[1].id: the id 'a' is given twice for this table"],
        ),
        (
            "person:\n  - type: expect_column_values_to_be_between\n    kwargs: {column: year_of_birth, lowest: 3}\n",
            ["3 person[0].kwargs.lowest: lowest: extra fields not permitted",
             "3 person[0].kwargs: expect_column_values_to_be_between: min_value and max_value cannot both be None"],
        ),
        ("person:\n  - {type: a\n", ["3: not YAML: expected ',' or '}', but got '<stream end>'"]),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, problems: list[str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_expectations(site(tmp_path, text))
    found = [
        f"{problem.where.rpartition('expectations.yaml:')[2]}: {problem.found}" for problem in raised.value.problems
    ]
    assert found == problems


def test_a_site_without_the_file_expects_nothing_more(tmp_path: Path) -> None:
    assert read_expectations(tmp_path) == ()
    assert read_expectations(None) == ()
