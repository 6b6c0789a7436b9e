"""The catalogue: DataQualityDashboard's as it publishes it, and the texts that explain every type."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from dure.errors import ConfigurationError
from dure.quality.catalogue import Severity, dqd_checks, dqd_types
from dure.quality.explain import explained, explanations, finding_sql
from dure.quality.own_catalogue import catalogue, own_checks, own_types

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "dqd"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"{REFERENCE} is not there")
# Per type: the column that says "Yes" (or holds a value) where an instance exists, and that of its threshold.
FIELD_TYPES = (
    "isRequired", "cdmDatatype", "isPrimaryKey", "isForeignKey", "fkDomain", "fkClass", "isStandardValidConcept",
    "measureValueCompleteness", "standardConceptRecordCompleteness", "sourceConceptRecordCompleteness",
    "sourceValueCompleteness", "plausibleValueLow", "plausibleValueHigh", "plausibleTemporalAfter",
    "plausibleDuringLife", "withinVisitDates", "plausibleAfterBirth", "plausibleBeforeDeath", "plausibleStartBeforeEnd",
)  # fmt: skip
TABLE_TYPES = ("measurePersonCompleteness", "measureConditionEraCompleteness", "measureObservationPeriodOverlap")
# Tables of the vocabulary, which DataQualityDashboard leaves out unless it is told otherwise.
LEFT_OUT = {
    "concept", "vocabulary", "concept_ancestor", "concept_relationship", "concept_class", "concept_synonym",
    "relationship", "domain",
}  # fmt: skip
CONCEPT_TYPES = ("plausibleGender", "plausibleGenderUseDescendants", "plausibleUnitConceptIds")


def rows(level: str) -> list[dict[str, str]]:
    with (REFERENCE / f"OMOP_CDMv5.4_{level}.csv").open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def published() -> Counter[tuple[str, str, str, tuple[int, ...], float]]:
    """(type, table, field, concepts, threshold) of each instance that the published tables of thresholds make."""
    found: Counter[tuple[str, str, str, tuple[int, ...], float]] = Counter()
    for row in rows("Table_Level"):
        table = row["cdmTableName"].lower()
        found["cdmTable", table, "", (), 0.0] += 1
        for name in TABLE_TYPES:
            if row[name] == "Yes":
                found[name, table, "", (), float(row[f"{name}Threshold"] or 0)] += 1
    for row in rows("Field_Level"):
        table, field = row["cdmTableName"].lower(), row["cdmFieldName"].lower()
        if field == "offset":
            # A reserved word: DataQualityDashboard makes no check of note_nlp.offset.
            continue
        found["cdmField", table, field, (), 0.0] += 1
        for name in FIELD_TYPES:
            if name == "cdmDatatype":
                there = row[name] == "integer"
            elif name in ("fkDomain", "fkClass", "plausibleValueLow", "plausibleValueHigh"):
                there = row[name] != ""
            else:
                there = row[name] == "Yes"
            if there:
                found[name, table, field, (), float(row[f"{name}Threshold"] or 0)] += 1
    for row in rows("Concept_Level"):
        table, field = row["cdmTableName"].lower(), row["cdmFieldName"].lower()
        concepts = tuple(int(part) for part in row["conceptId"].replace(",", " ").split())
        for name in CONCEPT_TYPES:
            if row[name]:
                found[name, table, field, concepts, float(row[f"{name}Threshold"] or 0)] += 1
    return Counter({instance: n for instance, n in found.items() if instance[1] not in LEFT_OUT})


@needs_reference
def test_the_instances_are_the_published_ones() -> None:
    ours = Counter((c.type.name, c.table, c.field or "", c.concept_ids, c.threshold) for c in dqd_checks())
    assert ours == published()
    assert (len(dqd_types()), len(dqd_checks())) == (27, 2374)
    assert sum(check.type.deprecated for check in dqd_checks()) == 372


@needs_reference
def test_the_types_are_the_published_ones() -> None:
    theirs = {
        row["checkName"]: (row["checkLevel"].lower(), row["severity"], row["kahnContext"], row["kahnCategory"])
        for row in rows("Check_Descriptions")
    }
    ours = {t.name: (t.level, t.severity.value, t.context, t.category) for t in dqd_types().values()}
    assert ours == {name: theirs[name] for name in ours}
    assert len(ours) == 27


def test_ids_are_unique() -> None:
    assert [check_id for check_id, n in Counter(check.id for check in catalogue()).items() if n > 1] == []
    assert all(check.id.startswith("dure_") for check in own_checks())


def test_what_the_default_policy_must_block_is_fatal() -> None:
    fatal = {name for name, kind in own_types().items() if kind.severity is Severity.FATAL}
    assert fatal == {
        "reconciliation", "accountedRows", "bigintDatatype", "uniqueKey", "idRange", "movedRecord", "changedId",
        "residentNumber",
    }  # fmt: skip


def test_every_type_is_explained_in_both_languages() -> None:
    assert explanations().keys() == {*dqd_types(), *own_types()}
    for name, written in explanations().items():
        assert any("가" <= letter <= "힣" for letter in written["korean"]), name
        assert all({"cause", "fix", "korean"} == each.keys() for each in written["causes"]), name
        assert written["causes"], name


def test_every_check_fills_its_sql() -> None:
    assert [
        check.id
        for check in catalogue()
        if "{" in finding_sql(check).replace("{2}", "").replace("{7}", "").replace("{10}", "")
    ] == []


def test_an_explanation_says_what_is_counted() -> None:
    lines = explained("FIELD_plausibleStartBeforeEnd_dose_era_dose_era_start_date")
    assert lines[0] == "field_plausiblestartbeforeend_dose_era_dose_era_start_date"
    assert "counts:      Rows that end before they start" in lines
    assert "out of:      rows with both dates" in lines
    assert "threshold:   up to 1 % may be violated" in lines
    assert "severity:    characterization" in lines
    assert "  WHERE CAST(t.dose_era_start_date AS date) > CAST(t.dose_era_end_date AS date);" in lines


def test_an_unknown_id_names_the_closest() -> None:
    with pytest.raises(ConfigurationError) as raised:
        explained("field_isrequired_person_year_of_brith")
    assert "field_isrequired_person_year_of_birth" in raised.value.problems[0].do
    with pytest.raises(ConfigurationError) as raised:
        explained("없는 검사")
    assert raised.value.problems[0].do == "results.json and report.html name every check"
