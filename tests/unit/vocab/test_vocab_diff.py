"""What a new vocabulary or map would change, code by code, on vocabularies of a few concepts."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from vocab_athena_folder import concept, maps_to, relation, write_athena

from dure.vocab import load_athena
from dure.vocab.coverage import CODE_RECORDS, code_records_table
from dure.vocab.diff import Routes, Side, Weight, changed_codes, differences, summary, weights

ROUTES = Routes(
    {
        "Condition": ("condition_occurrence",),
        "Measurement": ("measurement",),
        "Condition/Meas": ("condition_occurrence", "measurement"),
    },
    frozenset({"condition_occurrence", "measurement", "observation"}),
)
SHOWN = ("change", "changes", "code", "records", "old_targets", "new_targets", "old_tables", "new_tables")


@dataclass(frozen=True)
class Mapping:
    site_maps: tuple[Path, ...] = ()
    consortium_maps: tuple[Path, ...] = ()
    same_as: str | None = None
    normalise: str | None = None
    fallback: str | None = None
    many_targets: bool = False
    reuses_codes: bool = False


def standard(number, domain="Condition"):
    return concept(number, f"S{number}", vocabulary="SNOMED", domain=domain, name=f"개념 {number}")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases")
    sources = [
        concept(number, code, standard="") for number, code in enumerate(("A00", "A01", "A02", "A03", "A04"), 11)
    ]
    old = [standard(1), standard(2), standard(3), *sources]
    new = [standard(1), standard(2), standard(3, "Measurement"), *sources]
    relations = [maps_to(11, 1), maps_to(12, 2), maps_to(13, 3)]
    changed = [maps_to(11, 2), maps_to(13, 3), maps_to(14, 1)]
    return [
        load_athena(write_athena(folder / name, concepts, more), folder / "stores")
        for name, concepts, more in (("old", old, relations), ("new", new, changed))
    ]


def weighed(*codes, records=None, tables=("condition_occurrence",)):
    return {("KCD7", code, None, None, None): Weight(records or {2024: 5}, set(tables), {"code"}) for code in codes}


def shown(rows):
    return [tuple(row[name] for name in SHOWN) for row in rows]


def test_every_kind_of_change(stores):
    old, new = (Side(store) for store in stores)
    rows = differences(old, new, weighed("A00", "A01", "A02", "A03", "A04"), ROUTES)
    assert shown(rows) == [
        ("target", "target", "A00", 5, "1", "2", "condition_occurrence", "condition_occurrence"),
        ("lost", "lost", "A01", 5, "2", "", "condition_occurrence", "condition_occurrence"),
        ("domain", "domain table", "A02", 5, "3", "3", "condition_occurrence", "measurement"),
        ("gained", "gained", "A03", 5, "", "1", "condition_occurrence", "condition_occurrence"),
    ]
    assert summary(rows) == [
        {"vocabulary": "KCD7", "change": change, "codes": 1, "records": 5}
        for change in ("gained", "lost", "target", "domain")
    ]
    assert rows[0]["old_names"] == "개념 1"
    assert differences(old, old, weighed("A00", "A01"), ROUTES) == []


def test_without_a_site_all_codes_that_differ_are_compared(stores):
    found = changed_codes(*stores)
    assert [" ".join(request[:2]) for request in found] == ["KCD7 A00", "KCD7 A01", "KCD7 A02", "KCD7 A03", "SNOMED S3"]
    rows = differences(Side(stores[0]), Side(stores[1]), {request: Weight() for request in found}, ROUTES)
    gained = next(row for row in rows if row["code"] == "A03")
    assert (gained["old_tables"], gained["new_tables"], gained["changes"]) == (
        "",
        "condition_occurrence",
        "gained table",
    )


def test_a_change_weighs_only_the_years_that_it_touches(stores, tmp_path):
    header = "source_vocabulary_id,source_code,target_concept_id,valid_start_date,valid_end_date"
    files = []
    for name, end in (("old.csv", "2023-12-31"), ("new.csv", "2021-12-31")):
        files.append(tmp_path / name)
        files[-1].write_text(f"{header}\nKCD7,A04,1,1970-01-01,{end}\n", "utf-8")
    sides = [Side(stores[0], {"KCD7": Mapping(site_maps=(path,))}) for path in files]
    codes = weighed("A04", records={2021: 100, 2022: 10, 2023: 1, 2024: 1000})
    rows = differences(*sides, codes, ROUTES)
    assert [(row["change"], row["records"], row["valid_start"], row["valid_end"]) for row in rows] == [
        ("lost", 11, "2022-01-01", "2023-12-31")
    ]


def test_who_says_so_is_no_difference_but_what_a_map_cannot_use_is(stores, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("source_vocabulary_id,source_code,target_concept_id\nKCD7,A00,1\nKCD7,A01,99\n", "utf-8")
    without, mapped = Side(stores[0]), Side(stores[0], {"KCD7": Mapping(site_maps=(path,))})
    rows = differences(without, mapped, weighed("A00", "A01"), ROUTES)
    assert [(row["change"], row["code"], row["new_status"], row["new_by"]) for row in rows] == [
        ("lost", "A01", "invalid", f"site {tmp_path.name}/own.csv:3")
    ]


def test_codes_of_other_roles_are_not_routed(stores):
    codes = {("KCD7", "A02", None, None, None): Weight({None: 3}, {"condition_occurrence"}, {"status"})}
    rows = differences(Side(stores[0]), Side(stores[1]), codes, ROUTES)
    assert shown(rows) == [
        ("domain", "domain", "A02", 3, "3", "3", "condition_occurrence", "condition_occurrence"),
    ]


def test_weights_add_up_over_sources_and_leave_codes_without_vocabulary_out():
    nothing = dict.fromkeys(CODE_RECORDS.names) | {"role": "code", "status": "mapped"}
    rows = [
        nothing | {"vocabulary": "KCD7", "code": "A00", "table": table, "year": year, "records": n, "source": source}
        for source, table, year, n in (("a", "condition_occurrence", 2023, 2), ("b", "observation", 2023, 3))
    ]
    rows.append(nothing | {"code": "남", "table": "person", "records": 9})
    found = weights(code_records_table(rows))
    assert list(found) == [("KCD7", "A00", None, None, None)]
    (weight,) = found.values()
    assert (weight.records, weight.tables) == ({2023: 5}, {"condition_occurrence", "observation"})


def test_a_value_and_a_source_concept_may_change_alone(tmp_path):
    concepts = [standard(1, "Observation"), standard(5, "Meas Value"), concept(11, "Z88", standard="")]
    relations = [maps_to(11, 1)]
    old = load_athena(write_athena(tmp_path / "a", concepts, relations), tmp_path / "stores")
    valued = [*relations, relation(11, "Maps to value", 5)]
    new = load_athena(write_athena(tmp_path / "b", concepts, valued), tmp_path / "stores")
    rows = differences(Side(old), Side(new), weighed("Z88"), ROUTES)
    assert [row["changes"] for row in rows] == ["value"]
    renumbered = [concept(12, "Z88", standard="") if row["concept_id"] == 11 else row for row in concepts]
    other = load_athena(write_athena(tmp_path / "c", renumbered, [maps_to(12, 1)]), tmp_path / "stores")
    assert [row["changes"] for row in differences(Side(old), Side(other), weighed("Z88"), ROUTES)] == ["source_concept"]
