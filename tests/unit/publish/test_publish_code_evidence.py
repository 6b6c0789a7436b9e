"""What the evidence tells of codes: nothing that the copy withholds, and the rest whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dure.publish.deidentify.treatment import treatments
from dure.publish.evidence.checks import CHECKS, check_evidence
from dure.publish.evidence.codes import CODES, CodeEvidence, code_evidence
from dure.publish.evidence.planned import lines_of_evidence
from dure.publish.evidence.shown import Shown, place_of, shown_by
from dure.publish.profile import Profile, read_profile
from dure.stages.tables import arrow_schema
from dure.vocab.coverage import code_records_table

CONDITION = place_of("condition_occurrence", "code")
SUMMED = ("code", "description", "source_concept_id", "targets", "equivalence", "authority", "common_targets")


def record(code: str | None, records: int, **others: Any) -> dict[str, Any]:
    target = others.get("target_concept_id", 0)
    return {
        "source": "진단",
        "table": "condition_occurrence",
        "role": "code",
        "vocabulary": "KCD7",
        "code": code,
        "code_type": None,
        "specimen": None,
        "unit": None,
        "description": None,
        "source_concept_id": 0,
        "target_concept_id": target,
        "targets": str(target) if target else "",
        "domain_id": "Condition",
        "status": "mapped" if target else "unmapped",
        "equivalence": "equal" if target else None,
        "authority": "site",
        "provenance": None,
        "common_targets": None,
        "year": 2024,
        "records": records,
    } | others


def evidence(*rows: dict[str, Any], rolled: dict[int, int] | None = None, **shown: Any) -> CodeEvidence:
    return code_evidence(code_records_table(rows), {CONDITION: Shown(True, **shown)}, rolled or {})


def told(found: CodeEvidence) -> list[tuple[Any, ...]]:
    names = ("vocabulary_id", "code", "target_concept_id", "status", "records")
    return [tuple(row[name] for name in names) for row in found.table.to_pylist()]


def test_a_code_that_the_copy_shows_is_told_with_all_that_is_known_of_it() -> None:
    row = {"description": "고혈압", "source_concept_id": 45, "target_concept_id": 320128, "common_targets": "320128"}
    found = evidence(
        record("I10", 7, **row, year=2023),
        record("I10", 5, **row, source="응급", table="observation"),
        texts={("I10", 320128)},
    )
    assert found.table.schema == CODES and found.table.to_pylist() == [
        {
            "role": "code",
            "vocabulary_id": "KCD7",
            "code": "I10",
            "description": "고혈압",
            "domain_id": "Condition",
            "source_concept_id": 45,
            "target_concept_id": 320128,
            "targets": "320128",
            "status": "mapped",
            "equivalence": "equal",
            "authority": "site",
            "common_targets": "320128",
            "records": 12,
        }
    ]


def test_under_ten_records_a_code_is_summed_and_under_ten_together_left_out() -> None:
    found = evidence(
        record("A", 9, target_concept_id=1, description="가"),
        record("B", 9, target_concept_id=1, description="나"),
        record("C", 9, target_concept_id=2),
        texts={("A", 1), ("B", 1), ("C", 2)},
        concepts={1, 2},
    )
    (row,) = found.table.to_pylist()
    assert [row[name] for name in SUMMED] == [None] * len(SUMMED)
    assert (row["target_concept_id"], row["status"], row["records"]) == (1, "mapped", 18)
    assert (found.small, found.small_records) == (1, 9)


def test_many_records_of_few_persons_name_no_code() -> None:
    """One person's thirty visits: the copy shows neither the text nor the source concept, so the evidence does not."""
    row = record("E75", 30, source_concept_id=45, target_concept_id=7)
    assert told(evidence(row, concepts={0, 3})) == [("KCD7", None, None, "mapped", 30)]
    assert told(evidence(row, rolled={7: 3}, concepts={0, 3})) == [("KCD7", None, 3, "mapped", 30)]
    assert told(evidence(row, rolled={7: 0, 45: 0}, concepts={0, 3})) == [("KCD7", None, None, "mapped", 30)]
    assert told(evidence(record("희귀병", 30), concepts={0})) == [("KCD7", None, 0, "unmapped", 30)]


def test_a_code_may_be_told_by_its_source_concept_where_the_hospital_shows_another_text() -> None:
    row = record("991001020", 30, source_concept_id=45, target_concept_id=7)
    assert told(evidence(row, texts={("DR523", 7)}, sources={(45, 7)})) == [("KCD7", "991001020", 7, "mapped", 30)]
    # with another target it is another statement
    assert told(evidence(row, sources={(45, 8)}, concepts={7})) == [("KCD7", None, 7, "mapped", 30)]


