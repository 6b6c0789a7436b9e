"""Condition eras on the default engine, against sets of covered days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_eras import DAY, days, end_of, frame_of, lengths, persons, plain_eras
from pyspark.sql import SparkSession

from dure.derive import condition_era
from dure.engine import EngineOptions, engine

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    with engine(EngineOptions(threads=2)) as running:
        yield running.session


PNEUMONIA, ASTHMA, LOCAL = 255848, 317009, 2_147_483_647

conditions = st.lists(
    st.fixed_dictionaries(
        {"person": persons, "concept": st.sampled_from([0, PNEUMONIA, ASTHMA, LOCAL]), "start": days, "length": lengths}
    ),
    max_size=40,
)


def occurrences(of: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "condition_occurrence_id": n,
            "person_id": row["person"],
            "condition_concept_id": row["concept"],
            "condition_start_date": row["start"],
            "condition_end_date": end_of(row["start"], row["length"]),
        }
        for n, row in enumerate(of)
    ]


def eras(session: SparkSession, of: list[dict[str, Any]], partitions: int = 3) -> list[Any]:
    frame = condition_era.build(frame_of(session, "condition_occurrence", occurrences(of)), "바다", partitions)
    return frame.collect()


def condition_eras_hold(session: SparkSession, of: list[dict[str, Any]], partitions: int = 3) -> None:
    """Asserts that the engine makes of these rows the eras of their covered days, each with an id of its own, sorted."""
    found = eras(session, of, partitions)
    expected = plain_eras(
        ((row["person"], row["concept"]), row["start"], end_of(row["start"], row["length"]))
        for row in of
        if row["concept"] != 0
    )
    assert sorted(
        (
            (
                (era.person_id, era.condition_concept_id),
                era.condition_era_start_date,
                era.condition_era_end_date,
                era.condition_occurrence_count,
            )
            for era in found
        ),
        key=repr,
    ) == [era[:4] for era in expected]
    ids = [era.condition_era_id for era in found]
    assert len(set(ids)) == len(ids)
    assert all(0 < number < 2**63 for number in ids)
    assert [(era.person_id, era.condition_era_id) for era in found] == sorted(
        (era.person_id, era.condition_era_id) for era in found
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conditions)
def test_condition_eras_are_those_of_the_covered_days(session: SparkSession, of: list[dict[str, Any]]) -> None:
    condition_eras_hold(session, of)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conditions, st.integers(1, 9))
def test_order_and_partitions_change_nothing(session: SparkSession, of: list[dict[str, Any]], partitions: int) -> None:
    assert eras(session, of[::-1], partitions) == eras(session, of)


def test_new_rows_of_others_change_no_era(session: SparkSession) -> None:
    first = {"person": 1, "concept": ASTHMA, "start": date(2024, 3, 1), "length": None}
    other = {"person": 2, "concept": ASTHMA, "start": date(2024, 3, 1), "length": 5}
    assert set(eras(session, [first])) < set(eras(session, [other, first]))


def test_a_later_end_keeps_the_id(session: SparkSession) -> None:
    short = {"person": 1, "concept": ASTHMA, "start": date(2024, 3, 1), "length": None}
    [before], [after] = eras(session, [short]), eras(session, [short, {**short, "start": date(2024, 3, 20)}])
    assert after.condition_era_id == before.condition_era_id
    assert after.condition_era_end_date == before.condition_era_end_date + DAY * 19


def test_two_sites_give_different_ids(session: SparkSession) -> None:
    rows = occurrences([{"person": 1, "concept": ASTHMA, "start": date(2024, 3, 1), "length": 0}])
    frame = frame_of(session, "condition_occurrence", rows)
    [bada], [sandeul] = (condition_era.build(frame, site, 1).collect() for site in ("바다", "산들"))
    assert bada.condition_era_id != sandeul.condition_era_id
