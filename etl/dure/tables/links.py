"""The `event` roles: which record of another table a row belongs to, and how that table is named.

`{row: TABLE}` is what the same source row became under the entries of TABLE, wherever it was routed; `{visit: KEY}` and
its like are references.  The CDM names the table in three ways: a domain text in `cost`, a domain concept in
`fact_relationship`, the concept of the key field elsewhere.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Outcome, Reason
from dure.cdm.roles import REFERENCE_TABLES, Role
from dure.cdm.schema import table as cdm_table
from dure.site.values import EventRow
from dure.tables.expressions import looked_up
from dure.tables.routing import part_column

# The kinds of events that are references, as the spec names them.
REFERENCES = ("visit_detail", "visit", "person", "specimen")

# The digits of an entry's place among those of its table, and of a record id.
_TURN, _ID = 4, 19


@dataclass(frozen=True)
class Linked:
    """What names a CDM table, and a relationship, where one row points at another: the vocabulary's concepts.

    `domain_concepts` and `field_concepts` are by CDM table; `relationships` by name, each with its reverse.
    """

    domain_concepts: Mapping[str, int] = field(default_factory=dict)
    field_concepts: Mapping[str, int] = field(default_factory=dict)
    relationships: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@cache
def domains() -> dict[str, str]:
    """CDM table -> the OMOP domain of its rows (`domains.csv` beside this module)."""
    text = files("dure.tables").joinpath("domains.csv").read_text(encoding="utf-8")
    return {row["table"]: row["domain_id"] for row in csv.DictReader(text.splitlines())}


def field_name(table: str) -> str:
    """The CDM vocabulary's name for the key column of a table, such as `drug_exposure.drug_exposure_id`."""
    return f"{table}.{cdm_table(table).primary_key}"


def reference_of(value: object) -> tuple[str, object] | None:
    """(reference role, key) of an event that is a reference; None for `{row: TABLE}`."""
    if isinstance(value, EventRow):
        return None
    role = next(name for name in REFERENCES if hasattr(value, name))
    return role, getattr(value, role)


def view_row() -> Column:
    """Which of the rows that a source row became in a view this is, of a frame that still has `_key` and `_n`."""
    return F.xxhash64("_key", "_n")


def _row() -> Column:
    """The number of the source row, -1 for a row of a view that folds several."""
    return F.coalesce("_row", F.lit(-1))


def _place_of(frame: DataFrame, view_rows: bool) -> list[Column]:
    """The source row of a mapped row; of a view that gives a source row several times, its own row too."""
    place = [F.col("_file").alias("made_file"), _row().alias("made_row")]
    return [*place, F.col("_view_row").alias("made_view_row")] if view_rows else place


def rows_of_one(frame: DataFrame) -> DataFrame:
    """`rows_made` where one entry reads each row once and none is merged: nothing to choose from."""
    return frame.where(F.col("_rank") == 0).select(
        *_place_of(frame, "_view_row" in frame.columns),
        F.when(F.col("_outcome") == Outcome.WRITTEN.value, F.col("_id")).alias("made_id"),
        F.col("_table").alias("made_table"),
        (F.col("_reason") == Reason.OPT_OUT.value).alias("made_opted_out"),
    )


def rows_made(frames: Sequence[DataFrame], records: DataFrame | None = None, keyed: bool = False) -> DataFrame:
    """One row a source row: `made_file`, `made_row`, `made_id` and `made_table` (NULL where it is in no record),
    `made_opted_out`; one row a row of the view, told by `made_view_row` too, where all frames have `_view_row`.

    Of several targets or entries the first that gives a record counts; a row that was merged is in the record that
    took it.  `records` is the lookup of a table that others refer to, where another entry, or a stay of several visits,
    may have taken it; `keyed` says that several rows may share a record of any other table.
    """
    union = None
    view_rows = all("_view_row" in frame.columns for frame in frames)
    by = ["made_file", "made_row", *(["made_view_row"] if view_rows else [])]
    for place, frame in enumerate(frames):
        written, merged = (F.col("_outcome") == outcome.value for outcome in (Outcome.WRITTEN, Outcome.MERGED))
        # Rows of one entry that share a key share the id of the record, too.
        in_record = written if records is not None else written | merged
        one = frame.where(F.col("_rank") == 0).select(
            *_place_of(frame, view_rows),
            F.when(in_record, F.col("_id")).alias("made_id"),
            F.when(written | F.lit(not keyed), F.col("_table")).alias("made_table"),
            (F.col("_reason") == Reason.OPT_OUT.value).alias("made_opted_out"),
            F.when(merged, F.col("_key_hash")).alias("made_key"),
            F.lit(place).alias("made_place"),
        )
        union = one if union is None else union.unionByName(one)
    assert union is not None
    made_id, made_table = F.col("made_id"), F.col("made_table")
    if records is not None:
        taken = records.select(F.col("key_hash").alias("taken_key"), F.col("id").alias("taken_id"))
        union = union.join(taken, F.col("made_key") == F.col("taken_key"), "left")
        made_id = F.coalesce("made_id", "taken_id")
    elif keyed:
        # The row that was written says where the record is: the codes of the others may lead elsewhere.
        tables = union.groupBy(made_id.alias("table_of")).agg(F.max(made_table).alias("table_made"))
        union = union.join(tables, made_id == F.col("table_of"), "left")
        made_table = F.col("table_made")
    per_row = union.groupBy(*by).agg(
        F.min(_first(made_id, made_table)).alias("made"), F.bool_or("made_opted_out").alias("made_opted_out")
    )
    made = F.col("made")
    return per_row.select(
        *by,
        F.substr(made, F.lit(_TURN + 1), F.lit(_ID)).cast("bigint").alias("made_id"),
        F.substr(made, F.lit(_TURN + _ID + 1)).alias("made_table"),
        "made_opted_out",
    )


