"""The real sample against plain Python, row by row."""

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dure.vocab import load_athena, resolve

SAMPLE = Path(__file__).parents[3] / "../shared/data/vocabulary_sample"
pytestmark = pytest.mark.skipif(
    not SAMPLE.is_dir(), reason=f"no {SAMPLE}: the sample vocabulary is not beside the project"
)


def rows_of(name):
    with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return load_athena(SAMPLE, tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def concepts():
    return {int(row["concept_id"]): row for row in rows_of("CONCEPT")}


@pytest.fixture(scope="module")
def relations():
    return [
        (int(r["concept_id_1"]), int(r["concept_id_2"]), r["relationship_id"], r["invalid_reason"])
        for r in rows_of("CONCEPT_RELATIONSHIP")
    ]


def as_text(column):
    text = pc.strftime(column, "%Y%m%d") if pa.types.is_date(column.type) else pc.cast(column, pa.string())
    return text.fill_null("").to_pylist()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("CONCEPT", 4217),
        ("CONCEPT_ANCESTOR", 154163),
        ("CONCEPT_CLASS", 423),
        ("CONCEPT_RELATIONSHIP", 279867),
        ("CONCEPT_SYNONYM", 0),
        ("DOMAIN", 50),
        ("DRUG_STRENGTH", 0),
        ("RELATIONSHIP", 696),
        ("VOCABULARY", 59),
    ],
)
def test_every_cell_is_stored(store, name, rows):
    table = pq.read_table(store.path(name))
    assert table.num_rows == store.counts["rows"][name] == rows
    header, *lines = [line.rstrip("\n").split("\t") for line in (SAMPLE / f"{name}.csv").open(encoding="utf-8")]
    assert sorted(header) == sorted(table.column_names)
    for column in table.column_names:
        at = header.index(column)
        assert as_text(table[column]) == [line[at] for line in lines]


def test_release_and_what_dangles(store, concepts, relations):
    assert store.release == "v5.0 29-FEB-24"
    assert store.counts["dangling"]["CONCEPT_RELATIONSHIP"] == 272620
    assert sum(first not in concepts or second not in concepts for first, second, _, _ in relations) == 272620
    ancestors = [
        (int(row["ancestor_concept_id"]), int(row["descendant_concept_id"])) for row in rows_of("CONCEPT_ANCESTOR")
    ]
    assert store.counts["dangling"]["CONCEPT_ANCESTOR"] == 153166
    assert sum(first not in concepts or second not in concepts for first, second in ancestors) == 153166


def test_targets_of_all_codes(store, concepts, relations):
    standard = {key for key, row in concepts.items() if row["standard_concept"] == "S" and not row["invalid_reason"]}
    expected = {key: {key} if key in standard else set() for key in concepts}
    for first, second, kind, invalid in relations:
        if kind == "Maps to" and not invalid and first in concepts and second in standard:
            expected[first].add(second)
    table = pq.read_table(store.folder / "code_targets.parquet").to_pylist()
    found = {key: [] for key in concepts}
    for row in table:
        source = concepts[row["source_concept_id"]]
        assert (row["vocabulary_id"], row["concept_code"]) == (source["vocabulary_id"], source["concept_code"])
        if row["target_concept_id"]:
            found[row["source_concept_id"]].append(row["target_concept_id"])
            assert row["target_domain_id"] == concepts[row["target_concept_id"]]["domain_id"]
    # No valid target of the sample that exists is non-standard, so nothing is followed.
    assert store.counts["targets"]["targets_moved"] == 0
    assert found == {key: sorted(targets) for key, targets in expected.items()}
    assert sum(map(bool, found.values())) == store.counts["targets"]["codes_with_target"] == 4139
    assert [(row["vocabulary_id"], row["concept_code"]) for row in table] == sorted(
        ((row["vocabulary_id"], row["concept_code"]) for row in table), key=lambda key: (key[0], key[1].encode())
    )


def test_synthea_s_codes(store):
    codes = {
        "SNOMED": ("44054006", "73211009", "10509002"),
        "LOINC": ("8302-2", "0-0"),
        "CVX": ("140",),
        "UCUM": ("mg/dL", "{score}"),
    }
    requests = pd.DataFrame(
        [(vocabulary, code, None, None, None) for vocabulary, each in codes.items() for code in each],
        columns=["vocabulary", "code", "code_type", "specimen", "unit"],
    )
    targets = resolve(requests, {}, store).targets
    found = dict(
        zip(
            zip(targets["vocabulary"], targets["code"], strict=True),
            zip(targets["target_concept_id"], targets["target_domain_id"], strict=True),
            strict=True,
        )
    )
    by_code = {(row["vocabulary_id"], row["concept_code"]): row for row in rows_of("CONCEPT")}
    for key, (target, domain) in found.items():
        row = by_code.get(key)
        assert (target, domain) == ((int(row["concept_id"]), row["domain_id"]) if row else (0, None))
    assert found["SNOMED", "44054006"] == (201826, "Condition")
    assert found["UCUM", "mg/dL"] == (8840, "Unit")
    assert found["LOINC", "0-0"] == (0, None)
