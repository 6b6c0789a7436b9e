"""The catalogue: each concept as the reference data has it, one row a fact, and histories that name known facts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dure.demo.generate.catalogue import facts, read
from dure.demo.generate.plans import plans
from dure.demo.generate.population import HOSPITALS

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
SAMPLE, EDI = SHARED / "vocabulary_sample" / "CONCEPT.csv", SHARED / "korea_edi_maps"
needs_shared = pytest.mark.skipif(not SAMPLE.is_file(), reason=f"no reference data at {SHARED}")


def test_a_fact_is_named_once_and_its_second_concept_apart() -> None:
    rows = [(row["fact"], row["target"]) for row in read("facts")]
    assert len(rows) == len(set(rows))
    assert {fact for fact, target in rows if target == "2"} == {"budesonide_formoterol"}
    assert 60 <= len(facts()) <= 160


def test_evidence_is_given_for_every_concept() -> None:
    for row in read("facts"):
        assert (row["evidence"] == "none") == (row["standard_concept_id"] == "0") == (row["concept_code"] == "")
        assert row["evidence"] in ("sample", "edi", "certain", "none")


@needs_shared
def test_concepts_of_the_sample_are_as_the_sample_has_them() -> None:
    with SAMPLE.open(encoding="utf-8", newline="") as lines:
        known = {row["concept_id"]: row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}
    columns = ("concept_name", "concept_code", "vocabulary_id", "domain_id", "concept_class_id")
    checked = 0
    for row in read("facts"):
        if row["evidence"] == "sample":
            found = known[row["standard_concept_id"]]
            assert [row[column] for column in columns] == [found[column] for column in columns]
            assert found["standard_concept"] == "S"
            checked += 1
        else:
            assert row["standard_concept_id"] == "0" or row["standard_concept_id"] not in known
    for row in read("units"):
        found = known[row["unit_concept_id"]]
        assert (found["vocabulary_id"], found["standard_concept"]) == ("UCUM", "S")
    assert checked > 100


@needs_shared
def test_concepts_of_the_edi_maps_are_targets_there() -> None:
    targets: set[str] = set()
    for path in EDI.glob("*_guideline/source_to_concept_map.csv"):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            targets |= {row.get("TARGET_CONCEPT_ID", row.get("target_concept_id", "")) for row in csv.DictReader(lines)}
    assert {row["standard_concept_id"] for row in read("facts") if row["evidence"] == "edi"} <= targets


def test_histories_name_facts_plans_and_tests_that_there_are() -> None:
    names = {plan.name for plan in plans()}
    known = set(facts().names)
    for row in read("items"):
        assert row["plan"] in names
        assert row["fact"] in known
        assert 0 < float(row["probability"]) <= 1
    pairs = [(row["plan"], row["fact"]) for row in read("items")]
    assert len(pairs) == len(set(pairs))
    for row in (*read("effects"), *read("results")):
        assert row["fact"] in known
        assert row.get("plan", "dm2") in names
    for plan in plans():
        assert abs(sum(plan.mix) - 1) < 1e-9
        assert not plan.among or plan.among in names
    measured = {row["fact"] for row in read("results")}
    spoken = {"height", "weight", "bmi", "fev1", "fvc", "fev1_fvc", "ana_titer", "steps", "sleep", "resting_heart_rate"}
    for fact, row in zip(facts().names, facts().first, strict=True):
        if row["result"] in ("number", "operator", "titer"):
            assert (fact in measured) != (fact in spoken)


def test_every_kind_of_dirt_says_where_it_ends_at_each_hospital() -> None:
    for row in read("dirt_kinds"):
        assert set(row["hospitals"].split()) <= set(HOSPITALS)
        assert 0 < float(row["share"]) < 0.5
        assert row["ends"]
        assert row["meaning"]


def test_units_and_doses_are_given_where_they_must_be() -> None:
    units = {row["unit"] for row in read("units")}
    for row in read("facts"):
        assert row["unit"] in units | {""}
    drugs = {name for name, kind in zip(facts().names, facts().kind, strict=True) if kind == "drug"}
    assert {row["fact"] for row in read("doses")} == drugs
