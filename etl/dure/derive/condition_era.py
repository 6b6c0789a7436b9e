"""Condition eras: spans in which a person is taken to have one condition."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.cdm.conform import conform
from dure.derive.era_spans import SPAN_TYPES, by_person, era_id, eras_of, latest_of

KEY_TYPES = {"person_id": "bigint", "condition_concept_id": "int"}


def build(condition_occurrence: DataFrame, site: str, partitions: int) -> DataFrame:
    """One row an era of a person and a condition concept, in CDM columns, sorted by person and id.

    A condition without an end ends on its start; concept 0 makes no era. `partitions` as `partitions_for` says.
    """
    start = F.col("condition_start_date")
    known = condition_occurrence.where(F.col("condition_concept_id") != 0).select(
        *KEY_TYPES, start.alias("start"), latest_of(start, F.col("condition_end_date")).alias("end")
    )
    eras = by_person(known, condition_eras, KEY_TYPES | SPAN_TYPES, partitions)
    columns = {
        "condition_era_id": era_id(
            site, "condition_era", F.col("person_id"), F.col("condition_concept_id"), F.col("era_start")
        ),
        "person_id": F.col("person_id"),
        "condition_concept_id": F.col("condition_concept_id"),
        "condition_era_start_date": F.col("era_start"),
        "condition_era_end_date": F.col("era_end"),
        "condition_occurrence_count": F.col("exposures"),
    }
    return conform(eras, "condition_era", columns).orderBy("person_id", "condition_era_id")


def condition_eras(rows: pa.Table) -> pa.Table:
    """One row an era of the conditions of some persons."""
    return eras_of(rows, tuple(KEY_TYPES))