def _first(id: Column, table: Column) -> Column:
    """Id and table of a record as one text, smaller the earlier its entry comes; NULL for a row that is in none.

    One text, since engines find the smallest struct of each of many groups a record at a time.
    """
    turn, number = (F.lpad(part.cast("string"), n, "0") for part, n in ((F.col("made_place"), _TURN), (id, _ID)))
    return F.concat(turn, number, F.coalesce(table, F.lit("")))


def joined(frame: DataFrame, role: str, value: object, made: DataFrame | None, lookup: DataFrame | None) -> DataFrame:
    """The frame with `{role}__linked`, `{role}__linked_table` and `{role}__opted_out` for one event role."""
    reference = reference_of(value)
    if reference is None:
        assert made is not None
        right = made.select(*[F.col(name).alias(f"{role}__{name}") for name in made.columns])
        here = (F.col("_file") == F.col(f"{role}__made_file")) & (_row() == F.col(f"{role}__made_row"))
        if "made_view_row" in made.columns:
            here = here & (view_row() == F.col(f"{role}__made_view_row"))
        return frame.join(right, here, "left").withColumns(
            {
                f"{role}__linked": F.col(f"{role}__made_id"),
                f"{role}__linked_table": F.col(f"{role}__made_table"),
                f"{role}__opted_out": F.coalesce(F.col(f"{role}__made_opted_out"), F.lit(False)),
            }
        )
    kind = reference[0]
    if lookup is None:
        nothing = {f"{role}__linked": F.lit(None).cast("bigint"), f"{role}__opted_out": F.lit(False)}
        return frame.withColumns({**nothing, f"{role}__linked_table": F.lit(REFERENCE_TABLES[kind])})
    right = lookup.select(
        F.col("key_hash").alias(f"{role}__found"),
        F.col("id").alias(f"{role}__linked"),
        F.col("opted_out").alias(f"{role}__gone"),
    )
    return frame.join(right, F.col(f"{role}__hash") == F.col(f"{role}__found"), "left").withColumns(
        {
            f"{role}__linked_table": F.lit(REFERENCE_TABLES[kind]),
            f"{role}__opted_out": F.coalesce(F.col(f"{role}__gone"), F.lit(False)),
        }
    )


def decided(
    role: Role, table: str, linked: Linked
) -> tuple[dict[str, Column], list[tuple[Column, Reason]], dict[Note, Column]]:
    """The parts that an event role fills, what its absence rejects (where the CDM requires it) and what it counts."""
    found, where = F.col(f"{role.name}__linked"), F.col(f"{role.name}__linked_table")
    parts = {part_column(role.name, "id"): found}
    if "field_concept_id" in role.columns:
        name = looked_up(where, linked.field_concepts) if linked.field_concepts else F.lit(None).cast("int")
        parts[part_column(role.name, "field_concept_id")] = F.when(found.isNotNull(), F.coalesce(name, F.lit(0)))
    if "domain" in role.columns and table == "cost":
        parts[part_column(role.name, "domain")] = looked_up(where, domains())
    elif "domain" in role.columns:
        name = looked_up(where, linked.domain_concepts) if linked.domain_concepts else F.lit(None).cast("int")
        parts[part_column(role.name, "domain")] = F.coalesce(name, F.lit(0))
    if role.required:
        gone = F.col(f"{role.name}__opted_out")
        return parts, [(gone, Reason.OPT_OUT), (found.isNull(), Reason.EVENT_UNKNOWN)], {}
    return parts, [], {Note.EVENT_UNKNOWN: found.isNull()}
