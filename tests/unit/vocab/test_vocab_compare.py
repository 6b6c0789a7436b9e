"""Agreement of hospitals, distance in the hierarchy and adoption of the common map, on hand-written records."""

import pytest
from vocab_athena_folder import concept, write_athena

from dure.vocab import load_athena
from dure.vocab.compare import ADOPTION, AGREEMENT, DIFFERENCES, OVERRIDES, compare, normalised
from dure.vocab.coverage import CODE_RECORDS, code_records_table
from dure.vocab.hierarchy import Hierarchy

FINDING, ANEMIA, IRON, B12, FALL = 1, 2, 3, 4, 9


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    above = [(FINDING, ANEMIA, 1), (ANEMIA, IRON, 1), (ANEMIA, B12, 1), (FINDING, IRON, 2), (FINDING, B12, 2)]
    ancestors = [
        {
            "ancestor_concept_id": ancestor,
            "descendant_concept_id": descendant,
            "min_levels_of_separation": levels,
            "max_levels_of_separation": levels,
        }
        for ancestor, descendant, levels in above
    ]
    concepts = [
        concept(n, f"S{n}", vocabulary="SNOMED", name=name)
        for n, name in ((FINDING, "소견"), (ANEMIA, "빈혈"), (IRON, "철결핍"), (B12, "비타민"), (FALL, "낙상"))
    ]
    return load_athena(write_athena(folder / "a", concepts, CONCEPT_ANCESTOR=ancestors), folder / "stores")


def table(*codes):
    """(code, targets, records[, authority, common, description, vocabulary])"""
    rows = []
    for code, targets, records, *rest in codes:
        authority, common, description, vocabulary = (*rest, *(None,) * 4)[:4]
        rows.append(
            dict.fromkeys(CODE_RECORDS.names)
            | {"role": "code", "table": "condition_occurrence", "vocabulary": vocabulary or "LAB", "code": code}
            | {"targets": targets, "records": records, "authority": authority or "vocabulary"}
            | {"common_targets": common, "description": description, "status": "mapped" if targets else "unmapped"}
        )
    return code_records_table(rows)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [(IRON, IRON, 0), (ANEMIA, IRON, 1), (IRON, B12, 2), (FINDING, B12, 2), (IRON, FALL, None)],
)
def test_distance_goes_through_the_nearest_common_ancestor(store, one, other, distance):
    hierarchy = Hierarchy(store, [FINDING, ANEMIA, IRON, B12, FALL])
    assert hierarchy.between(one, other) == hierarchy.between(other, one) == distance


def test_distance_of_sets_is_that_of_the_one_left_out(store):
    hierarchy = Hierarchy(store, [ANEMIA, IRON, B12, FALL])
    assert hierarchy.between_sets([IRON, B12], [IRON]) == 2
    assert hierarchy.between_sets([IRON], [IRON, FALL]) is None
    assert hierarchy.between_sets([], [IRON]) is None


def test_agreement_is_on_what_both_map(store):
    made = compare(
        {
            "bada": table(("A", "3", 10), ("B", "3", 5), ("C", "3", 1), ("D", "9", 2), ("E", "3", 7)),
            "haneul": table(("A", "3", 20), ("B", "4", 15), ("C", "", 1), ("D", "3", 2), ("F", "3", 7)),
        },
        store,
    )
    pair = next(row for row in made.agreement if (row["same"], row["site_a"]) == ("code", "bada"))
    assert [pair[name] for name in AGREEMENT[3:]] == [4, 1, 3, 1, 0.3333, 54, 30, 0.5556, 2.0, 1]
    assert [(row["code"], row["records"], row["distance"]) for row in made.differences] == [
        ("B", 20, 2),
        ("D", 4, None),
    ]
    assert (made.differences[0]["names_a"], made.differences[0]["names_b"]) == ("철결핍", "비타민")
    assert set(made.differences[0]) == set(DIFFERENCES)
    assert set(made.agreement[0]) == set(AGREEMENT)


def test_three_hospitals_are_three_pairs_and_all_together(store):
    sites = {name: table(("A", target, 1)) for name, target in (("가", "3"), ("나", "3"), ("다", "4"))}
    made = [row for row in compare(sites, store).agreement if row["same"] == "code"]
    assert [(row["site_a"], row["site_b"], row["agree"]) for row in made] == [
        ("가", "나", 1),
        ("가", "다", 0),
        ("나", "다", 0),
        ("all", "all", 1),
    ]


def test_spellings_of_one_code_are_one(store):
    made = compare(
        {
            "bada": table(("D50.9", "3", 1, None, None, None, "KCD7"), ("D509", "3", 4, None, None, None, "KCD7")),
            "haneul": table(("D509", "4", 2, None, None, None, "KCD7")),
        },
        store,
    )
    assert [(row["code"], row["records"]) for row in made.differences] == [("D509", 7)]


def test_the_same_description_under_other_codes(store):
    made = compare(
        {
            "bada": table(("L1", "3", 1, None, None, "철결핍 빈혈(Iron)"), ("L2", "3", 1, None, None, "-")),
            "haneul": table(("X9", "4", 2, None, None, "철결핍빈혈 (IRON)"), ("X8", "4", 2, None, None, "-")),
        },
        store,
    )
    assert [(row["same"], row["code_a"], row["code_b"], row["distance"]) for row in made.differences] == [
        ("description", "L1", "X9", 2)
    ]


def test_adoption_and_overrides(store):
    made = compare(
        {
            "bada": table(
                ("A", "3", 6, "consortium", "3"),
                ("B", "3", 3, "site", "4"),
                ("C", "3", 1, "site", "3"),
                ("D", "3", 10, "site"),
            ),
            "haneul": table(("A", "3", 1, "consortium", "3")),
        },
        store,
    )
    assert [made.adoption[0][name] for name in ADOPTION] == ["bada", 4, 1, 0.25, 2, 20, 6, 0.3, 4]
    assert made.adoption[1]["records_common_share"] == 1.0
    assert [(row["code"], row["differs"], row["distance"]) for row in made.overrides] == [
        ("B", True, 2),
        ("C", False, 0),
    ]
    assert set(made.overrides[0]) == set(OVERRIDES)


@pytest.mark.parametrize(
    ("text", "form"),
    [("  ＨｂＡ1ｃ (혈액) ", "hba1c혈액"), ("Straße", "strasse"), (None, ""), ("---", ""), ("㎎", "mg")],
)
def test_descriptions_are_compared_without_what_is_not_their_meaning(text, form):
    assert normalised(text) == form
