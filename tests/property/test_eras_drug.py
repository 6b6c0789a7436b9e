"""Drug eras on the default engine, against sets of covered days of every ingredient."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from eras_vocabulary import (
    BRAND,
    CODEINE,
    COMBINATION,
    DEVICE,
    HERB,
    HERB_TABLET,
    KNOWN,
    PARACETAMOL,
    RETIRED,
    TABLET,
    drug_store,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_eras import days, end_of, frame_of, lengths, persons, plain_eras
from pyspark.sql import SparkSession

from dure.derive import drug_era
from dure.derive.drugs import NoEra, ingredients_of, look_up, used_drugs
from dure.engine import EngineOptions, engine
from dure.vocab import VocabularyStore

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    with engine(EngineOptions(threads=2)) as running:
        yield running.session


exposures = st.lists(
    st.fixed_dictionaries(
        {"person": persons, "drug": st.sampled_from([0, DEVICE, *KNOWN]), "start": days, "length": lengths}
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    return drug_store(tmp_path_factory.mktemp("store"))


def exposure_rows(of: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "person_id": row["person"],
            "drug_concept_id": row["drug"],
            "drug_exposure_start_date": row["start"],
            "drug_exposure_end_date": end_of(row["start"], row["length"]),
        }
        for row in of
    ]


def drug_eras_hold(
    session: SparkSession, store: VocabularyStore, of: list[dict[str, Any]], partitions: int = 3
) -> None:
    """Asserts that the engine makes of these rows the eras of the days that each ingredient covers."""
    frame = frame_of(session, "drug_exposure", exposure_rows(of))
    drugs = look_up(used_drugs(frame).toArrow(), store)
    found = drug_era.build(frame, drugs, "바다", partitions).collect()
    expected = plain_eras(
        ((row["person"], ingredient), row["start"], end_of(row["start"], row["length"]))
        for row in of
        for ingredient in KNOWN.get(row["drug"], ())
    )
    assert (
        sorted(
            (
                (
                    (era.person_id, era.drug_concept_id),
                    era.drug_era_start_date,
                    era.drug_era_end_date,
                    era.drug_exposure_count,
                    era.gap_days,
                )
                for era in found
            ),
            key=repr,
        )
        == expected
    )
    ids = [era.drug_era_id for era in found]
    assert len(set(ids)) == len(ids)
    assert [era.person_id for era in found] == sorted(era.person_id for era in found)
    assert sum(drugs.without_era.values()) == sum(row["drug"] not in KNOWN for row in of)
    assert drugs.without_era.get(NoEra.UNMAPPED, 0) == sum(row["drug"] == 0 for row in of)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(exposures)
def test_drug_eras_are_those_of_the_covered_days(
    session: SparkSession, store: VocabularyStore, of: list[dict[str, Any]]
) -> None:
    drug_eras_hold(session, store, of)


def test_ingredients_are_standard_ancestors_of_class_ingredient_in_rxnorm(store: VocabularyStore) -> None:
    assert ingredients_of([COMBINATION, HERB_TABLET, BRAND, TABLET, DEVICE, RETIRED, 999], store) == {
        COMBINATION: (PARACETAMOL, CODEINE),
        HERB_TABLET: (HERB,),
        BRAND: (PARACETAMOL,),
        TABLET: (PARACETAMOL,),
    }


def test_an_ingredient_is_its_own_also_where_the_vocabulary_does_not_say_so(store: VocabularyStore) -> None:
    assert ingredients_of([PARACETAMOL, CODEINE], store) == {PARACETAMOL: (PARACETAMOL,), CODEINE: (CODEINE,)}


def test_one_day_has_no_gap_and_the_days_between_two_are_gap_days(
    session: SparkSession, store: VocabularyStore
) -> None:
    one = {"person": 1, "drug": TABLET, "start": date(2024, 5, 1), "length": 0}
    ten_later = {**one, "person": 2, "start": date(2024, 5, 11)}
    frame = frame_of(session, "drug_exposure", exposure_rows([one, ten_later, {**one, "person": 2}]))
    found = drug_era.build(frame, look_up(used_drugs(frame).toArrow(), store), "바다", 1).collect()
    assert [(era.person_id, era.drug_exposure_count, era.gap_days) for era in found] == [(1, 1, 0), (2, 2, 9)]


def test_a_snapshot_without_ingredients_has_no_eras(session: SparkSession, tmp_path: Path) -> None:
    rows = exposure_rows([{"person": 1, "drug": DEVICE, "start": date(2024, 5, 1), "length": 0}])
    frame = frame_of(session, "drug_exposure", rows)
    drugs = look_up(used_drugs(frame).toArrow(), drug_store(tmp_path))
    assert drug_era.build(frame, drugs, "바다", 2).collect() == []
    assert drugs.without_era == {NoEra.NO_INGREDIENT: 1}
