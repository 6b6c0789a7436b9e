"""CDM tables out of mapped frames: the written rows of every rule whose rows go to the table, in CDM columns.

A row that moved brings the parts of its roles that have a home in the new table; a required column that the old table
did not fill takes a named default (`defaults` below).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.cdm.conform import conform
from dure.cdm.roles import roles
from dure.cdm.schema import table as cdm_table
from dure.tables.cells import whole
from dure.tables.narrow import LONGEST
from dure.tables.preceding import with_preceding
from dure.tables.routing import homeless_roles, part_column
from dure.tables.rule import Rule

ADMINISTRATION, PRESCRIPTION = 32818, 32838
# Days after the start on which a prescription without end, supply or quantity ends.
PRESCRIPTION_DAYS = 29


def table_frame(table: str, mapped: Sequence[tuple[Rule, DataFrame]]) -> DataFrame:
    """One row a record of the CDM table, sorted by person and record id.

    `mapped` holds the rules that have rows for this table, with their mapped frames; there is at least one.
    """
    frames = [_rows(table, frame) for _, frame in mapped]
    union = frames[0]
    for frame in frames[1:]:
        union = union.unionByName(frame)
    names = cdm_table(table).names
    order = [name for name in ("person_id", cdm_table(table).primary_key) if name in names] or list(names)
    return with_preceding(table, union).orderBy(*dict.fromkeys(order))


def _rows(table: str, frame: DataFrame) -> DataFrame:
    rows = frame.where((F.col("_outcome") == Outcome.WRITTEN.value) & (F.col("_table") == table))
    have = set(frame.columns)
    columns: dict[str, Column] = {}
    for role in roles(table).values():
        for part, column in role.columns.items():
            name = part_column(role.name, part)
            if name in have:
                columns[column] = fitting(F.col(name), table, column) if role.kind == "number" else F.col(name)
    key = cdm_table(table).primary_key
    if key is not None and table != "death":
        columns[key] = F.col("_id")
    for column, default in defaults(table, have).items():
        columns[column] = F.coalesce(columns[column], default) if column in columns else default
    return conform(rows, table, columns)


def fitting(value: Column, table: str, column: str) -> Column:
    """A number that is not whole, or too large, has no place in an integer column: NULL there."""
    return whole(value) if _wants_whole(table, column) else value


def _wants_whole(table: str, column: str) -> bool:
    return cdm_table(table)[column].spark.simpleString() == "int"


def defaults(table: str, have: Iterable[str]) -> dict[str, Column]:
    """What fills a required column that a row brought nothing for, by CDM column."""
    have = set(have)
    start = part_column("start", "date")
    if table == "drug_exposure":
        return {
            "drug_exposure_end_date": _drug_end(have),
            "drug_exposure_end_datetime": _drug_end_moment(have),
            "verbatim_end_date": _part(have, "end", "said", "date"),
        }
    if table in ("visit_occurrence", "visit_detail"):
        prefix = "visit" if table == "visit_occurrence" else "visit_detail"
        return {f"{prefix}_end_date": F.col(start), f"{prefix}_end_datetime": F.col(part_column("start", "datetime"))}
    if table == "person":
        return {"race_concept_id": F.lit(0), "ethnicity_concept_id": F.lit(0)}
    if table == "note":
        return {"encoding_concept_id": F.lit(0), "language_concept_id": F.lit(0)}
    return {}


def _part(have: set[str], role: str, part: str, kind: str) -> Column:
    name = part_column(role, part)
    return F.col(name) if name in have else F.lit(None).cast(kind)


def _drug_end(have: set[str]) -> Column:
    """The end of a drug: what the source says; else by days of supply; else by quantity and daily dose, a begun day
    counting whole; else an administration ends on its start and a prescription 29 days after it.  Never before the start."""
    start = F.col(part_column("start", "date"))
    end = _part(have, "end", "date", "date")
    supply = whole(_part(have, "days_supply", "value", "double"), 1, LONGEST)
    by_supply = F.date_add(start, supply - 1)
    quantity, daily = (_part(have, role, "value", "double") for role in ("quantity", "daily_dose"))
    days = F.when((quantity > 0) & (daily > 0), F.ceil(quantity / daily))
    by_dose = F.date_add(start, whole(days.cast("double"), 1, LONGEST) - 1)
    by_type = F.when(
        _part(have, "type_concept_id", "concept_id", "int") == PRESCRIPTION, F.date_add(start, PRESCRIPTION_DAYS)
    ).otherwise(start)
    return F.greatest(F.coalesce(end, by_supply, by_dose, by_type), start)


def _drug_end_moment(have: set[str]) -> Column:
    """The moment of the end where the source gave one; otherwise midnight of the end date, or the start if later."""
    given = _part(have, "end", "datetime", "timestamp_ntz")
    assumed = F.greatest(_drug_end(have).cast("timestamp_ntz"), F.col(part_column("start", "datetime")))
    return F.coalesce(given, assumed)


def lost_by_moving(rule: Rule, have: Iterable[str], table: str) -> dict[str, Column]:
    """For each role of a rule whose value may have no home in another table: whether a row loses it by moving there.

    The table may have no such role, or an integer column for a number that is not whole.
    """
    have = set(have)
    lost = {}
    for role in homeless_roles(rule.table, table):
        names = [part_column(role.name, part) for part in role.columns if part_column(role.name, part) in have]
        if names:
            lost[role.name] = F.coalesce(*[F.col(name).cast("string") for name in names]).isNotNull()
    for role in roles(table).values():
        name, column = part_column(role.name, "value"), role.columns.get("value")
        if role.kind == "number" and name in have and column and _wants_whole(table, column):
            lost[role.name] = F.col(name).isNotNull() & fitting(F.col(name), table, column).isNull()
    return lost
