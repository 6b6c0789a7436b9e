"""Dose eras on the default engine, against exact fractions and sets of covered days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from eras_vocabulary import (
    AMPOULE,
    BRAND,
    CODEINE,
    COMBINATION,
    DEVICE,
    HERB,
    HERB_TABLET,
    KNOWN,
    MG,
    PARACETAMOL,
    PATCH,
    RESTRENGTHENED,
    SYRUP,
    TABLET,
    drug_store,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_eras import days, end_of, frame_of, lengths, persons, plain_eras
from pyspark.sql import SparkSession

from dure.derive import dose_era
from dure.derive.dose_era import rounded
from dure.derive.drugs import Drugs, NoDose, look_up, used_drugs
from dure.engine import EngineOptions, engine
from dure.vocab import VocabularyStore

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    with engine(EngineOptions(threads=2)) as running:
        yield running.session


# What a quantity may be counted in -> the unit it names, None for pieces or nothing.
UNITS = {
    None: None,
    "정": None,
    " mL": "ml",
    "㎖": "ml",
    "milliliter": "ml",
    "mg": "mg",
    "아침저녁으로 식후 삼십 분에 한 알씩 물과 함께": None,
}

exposures = st.lists(
    st.fixed_dictionaries(
        {
            "person": persons,
            "drug": st.sampled_from([0, DEVICE, *KNOWN]),
            "start": days,
            "length": lengths,
            "quantity": st.sampled_from([None, 0.0, -1.0, float("nan"), 1e300, 0.3, 1.0, 3.0, 10.0, 30.0]),
            "supply": st.sampled_from([None, 0, 1, 3, 30]),
            "unit": st.sampled_from(list(UNITS)),
        }
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
            "quantity": row["quantity"],
            "days_supply": row["supply"],
            "dose_unit_source_value": row["unit"],
        }
        for row in of
    ]


def eras_of(
    session: SparkSession, store: VocabularyStore, of: list[dict[str, Any]], partitions: int = 3
) -> tuple[Drugs, list[Any]]:
    frame = frame_of(session, "drug_exposure", exposure_rows(of))
    drugs = look_up(used_drugs(frame).toArrow(), store)
    return drugs, dose_era.build(frame, drugs, "바다", partitions).collect()


def plain_dose(row: dict[str, Any], ingredient: int) -> Decimal | None:
    """The daily dose of one exposure, worked out exactly and rounded once; None where it cannot be told."""
    quantity, known = row["quantity"], KNOWN[row["drug"]][ingredient]
    if quantity is None or known is None or not 0 < quantity < 1e9:
        return None
    strength, counted = known
    unit = UNITS[row["unit"]]
    if unit != counted:
        return None
    length = max(row["length"] or 0, 0)
    a_day = row["supply"] if row["supply"] else length + 1
    exact = Fraction(str(strength)) * Fraction(str(quantity)) / a_day
    return Decimal(f"{Decimal(exact.numerator) / Decimal(exact.denominator):.6g}")


def dose_eras_hold(
    session: SparkSession, store: VocabularyStore, of: list[dict[str, Any]], partitions: int = 3
) -> None:
    """Asserts that the engine makes of these rows the eras of the days that each exact dose covers."""
    drugs, found = eras_of(session, store, of, partitions)
    pairs = [(row, ingredient) for row in of for ingredient in KNOWN.get(row["drug"], ())]
    doses = [plain_dose(row, ingredient) for row, ingredient in pairs]
    expected = plain_eras(
        ((row["person"], ingredient, MG, float(dose)), row["start"], end_of(row["start"], row["length"]))
        for (row, ingredient), dose in zip(pairs, doses, strict=True)
        if dose is not None
    )
    assert sorted(
        (
            (
                (era.person_id, era.drug_concept_id, era.unit_concept_id, era.dose_value),
                era.dose_era_start_date,
                era.dose_era_end_date,
            )
            for era in found
        ),
        key=repr,
    ) == [era[:3] for era in expected]
    ids = [era.dose_era_id for era in found]
    assert len(set(ids)) == len(ids)
    assert [era.person_id for era in found] == sorted(era.person_id for era in found)
    assert sum(drugs.without_dose.values()) == doses.count(None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(exposures)
def test_dose_eras_are_those_of_the_covered_days(
    session: SparkSession, store: VocabularyStore, of: list[dict[str, Any]]
) -> None:
    dose_eras_hold(session, store, of)


def exposure(drug: int, quantity: float | None, unit: str | None = None, **more: Any) -> dict[str, Any]:
    row = {"person": 1, "drug": drug, "start": date(2024, 5, 1), "length": 9, "supply": None}
    return row | {"quantity": quantity, "unit": unit} | more


@pytest.mark.parametrize(
    ("row", "doses"),
    [
        (exposure(TABLET, 30.0), {PARACETAMOL: 1500.0}),
        (exposure(TABLET, 30.0, supply=15), {PARACETAMOL: 1000.0}),
        (exposure(TABLET, 30.0, supply=0), {PARACETAMOL: 1500.0}),
        (exposure(COMBINATION, 20.0), {PARACETAMOL: 600.0, CODEINE: 30.0}),
        (exposure(SYRUP, 100.0, "㎖"), {PARACETAMOL: 240.0}),
        (exposure(AMPOULE, 10.0, "ML"), {CODEINE: 3.0}),
        (exposure(HERB_TABLET, 10.0, "정"), {HERB: 250.0}),
    ],
)
def test_dose_by_form(
    row: dict[str, Any], doses: dict[int, float], session: SparkSession, store: VocabularyStore
) -> None:
    drugs, found = eras_of(session, store, [row])
    assert {era.drug_concept_id: era.dose_value for era in found} == doses
    assert {era.unit_concept_id for era in found} == {MG}
    assert drugs.without_dose == {}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (exposure(TABLET, None), NoDose.NO_QUANTITY),
        (exposure(TABLET, 0.0), NoDose.NO_QUANTITY),
        (exposure(TABLET, float("nan")), NoDose.NO_QUANTITY),
        (exposure(TABLET, 500.0, "mg"), NoDose.UNIT_DIFFERS),
        (exposure(SYRUP, 100.0), NoDose.UNIT_DIFFERS),
        (exposure(SYRUP, 1.0, "병"), NoDose.UNIT_DIFFERS),
        (exposure(PATCH, 1.0), NoDose.UNIT_DIFFERS),
        (exposure(BRAND, 10.0), NoDose.NO_STRENGTH),
        (exposure(PARACETAMOL, 10.0), NoDose.NO_STRENGTH),
        (exposure(RESTRENGTHENED, 10.0), NoDose.SEVERAL_STRENGTHS),
    ],
)
def test_no_dose_is_counted(row: dict[str, Any], reason: NoDose, session: SparkSession, store: VocabularyStore) -> None:
    drugs, found = eras_of(session, store, [row])
    assert found == []
    assert drugs.without_dose == {reason: 1}


def test_a_dose_continues_over_a_gap_and_another_dose_is_another_era(
    session: SparkSession, store: VocabularyStore
) -> None:
    ten_days = exposure(TABLET, 10.0)
    rows = [ten_days, exposure(TABLET, 20.0, start=date(2024, 5, 11)), ten_days | {"start": date(2024, 6, 9)}]
    _, found = eras_of(session, store, rows)
    assert sorted((era.dose_value, era.dose_era_start_date, era.dose_era_end_date) for era in found) == [
        (500.0, date(2024, 5, 1), date(2024, 6, 18)),
        (1000.0, date(2024, 5, 11), date(2024, 5, 20)),
    ]


@settings(deadline=None)
@given(st.lists(st.floats(1e-15, 1e18), max_size=20))
def test_doses_are_rounded_to_the_nearest_six_digits(doses: list[float]) -> None:
    found = rounded(np.array(doses, np.float64)).tolist()
    # A tie may fall either way: the product with a power of ten is itself a rounded number.
    assert [
        abs(Fraction(a) - Fraction(b)) <= Fraction(b) * Fraction(1, 199_999) for a, b in zip(found, doses, strict=True)
    ] == [True for _ in doses]
    assert [float(f"{dose:.6g}") for dose in found] == found