def test_a_role_of_which_nothing_leaves_gives_no_evidence() -> None:
    found = evidence(record("퇴원요약", 500, table="note", role="class"))
    assert (found.table.num_rows, found.small, found.small_records) == (0, 0, 0)


def test_nothing_at_all_is_an_empty_table() -> None:
    assert evidence().table.equals(CODES.empty_table()) and check_evidence({}).equals(CHECKS.empty_table())


def test_checks_are_by_id_as_counted_on_the_copy() -> None:
    counts = {"나": ("failed", 3, 40), "가": ("not applicable", None, None)}
    assert check_evidence(counts).to_pylist() == [
        {"check": "가", "status": "not applicable", "violated": None, "denominator": None},
        {"check": "나", "status": "failed", "violated": 3, "denominator": 40},
    ]


ROWS = st.lists(
    st.builds(
        lambda code, n, target, year: record(code, n, target_concept_id=target, year=year),
        st.sampled_from(["A", "B", "C", None]),
        st.integers(1, 14),
        st.integers(0, 3),
        st.integers(2020, 2022),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(rows=ROWS, seen=st.sets(st.tuples(st.sampled_from("ABC"), st.integers(0, 3))), data=st.data())
def test_no_record_is_lost_none_is_small_and_order_plays_no_part(
    rows: list[dict[str, Any]], seen: set[tuple[str, int]], data: st.DataObject
) -> None:
    known = {concept for _, concept in seen} | {0}
    found = evidence(*rows, rolled={3: 2}, texts=seen, concepts=known)
    read = found.table.to_pylist()
    assert sum(row["records"] for row in read) + found.small_records == sum(row["records"] for row in rows)
    assert all(row["records"] >= 10 for row in read)
    assert {(row["code"], row["target_concept_id"]) for row in read if row["code"]} <= seen
    assert {row["target_concept_id"] for row in read} <= known | {None}
    again = evidence(*data.draw(st.permutations(rows)), rolled={3: 2}, texts=seen, concepts=known)
    assert again.table.equals(found.table)


@pytest.fixture(scope="module")
def center() -> Profile:
    return read_profile("center")


def written(folder: Path, table: str, **columns: list[Any]) -> None:
    schema, n = arrow_schema(table), len(next(iter(columns.values())))
    values = [pa.array(columns.get(field.name, [None] * n), field.type) for field in schema]
    (folder / table).mkdir(exist_ok=True)
    number = len(list((folder / table).iterdir()))
    pq.write_table(pa.table(values, schema=schema), folder / table / f"part-{number:05d}.parquet")


def test_the_copy_is_read_by_role_wherever_its_rows_went(tmp_path: Path, center: Profile) -> None:
    written(tmp_path, "measurement", measurement_source_value=["LB1"], measurement_concept_id=[5], unit_concept_id=[9])
    written(tmp_path, "measurement", measurement_source_value=[None], measurement_concept_id=[6])
    written(
        tmp_path,
        "observation",
        observation_source_value=["LB2"],
        observation_concept_id=[0],
        observation_source_concept_id=[45],
    )
    # the profile does not list this table's text: its source concepts name no code
    written(tmp_path, "procedure_occurrence", procedure_concept_id=[11], procedure_source_concept_id=[46])
    written(tmp_path, "provider", gender_concept_id=[8507], specialty_source_value=["내과"])
    written(tmp_path, "payer_plan_period", payer_source_value=["건강보험"], payer_concept_id=[7])
    texts = tuple(text for text in center.texts if text != "procedure_occurrence.procedure_source_value")
    shown = shown_by(tmp_path, treatments(center.model_copy(update={"texts": texts})))
    assert shown[CONDITION] == Shown(True, {("LB1", 5), ("LB2", 0)}, {(45, 0)}, {0, 5, 6, 11})
    assert shown[place_of("measurement", "unit")].concepts == {0, 9}
    assert shown["provider", "specialty"].texts == {("내과", 0)}
    assert shown["payer_plan_period", "payer"] == Shown(False, set(), set(), {7})
    # a physician's sex is emptied, notes do not leave: neither is a place for evidence
    assert ("provider", "gender") not in shown and ("note", "class") not in shown


def test_a_dry_run_says_which_roles_give_what(center: Profile) -> None:
    rows = [
        record("I10", 12),
        record("R51", 3),
        record("건강보험", 40, table="payer_plan_period", role="payer"),
        record("퇴원요약", 40, table="note", role="class"),
    ]
    assert lines_of_evidence(code_records_table(rows), treatments(center))[1:] == [
        "evidence/codes.parquet: at most 1 of 4 codes with what they became and their records, those that the copy "
        "shows; the others summed, without code or description",
        "  summed only: payer_plan_period.payer",
        "  no evidence: note.class",
    ]
