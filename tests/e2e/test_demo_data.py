"""The demo extract and its vocabulary slice are what their scripts write, small, whole, and as dirty as they say."""

from __future__ import annotations

import csv
import importlib.util
from collections import Counter
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from oracle_synthea import Cells, moment, read_source

DATA = Path(__file__).resolve().parents[1] / "data"
EXTRACT, VOCABULARY = DATA / "extract", DATA / "vocabulary"


def script(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    # A dataclass looks its module up by name.
    import sys

    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def athena(name: str) -> list[dict[str, str]]:
    with (VOCABULARY / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize(("name", "folder"), [("make_extract", EXTRACT), ("make_vocabulary", VOCABULARY)])
def test_the_files_are_what_the_script_writes(name: str, folder: Path, tmp_path: Path) -> None:
    script(name).main(tmp_path)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    stale = sorted(file for file in written.keys() | kept.keys() if written.get(file) != kept.get(file))
    assert stale == [], f"stale: run python tests/data/{name}.py"


def test_the_demo_data_stay_small() -> None:
    files = [*EXTRACT.iterdir(), *VOCABULARY.iterdir()]
    assert sum(file.stat().st_size for file in files) < 300_000


def test_every_kind_of_dirt_is_there_as_often_as_declared() -> None:
    patients = read_source(EXTRACT, "patients")
    encounters = read_source(EXTRACT, "encounters")
    conditions = read_source(EXTRACT, "conditions")
    immunizations = read_source(EXTRACT, "immunizations")
    medications = read_source(EXTRACT, "medications")
    observations = read_source(EXTRACT, "observations", ["null"])
    supplies, claims = read_source(EXTRACT, "supplies"), read_source(EXTRACT, "claims")
    insured = read_source(EXTRACT, "payer_transitions")
    people, visits = {row["Id"] for row in patients}, {row["Id"] for row in encounters}
    codes = {row["concept_code"] for row in athena("CONCEPT")}
    mapped_units = codes | {"{score}", "U/L", "kU/L", "/a", None}

    def backwards(row: Cells, first: str = "START", last: str = "STOP") -> bool:
        start, end = moment(row[first]), moment(row[last])
        return start is not None and end is not None and end < start

    classes = {"inpatient", "outpatient", "ambulatory", "wellness", "emergency", "urgentcare", "home", "virtual", "snf",
               "hospice"}  # fmt: skip
    numeric = [row for row in observations if row["TYPE"] == "numeric"]
    found = {
        "patient without a birth date": ("patients", sum(row["BIRTHDATE"] is None for row in patients)),
        "visit of a patient whom nobody knows": ("encounters", sum(r["PATIENT"] not in people for r in encounters)),
        "visit that ends before it starts": ("encounters", sum(map(backwards, encounters))),
        "visit of a class that no map has": ("encounters", sum(r["ENCOUNTERCLASS"] not in classes for r in encounters)),
        "date that no calendar has": ("conditions", sum(moment(row["START"]) is None for row in conditions)),
        "code that no vocabulary has": ("conditions", sum(row["CODE"] not in codes for row in conditions)),
        "row sent twice": ("immunizations", sum(n - 1 for n in Counter(map(str, immunizations)).values())),
        "diagnosis of a visit that nobody knows": ("conditions", sum(r["ENCOUNTER"] not in visits for r in conditions)),
        "prescription that ends before it starts": ("medications", sum(map(backwards, medications))),
        "number that is none": ("observations", sum(_no_number(row["VALUE"]) for row in numeric)),
        "unit that no vocabulary has": ("observations", sum(row["UNITS"] not in mapped_units for row in observations)),
        "supply that no vocabulary has": ("supplies", sum(row["CODE"] not in codes for row in supplies)),
        "insurance that ends before it starts": (
            "payer_transitions",
            sum(backwards(row, "START_YEAR", "END_YEAR") for row in insured),
        ),
        "claim for a visit that nobody knows": ("claims", sum(row["APPOINTMENTID"] not in visits for row in claims)),
    }
    assert found == script("make_extract").DIRT


def _no_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return True
    return False


def test_the_vocabulary_slice_is_whole() -> None:
    concepts = athena("CONCEPT")
    ids = {row["concept_id"] for row in concepts}
    standard = {row["concept_id"] for row in concepts if row["standard_concept"] == "S"}
    assert len(ids) == len(concepts)
    for column, table in (
        ("domain_id", "DOMAIN"),
        ("vocabulary_id", "VOCABULARY"),
        ("concept_class_id", "CONCEPT_CLASS"),
    ):
        assert {row[column] for row in concepts} == {row[column] for row in athena(table)} & {
            row[column] for row in concepts
        }
    relationships = athena("CONCEPT_RELATIONSHIP")
    assert {row["concept_id_1"] for row in relationships} | {row["concept_id_2"] for row in relationships} <= ids
    assert {row["concept_id_2"] for row in relationships if row["relationship_id"] == "Maps to"} <= standard
    assert {row["relationship_id"] for row in relationships} <= {
        row["relationship_id"] for row in athena("RELATIONSHIP")
    }
    ancestors = athena("CONCEPT_ANCESTOR")
    assert {row["ancestor_concept_id"] for row in ancestors} | {
        row["descendant_concept_id"] for row in ancestors
    } <= ids
    assert len(athena("DRUG_STRENGTH")) == 4
    assert athena("CONCEPT_SYNONYM") == []


def test_the_demo_holds_korean_text_and_a_time_just_after_midnight() -> None:
    assert {row["FIRST"] for row in read_source(EXTRACT, "patients")} >= {"하늘", "바다", "가람", "솔"}
    starts = [moment(row["START"]) for row in read_source(EXTRACT, "encounters")]
    assert min(start for start in starts if start).date() == date(2019, 1, 7)
    assert {(start.hour, start.minute) for start in starts if start} >= {(0, 30), (8, 59)}
