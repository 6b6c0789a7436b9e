"""The `event` roles: which record of another table a row belongs to, and how that table is named.

`{row: TABLE}` is what the same source row became under the entries of TABLE, wherever it was routed; `{visit: KEY}` and
its like are references.  The CDM names the table in three ways: a domain text in `cost`, a domain concept in
`fact_relationship`, the concept of the key field in `measurement`, `observation` and `note`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.cdm.schema import table as cdm_table
from dure.site.values import EventRow


@dataclass(frozen=True)
class Linked:
    """What names a CDM table where a row points at it: the vocabulary's concepts, 0 where it lacks them."""

    domain_concepts: Mapping[str, int] = field(default_factory=dict)
    field_concepts: Mapping[str, int] = field(default_factory=dict)
    relationships: Mapping[str, int] = field(default_factory=dict)


@cache
def domains() -> dict[str, str]:
    """CDM table -> the OMOP domain of its rows (`domains.csv` beside this module)."""
    text = files("dure.tables").joinpath("domains.csv").read_text(encoding="utf-8")
    return {row["table"]: row["domain_id"] for row in csv.DictReader(text.splitlines())}


def field_name(table: str) -> str:
    """The CDM vocabulary's name for the key column of a table, such as `drug_exposure.drug_exposure_id`."""
    return f"{table}.{cdm_table(table).primary_key}"


def linked_table(value: object, reference_tables: Mapping[str, str]) -> str:
    """The table that an event of kind visit, visit_detail, person or specimen points at."""
    assert not isinstance(value, EventRow)
    head = next(name for name in ("visit_detail", "visit", "person", "specimen") if hasattr(value, name))
    return reference_tables[head]


def named(table: Column, names: Mapping[str, object], otherwise: Column) -> Column:
    """What a table is called, by a map over table names."""
    out = otherwise
    for name, called in names.items():
        out = F.when(table == name, F.lit(called)).otherwise(out)
    return out


def rows_made(frames: Sequence[DataFrame], prefix: str) -> DataFrame:
    """One row a source row that was written: `{prefix}_file`, `{prefix}_row`, `{prefix}_id`, `{prefix}_table`.

    Of a row with several targets the first counts.
    """
    union = None
    for frame in frames:
        written = frame.where((F.col("_outcome") == Outcome.WRITTEN.value) & (F.col("_rank") == 0)).select(
            F.col("_file").alias(f"{prefix}_file"),
            F.col("_row").alias(f"{prefix}_row"),
            F.col("_id").alias(f"{prefix}_id"),
            F.col("_table").alias(f"{prefix}_table"),
        )
        union = written if union is None else union.unionByName(written)
    assert union is not None
    return union
