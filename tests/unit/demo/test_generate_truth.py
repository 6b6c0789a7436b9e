"""The truth and the planted dirt: every row of an extract is accounted for, and each kind is there in its share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from generated_demo import KEYS, extract, truth

from dure.demo.generate.catalogue import facts, read, values
from dure.demo.generate.dirt import kinds


def records(hospital: str, *tables: str) -> pd.DataFrame:
    found = truth("records")
    return found[(found["hospital"] == hospital) & found["cdm_table"].isin(tables)]


def dirt(hospital: str, file: str) -> pd.Series:
    found = truth("dirt")
    return found[(found["hospital"] == hospital) & (found["file"] == file)]["ends"]


def lost(hospital: str, file: str) -> int:
    """The rows of a file that must not reach the CDM."""
    return int((~dirt(hospital, file).str.startswith("written")).sum())


@pytest.mark.parametrize(
    ("hospital", "file", "kind"),
    [
        ("haneul", "diagnoses.csv", "condition"),
        ("haneul", "medication_orders.csv", "drug"),
        ("haneul", "lab_results.csv", "lab"),
        ("bada", "진단.csv", "condition"),
        ("bada", "검사결과.csv", "lab"),
        ("gangsan", "NHIS_T40_2016_2023.csv", "condition"),
    ],
)
def test_a_row_is_in_the_truth_unless_it_is_dirt_that_ends_elsewhere(hospital: str, file: str, kind: str) -> None:
    names = [name for name, found in zip(facts().names, facts().kind, strict=True) if found == kind]
    table = {"condition": "condition_occurrence", "drug": "drug_exposure", "lab": "measurement"}[kind]
    found = truth("records")
    mine = found[found["hospital"] == hospital]
    unknown = mine[mine["fact"].isna() & (mine["cdm_table"] == table)]
    second = facts().second
    meant = mine[mine["fact"].isin(names) & ~mine["standard_concept_id"].isin(list(second.values()))]
    # What the health check measures is in the same table and not in the file.
    meant = meant[meant["visit_source_value"].notna() | meant["dirt"].notna()]
    assert len(extract(hospital, file)) == len(meant) + len(unknown) + lost(hospital, file)


def test_orders_of_bada_are_drugs_procedures_and_devices() -> None:
    tables = ("drug_exposure", "procedure_occurrence", "device_exposure")
    meant = records("bada", *tables)
    once = meant[~meant["standard_concept_id"].isin(list(facts().second.values()))]
    routed = truth("records").query("hospital == 'bada' and fact == 'spirometry'")
    assert len(extract("bada", "처방.csv")) == len(once) + len(routed) + lost("bada", "처방.csv")
    assert set(routed["cdm_table"]) == {"measurement"}


def test_vital_signs_and_the_lifelog_are_one_record_a_filled_cell() -> None:
    names = [row["fact"] for row in read("bada") if row["file"] == "활력징후"]
    filled = (extract("bada", "활력징후.csv").iloc[:, 4:] != "").sum().sum()
    found = truth("records")
    assert (found["hospital"].eq("bada") & found["fact"].isin(names)).sum() == filled
    assert len(extract("haneul", "vitals.csv")) == (found["hospital"].eq("haneul") & found["fact"].isin(names)).sum()
    logged = extract("haneul", "lifelog.csv")
    for name in ("steps", "sleep", "resting_heart_rate"):
        assert (found["fact"] == name).sum() == len(logged)
    checks = extract("gangsan", "NHIS_GJ_2016_2023.csv")
    of_checks = records("gangsan", "measurement", "observation").query("visit_source_value.isna()")
    assert len(of_checks) == checks.shape[0] * (checks.shape[1] - 2)


@pytest.mark.parametrize("hospital", KEYS)
def test_persons_and_visits_are_those_of_the_files(hospital: str) -> None:
    file, column = {
        "haneul": ("patients.csv", "patient_id"),
        "bada": ("환자.csv", "환자번호"),
        "gangsan": ("NHIS_JK_2016_2023.csv", "PERSON_ID"),
    }[hospital]
    persons = truth("persons").query("hospital == @hospital")
    assert set(persons["person_source_value"]) == set(extract(hospital, file)[column])
    assert persons["person_source_value"].is_unique
    visits = truth("visits").query("hospital == @hospital")
    assert visits["visit_source_value"].is_unique
    assert (visits["end_date"] >= visits["start_date"]).all()
    found = truth("records").query("hospital == @hospital")
    assert set(found["person_source_value"]) <= set(persons["person_source_value"])
    assert set(found["visit_source_value"].dropna()) <= set(visits["visit_source_value"]) | set(
        truth("dirt").query("hospital == 'gangsan'")["key"].str.split("|").str[0]
    )


def test_an_emergency_and_its_admission_are_two_rows_and_one_visit() -> None:
    rows = extract("haneul", "encounters.csv")
    visits = truth("visits").query("hospital == 'haneul'")
    admitted = visits.query("visit_concept_id == 262")
    assert len(admitted) > 5
    wrong = (dirt("haneul", "encounters.csv") == "rejected:end_before_start").sum()
    assert len(rows) == len(visits) + len(admitted) + wrong
    parts = rows.set_index("encounter_id")
    first = parts.loc[admitted["visit_source_value"]]
    second = parts.loc[admitted["visit_source_value"].str[:-1] + "1"]
    assert set(first["visit_type"]) == {"E"}
    assert set(second["visit_type"]) == {"I"}
    gap = pd.to_datetime(second["start_at"]).to_numpy() - pd.to_datetime(first["end_at"]).to_numpy()
    assert gap.min() >= np.timedelta64(0)
    assert gap.max() <= np.timedelta64(24, "h")


def test_the_truth_has_the_concepts_of_the_facts() -> None:
    found = truth("records").dropna(subset=["fact"])
    named = found.groupby("fact", observed=True)["standard_concept_id"].unique().map(set)
    for fact, concepts in named.items():
        number = facts().number[str(fact)]
        assert concepts == {int(facts().concept[number])} | (
            {facts().second[number]} if number in facts().second else set()
        )
    assert (found["coded"] == (found["standard_concept_id"] > 0)).all()
    assert set(truth("records")["value_as_concept_id"].dropna()) <= set(values().concept.tolist())


def test_drugs_end_with_their_supply() -> None:
    found = truth("records").query("cdm_table == 'drug_exposure'")
    days = (pd.to_datetime(found["end_date"]) - pd.to_datetime(found["start_date"])).dt.days + 1
    assert (days == found["days_supply"]).all()
    metformin = found[found["fact"] == "metformin_500"]
    assert (metformin["quantity"] == 2 * metformin["days_supply"]).all()
    both = found[found["fact"] == "budesonide_formoterol"]
    assert both["standard_concept_id"].value_counts().nunique() == 1


def test_an_operator_only_with_a_value_at_the_limit() -> None:
    found = truth("records")
    below = found[found["operator_concept_id"].notna()]
    assert set(below["operator_concept_id"]) == {4171756}
    assert set(below["fact"].unique()) <= {"crp", "d_dimer", "troponin_i", "procalcitonin"}
    titers = found[found["fact"] == "ana_titer"]
    assert set(titers["unit_concept_id"]) == {8525}


def test_every_planted_row_is_in_the_file_it_names() -> None:
    found = truth("dirt")
    for (hospital, file), group in found.groupby(["hospital", "file"]):
        key = [*KEYS[hospital][file], *(["갱신일시"] if file == "환자.csv" else [])]
        written = extract(hospital, file)[key].agg("|".join, axis=1)
        counts = written.value_counts()
        twice = group["kind"] == "duplicate_row"
        assert (counts.loc[group["key"][twice]] == 2).all()
        assert (counts.loc[group["key"][~twice]] == 1).all()


def test_dirt_is_planted_in_its_share() -> None:
    found = truth("dirt")
    counts = found.groupby(["hospital", "kind", "file"]).size()
    base = {
        ("haneul", "unknown_code", "lab_results.csv"): len(extract("haneul", "lab_results.csv")),
        ("haneul", "ruled_out", "diagnoses.csv"): len(extract("haneul", "diagnoses.csv")),
        ("haneul", "cancelled_order", "medication_orders.csv"): len(extract("haneul", "medication_orders.csv")),
        ("bada", "duplicate_row", "검사결과.csv"): len(extract("bada", "검사결과.csv")),
        ("bada", "ruled_out", "진단.csv"): len(extract("bada", "진단.csv")),
        ("gangsan", "unknown_code", "NHIS_T60_2016_2023.csv"): len(extract("gangsan", "NHIS_T60_2016_2023.csv")),
    }
    for key, rows in base.items():
        expected = rows * kinds()[key[1]].share
        assert abs(counts[key] - expected) < 5 * expected**0.5 + 2


def test_every_kind_of_dirt_is_planted_where_it_belongs() -> None:
    found = truth("dirt")
    for kind in kinds().values():
        hospitals = set(found[found["kind"] == kind.name]["hospital"])
        assert hospitals <= set(kind.hospitals)
        # The rare ones need more persons than this test has.
        assert hospitals == set(kind.hospitals) or kind.name in ("male_pregnancy", "impossible_value", "after_death")


def test_dirt_that_reaches_the_cdm_is_marked_in_the_truth() -> None:
    found = truth("records")
    marked = found["dirt"].astype(object).value_counts()
    planted = truth("dirt")
    planted = planted[planted["ends"].str.startswith("written")]["kind"].value_counts()
    for kind in planted.index:
        # A drug with two standard concepts is planted once and recorded twice.
        assert planted[kind] <= marked[kind] <= planted[kind] * 1.3
    assert set(marked.index[marked > 0]) == set(planted.index)


def test_texts_with_a_resident_number_are_the_planted_ones() -> None:
    number = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9])-[1-4][0-9]{6}"
    for hospital, file, column, key in (
        ("haneul", "notes.csv", "text", "note_id"),
        ("bada", "서식.csv", "내용", "서식번호"),
    ):
        found = extract(hospital, file)
        leaking = set(found[found[column].str.contains(number)][key])
        assert leaking == set(truth("dirt").query("kind == 'resident_number' and hospital == @hospital")["key"])
        assert leaking
