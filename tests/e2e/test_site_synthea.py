"""The Synthea site as it ships: it validates, its concepts are what they are meant to be, and it forgets no column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dure.landing import header_of
from dure.site import Site, load_site
from dure.site.sources import ViewSource

ROOT = Path(__file__).resolve().parents[2]
SITES, EXTRACT, SLICE = ROOT / "vocab_mappings/sites", ROOT / "tests/data/extract", ROOT / "tests/data/vocabulary"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("synthea", [SITES], EXTRACT, header_of)


@pytest.fixture(scope="module")
def concepts() -> list[dict[str, str]]:
    with (SLICE / "CONCEPT.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_it_validates_without_a_warning(site: Site) -> None:
    assert site.warnings == ()


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("sex", "Gender"),
        ("race", "Race"),
        ("ethnicity", "Ethnicity"),
        ("visit_class", "Visit"),
        ("observation_type", "Type Concept"),
        ("specialty", "Provider"),
        ("answer", "Meas Value"),
        ("drug_allergy", "Observation"),
        ("claim_type", "Type Concept"),
        ("payer", "Payer"),
    ],
)
def test_each_target_of_a_map_is_a_standard_concept_of_its_domain(
    site: Site, concepts: list[dict[str, str]], name: str, domain: str
) -> None:
    standard = [c for c in concepts if c["standard_concept"] == "S"]
    by_id = {int(c["concept_id"]): c["domain_id"] for c in standard}
    by_code = {(c["vocabulary_id"], c["concept_code"]): c["domain_id"] for c in standard}
    found = {
        value: by_id.get(target.concept_id)
        if target.concept_id
        else by_code.get((target.vocabulary_id, target.concept_code))
        for value, target in site.maps[name].values.items()
    }
    if name == "payer":  # the slice has two of its six payers
        found = {value: found[value] for value in (("Medicare",), ("Medicaid",))}
    assert found == dict.fromkeys(found, domain)


def test_the_unit_map_leads_to_standard_units(concepts: list[dict[str, str]]) -> None:
    with (SITES / "synthea/maps/unit.csv").open(encoding="utf-8", newline="") as stream:
        targets = {row["source_code"]: row["target_concept_id"] for row in csv.DictReader(stream)}
    names = {c["concept_id"]: c["concept_name"] for c in concepts if c["domain_id"] == "Unit" and c["standard_concept"]}
    assert {code: names.get(target) for code, target in targets.items()} == {
        "{score}": "score",
        "U/L": "unit per liter",
        "kU/L": "kilounit per liter",
        "/a": "per year",
    }


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from _words(value)
    elif isinstance(node, list):
        for value in node:
            yield from _words(value)
    else:
        yield str(node)


def test_every_column_is_read_or_left_out_with_a_reason(site: Site) -> None:
    spec = yaml.safe_load((SITES / "synthea/site.yaml").read_text(encoding="utf-8"))
    entries = [entry for entries in spec["tables"].values() for entry in entries]
    through_views = {word for text in site.views.values() for word in re.findall(r"\w+", text)}
    through_views |= set(_words([entry for entry in entries if entry["from"] in site.views]))
    for name, source in spec["sources"].items():
        if name in site.views or source.get("role") == "lookup":
            continue
        read = set(_words([entry for entry in entries if entry["from"] == name]))
        read |= set(_words([source["key"], source.get("keep", {})]))
        if any(name in text for text in site.views.values()):
            read |= through_views
        left = [column for columns in source.get("left_out", {}).values() for column in columns]
        assert sorted(set(site.headers[name]) - read - set(left)) == [], name
        # A view may read a column of the same name from another source.
        assert sorted(set(left) & (read - set(_words(source.get("key", []))) - through_views)) == [], name
        assert len(left) == len(set(left)), name


def test_every_file_of_the_export_is_read(site: Site) -> None:
    spec = yaml.safe_load((SITES / "synthea/site.yaml").read_text(encoding="utf-8"))
    files = {file.stem for file in EXTRACT.iterdir()}
    assert files == set(spec["sources"]) - set(site.views)
    assert len(files) == 18
    assert "ignored" not in spec


@pytest.mark.parametrize(("view", "source"), [("coverage", "payer_transitions"), ("claim_cost", "claims")])
def test_a_view_names_the_source_whose_rows_it_holds(site: Site, view: str, source: str) -> None:
    declared = site.spec.sources[view]
    assert isinstance(declared, ViewSource)
    assert declared.of == source
