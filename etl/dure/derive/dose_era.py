"""Dose eras: spans in which a person is taken to be exposed to one ingredient at one daily dose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.cdm.conform import conform
from dure.derive.drugs import Drugs, beside, counted_in, has_quantity
from dure.derive.era_spans import SPAN_TYPES, by_person, era_id, eras_of, latest_of

# Doses that agree in so many digits are one: 0.1 x 3 / 3 is not 0.1 in binary, and nobody doses more finely.
SIGNIFICANT_DIGITS = 6

KEY_TYPES = {"person_id": "bigint", "ingredient_concept_id": "int", "dose_unit_concept_id": "int", "dose": "double"}
# The bits of the dose: engines print a double each in its own way, so no record id is made from its text.
BITS = {"dose_bits": "bigint"}


def build(drug_exposure: DataFrame, drugs: Drugs, site: str, partitions: int) -> DataFrame:
    """One row an era of a person, an ingredient, a unit and a daily dose, in CDM columns, sorted by person and id.

    The daily dose is the strength of what the quantity counts, times the quantity, by the days of supply or, where the
    source gives none, by the days from start to end. Exposures whose dose cannot be told feed no era
    (`drugs.without_dose` counts them). `partitions` as `partitions_for` says.
    """
    start = F.col("drug_exposure_start_date")
    end = latest_of(start, F.col("drug_exposure_end_date"))
    taken = drug_exposure.where(has_quantity()).select(
        "person_id",
        "drug_concept_id",
        counted_in().alias("counted_in"),
        start.alias("start"),
        end.alias("end"),
        (F.col("quantity") / _days(start, end)).alias("pieces_a_day"),
    )
    dosed = taken.join(beside(taken, drugs.strengths), ["drug_concept_id", "counted_in"], "inner").select(
        "person_id",
        "ingredient_concept_id",
        "dose_unit_concept_id",
        (F.col("strength") * F.col("pieces_a_day")).alias("dose"),
        "start",
        "end",
    )
    eras = by_person(dosed, dose_eras, KEY_TYPES | SPAN_TYPES | BITS, partitions)
    columns = {
        "dose_era_id": era_id(
            site,
            "dose_era",
            *[F.col(name) for name in ("person_id", "ingredient_concept_id", "era_start")],
            *[F.col(name) for name in ("dose_unit_concept_id", "dose_bits")],
        ),
        "person_id": F.col("person_id"),
        "drug_concept_id": F.col("ingredient_concept_id"),
        "unit_concept_id": F.col("dose_unit_concept_id"),
        "dose_value": F.col("dose"),
        "dose_era_start_date": F.col("era_start"),
        "dose_era_end_date": F.col("era_end"),
    }
    return conform(eras, "dose_era", columns).orderBy("person_id", "dose_era_id")


def _days(start: Column, end: Column) -> Column:
    supply = F.col("days_supply")
    return F.when(supply >= 1, supply).otherwise(F.datediff(end, start) + 1).cast("double")


def dose_eras(rows: pa.Table) -> pa.Table:
    """One row an era of the ingredients and daily doses that some persons were exposed to, with the dose's bits."""
    at = rows.schema.get_field_index("dose")
    dose = pa.array(rounded(rows["dose"].to_numpy()))
    eras = eras_of(rows.set_column(at, "dose", dose), tuple(KEY_TYPES))
    return eras.append_column("dose_bits", pa.array(eras["dose"].to_numpy().view(np.int64)))


def rounded(dose: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Positive numbers to six significant digits: the double nearest to the decimal, so that equal doses are equal."""
    if len(dose) == 0:
        return dose
    places = SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(dose)).astype(np.int64)
    # Powers of ten up to the 22nd are exact, so one rounding is all that happens; beyond them no dose lies.
    up, down = (10.0 ** np.clip(sign * places, 0, 22) for sign in (1, -1))
    nearest: npt.NDArray[np.float64] = np.round(dose * up / down) * down / up
    return nearest
