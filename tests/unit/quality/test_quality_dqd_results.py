"""`dqd-results.json`: the names, the casing and the counts that DataQualityDashboard's viewer reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import sample_checking as sample
from dure.quality.catalogue import dqd_types
from dure.quality.evidence.dqd_viewer import DQD_VERSION, viewer_json
from dure.quality.own_catalogue import catalogue
from dure.quality.results import Result, Status

KEYS = {
    "numViolatedRows", "pctViolatedRows", "numDenominatorRows", "executionTime", "queryText", "checkName", "checkLevel",
    "checkDescription", "cdmTableName", "cdmFieldName", "conceptId", "unitConceptId", "sqlFile", "category",
    "subcategory", "context", "warning", "error", "checkId", "severity", "failed", "passed", "isError", "notApplicable",
    "notApplicableReason", "thresholdValue", "notesValue",
}  # fmt: skip
SOURCE = {
    "cdm_source_name": "바다병원",
    "cdm_source_abbreviation": "BADA",
    "cdm_release_date": date(2026, 3, 15),
    "cdm_version_concept_id": 756265,
    "source_documentation_reference": None,
}


@cache
def document() -> dict[str, Any]:
    return viewer_json(sample.checking(), [SOURCE])


def of(check_id: str) -> dict[str, Any]:
    return next(check for check in document()["CheckResults"] if check["checkId"] == check_id)


def test_single_values_are_lists_of_one() -> None:
    read = document()
    assert read["startTimestamp"] == ["2026-03-15 01:02:03"]
    assert read["endTimestamp"] == ["2026-03-15 01:03:18"]
    assert read["executionTime"] == ["1 mins"] and read["executionTimeSeconds"] == [75.0]


def test_the_source_is_named_in_camel_case() -> None:
    assert document()["Metadata"] == [
        {
            "cdmSourceName": "바다병원",
            "cdmSourceAbbreviation": "BADA",
            "cdmReleaseDate": "2026-03-15",
            "cdmVersionConceptId": 756265,
            "sourceDocumentationReference": None,
            "dqdVersion": DQD_VERSION,
        }
    ]
    assert viewer_json(sample.checking(), [])["Metadata"] == [{"cdmSourceName": "bada", "dqdVersion": DQD_VERSION}]


def test_what_does_not_apply_or_erred_counts_as_passed_overall_as_it_does_there() -> None:
    overview = {name: value for name, (value,) in document()["Overview"].items()}
    statuses = [result.status for result in sample.checking().results]
    assert overview["countTotal"] == 2002 == len(statuses)
    assert overview["countOverallFailed"] == overview["countThresholdFailed"] == 3
    assert overview["countErrorFailed"] == 1
    assert overview["countPassed"] == 1999
    assert (overview["percentPassed"], overview["percentFailed"]) == (99.85, 0.15)
    assert sum(overview[f"countTotal{name}"] for name in ("Plausibility", "Conformance", "Completeness")) == 2002
    passed = sum(overview[f"countPassed{name}"] for name in ("Plausibility", "Conformance", "Completeness"))
    assert passed == statuses.count(Status.PASSED)
    assert overview["countFailedConformance"] == 2 and overview["countFailedPlausibility"] == 1


def test_every_check_has_every_key_and_one_status() -> None:
    for check in document()["CheckResults"]:
        assert set(check) == KEYS
        assert check["failed"] + check["passed"] + check["isError"] + check["notApplicable"] == 1
        assert check["checkLevel"] in ("TABLE", "FIELD", "CONCEPT")
        assert check["cdmTableName"] == check["cdmTableName"].upper()


def test_a_failure_an_error_and_one_that_does_not_apply() -> None:
    failed = of(sample.CLOSING)
    assert (failed["numViolatedRows"], failed["pctViolatedRows"], failed["numDenominatorRows"]) == (3, 0.025, 120)
    assert (failed["cdmTableName"], failed["cdmFieldName"]) == ("PERSON", "YEAR_OF_BIRTH")
    assert (failed["checkName"], failed["sqlFile"]) == ("isRequired", "field_is_not_nullable.sql")
    assert (failed["failed"], failed["thresholdValue"], failed["conceptId"]) == (1, 0.0, None)
    erred = of(sample.BROKEN)
    assert (erred["isError"], erred["failed"], erred["pctViolatedRows"]) == (1, 0, None)
    assert erred["error"] == "the engine refused: <no such column>"
    concept = next(check for check in document()["CheckResults"] if check["checkLevel"] == "CONCEPT")
    assert concept["notApplicable"] == 1 and concept["notApplicableReason"].startswith("no row of")
    assert concept["checkId"].endswith(concept["conceptId"])


def test_only_its_own_checks_are_in_it() -> None:
    ours = [Result(check, Status.FAILED, 1, 1) for check in catalogue() if check.type.name not in dqd_types()]
    assert len(ours) > 10
    checking = replace(sample.checking(), results=[*sample.checking().results, *ours])
    assert viewer_json(checking, [SOURCE])["Overview"]["countTotal"] == [2002]
