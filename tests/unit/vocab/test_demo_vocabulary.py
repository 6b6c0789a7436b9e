"""The demonstration vocabulary: what its script writes, whole in itself, and true wherever it can be checked."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import pytest

from dure.settings import shipped
from dure.vocab import load_athena

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "vocab_mappings/demo_vocabulary_source"
BUILT = ROOT / "vocab_mappings/demo_vocabulary"
SITES = ROOT / "vocab_mappings/sites"
SHARED = ROOT.parent / "shared/data"
SAMPLE, EDI_MAPS = SHARED / "vocabulary_sample", SHARED / "korea_edi_maps"
needs_shared = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"no reference data at {SHARED}")
Row = dict[str, str]


def source(name: str) -> list[Row]:
    with (SOURCES / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def athena(folder: Path, name: str) -> list[Row]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_files_are_what_the_script_writes(tmp_path: Path) -> None:
    found = importlib.util.spec_from_file_location("build_demo_vocabulary", SOURCES / "build.py")
    assert found is not None
    assert found.loader is not None
    script = importlib.util.module_from_spec(found)
    sys.modules[found.name] = script
    found.loader.exec_module(script)
    script.main(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in BUILT.glob("*.csv")}
    stale = sorted(name for name in written.keys() | kept.keys() if written.get(name) != kept.get(name))
    assert stale == [], "stale: run python vocab_mappings/demo_vocabulary_source/build.py"


def test_it_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in BUILT.iterdir()) < 200_000
    assert shipped("demo_vocabulary") == BUILT


def test_nothing_in_it_points_outside_of_it(tmp_path: Path) -> None:
    store = load_athena(BUILT, tmp_path)
    assert store.counts["absent"] == []
    assert {table: n for table, n in store.counts["dangling"].items() if n} == {}
    concepts = athena(BUILT, "CONCEPT")
    for column, table in (
        ("domain_id", "DOMAIN"),
        ("vocabulary_id", "VOCABULARY"),
        ("concept_class_id", "CONCEPT_CLASS"),
    ):
        assert {row[column] for row in concepts} <= {row[column] for row in athena(BUILT, table)}
    named = {row["relationship_id"] for row in athena(BUILT, "RELATIONSHIP")}
    assert {row["relationship_id"] for row in athena(BUILT, "CONCEPT_RELATIONSHIP")} <= named
    ids = {row["concept_id"] for row in concepts}
    strengths = athena(BUILT, "DRUG_STRENGTH")
    assert {row[name] for row in strengths for name in ("drug_concept_id", "ingredient_concept_id")} <= ids
    units = ("amount_unit_concept_id", "numerator_unit_concept_id", "denominator_unit_concept_id")
    assert {row[name] for row in strengths for name in units} - {""} <= ids


def test_a_concept_is_there_once_and_its_code_too() -> None:
    concepts = athena(BUILT, "CONCEPT")
    assert len({row["concept_id"] for row in concepts}) == len(concepts)
    assert len({(row["vocabulary_id"], row["concept_code"]) for row in concepts}) == len(concepts)


def test_what_nobody_could_verify_is_local_and_never_standard() -> None:
    with (SITES / "consortia/korea/blocks.csv").open(encoding="utf-8", newline="") as stream:
        blocks = {row["owner"]: int(row["first_concept_id"]) for row in csv.DictReader(stream)}
    first = blocks["demo_vocabulary"]
    local = {row["concept_id"] for row in source("local_concepts")}
    assert all(first <= int(concept) < first + 1_000_000 for concept in local)
    for row in athena(BUILT, "CONCEPT"):
        assert (int(row["concept_id"]) >= 2_000_000_000) == (row["concept_id"] in local)
        if row["concept_id"] in local:
            assert row["standard_concept"] == ""
    assert {row["verified"] for row in source("concepts")} == {"sample", "edi", "known", "id"}


def test_a_code_that_is_not_known_is_the_id_and_only_where_the_page_says_so() -> None:
    for row in source("concepts"):
        assert (row["concept_code"] == row["concept_id"]) == (row["verified"] == "id")


def test_targets_are_standard_and_of_the_domain_that_the_source_concept_says() -> None:
    by_id = {row["concept_id"]: row for row in athena(BUILT, "CONCEPT")}
    for row in source("local_concepts"):
        for target in row["maps_to"].split():
            assert by_id[target]["standard_concept"] == "S"
            assert by_id[target]["domain_id"] == row["domain_id"]


def test_every_drug_leads_to_an_ingredient_and_tablets_to_a_strength() -> None:
    concepts = {row["concept_id"]: row for row in athena(BUILT, "CONCEPT")}
    ingredients = {key for key, row in concepts.items() if row["concept_class_id"] == "Ingredient"}
    above = {
        row["descendant_concept_id"]
        for row in athena(BUILT, "CONCEPT_ANCESTOR")
        if row["ancestor_concept_id"] in ingredients
    }
    drugs = {key for key, row in concepts.items() if row["domain_id"] == "Drug" and row["standard_concept"] == "S"}
    assert drugs <= above
    assert {row["drug_concept_id"] for row in source("strengths")} == drugs - ingredients


def test_no_map_of_the_three_hospitals_points_outside_of_it() -> None:
    known = {row["concept_id"] for row in athena(BUILT, "CONCEPT") if row["standard_concept"] == "S"} | {"0"}
    asked: dict[str, str] = {}
    for folder in ("haneul", "bada", "gangsan", "consortia/korea"):
        for path in sorted((SITES / folder / "maps").glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    asked[row.get("target_concept_id") or row["concept_id"]] = path.name
    assert {concept: file for concept, file in asked.items() if concept not in known} == {}


@needs_shared
def test_concepts_of_the_sample_are_as_they_are_there() -> None:
    sample = {row["concept_id"]: row for row in athena(SAMPLE, "CONCEPT")}
    checked = [row for row in source("concepts") if row["verified"] == "sample"]
    assert len(checked) > 150
    for row in checked:
        assert {name: row[name] for name in sample[row["concept_id"]]} == sample[row["concept_id"]]


@needs_shared
def test_no_concept_contradicts_the_sample() -> None:
    sample = athena(SAMPLE, "CONCEPT")
    ids, codes = {row["concept_id"] for row in sample}, {(r["vocabulary_id"], r["concept_code"]) for r in sample}
    for row in source("concepts"):
        if row["verified"] != "sample":
            assert row["concept_id"] not in ids
            assert (row["vocabulary_id"], row["concept_code"]) not in codes


@needs_shared
@pytest.mark.parametrize("table", ["DOMAIN", "CONCEPT_CLASS", "RELATIONSHIP"])
def test_the_small_tables_are_those_of_the_sample(table: str) -> None:
    there = {tuple(row.values()) for row in athena(SAMPLE, table)}
    assert {tuple(row.values()) for row in athena(BUILT, table)} <= there


@needs_shared
def test_vocabularies_have_the_concepts_that_they_have_in_the_sample() -> None:
    there = {row["vocabulary_id"]: row["vocabulary_concept_id"] for row in athena(SAMPLE, "VOCABULARY")}
    for row in athena(BUILT, "VOCABULARY"):
        expected = there.get(row["vocabulary_id"])
        assert row["vocabulary_concept_id"] == expected or (
            expected is None and int(row["vocabulary_concept_id"]) > 2e9
        )


@needs_shared
def test_ingredients_of_drugs_are_those_of_the_sample() -> None:
    there = {(r["ancestor_concept_id"], r["descendant_concept_id"]) for r in athena(SAMPLE, "CONCEPT_ANCESTOR")}
    checked = [row for row in source("strengths") if row["verified"] == "sample"]
    assert len(checked) > 15
    assert {(row["ingredient_concept_id"], row["drug_concept_id"]) for row in checked} <= there


@needs_shared
def test_billing_codes_and_targets_are_those_of_the_korean_maps() -> None:
    concept_of: dict[str, str] = {}
    targets = set()
    for name in ("measurement_guideline/source_to_concept_map.csv", "procedure_guideline/source_to_concept_map.csv"):
        with (EDI_MAPS / name).open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream):
                lower = {key.lower(): value for key, value in row.items()}
                concept_of[lower["source_code"]] = lower["source_concept_id"]
                targets.add(lower["target_concept_id"])
    for row in source("concepts"):
        if row["verified"] == "edi":
            assert (
                concept_of[row["concept_code"]] == row["concept_id"]
                if row["vocabulary_id"] == "EDI"
                else (row["concept_id"] in targets)
            )
