"""Drug eras: spans in which a person is taken to be exposed to one ingredient."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.cdm.conform import conform
from dure.derive.drugs import Drugs, beside
from dure.derive.era_spans import SPAN_TYPES, by_person, era_id, eras_of, latest_of

KEY_TYPES = {"person_id": "bigint", "ingredient_concept_id": "int"}


def build(drug_exposure: DataFrame, drugs: Drugs, site: str, partitions: int) -> DataFrame:
    """One row an era of a person and an ingredient, in CDM columns, sorted by person and id.

    A combination feeds the era of each of its ingredients; a drug without one, and concept 0, feed none
    (`drugs.without_era` counts them). `partitions` as `partitions_for` says.
    """
    start = F.col("drug_exposure_start_date")
    taken = drug_exposure.select(
        "person_id",
        "drug_concept_id",
        start.alias("start"),
        latest_of(start, F.col("drug_exposure_end_date")).alias("end"),
    )
    fed = taken.join(beside(taken, drugs.ingredients), "drug_concept_id", "inner").select(*KEY_TYPES, "start", "end")
    eras = by_person(fed, drug_eras, KEY_TYPES | SPAN_TYPES, partitions)
    columns = {
        "drug_era_id": era_id(site, "drug_era", F.col("person_id"), F.col("ingredient_concept_id"), F.col("era_start")),
        "person_id": F.col("person_id"),
        "drug_concept_id": F.col("ingredient_concept_id"),
        "drug_era_start_date": F.col("era_start"),
        "drug_era_end_date": F.col("era_end"),
        "drug_exposure_count": F.col("exposures"),
        "gap_days": F.col("gap_days"),
    }
    return conform(eras, "drug_era", columns).orderBy("person_id", "drug_era_id")


def drug_eras(rows: pa.Table) -> pa.Table:
    """One row an era of the ingredients that some persons were exposed to."""
    return eras_of(rows, tuple(KEY_TYPES))
