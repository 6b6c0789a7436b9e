"""Births, starts and ends of a rule: their parts, and the rows that their absence or disorder rejects."""

from __future__ import annotations

from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Reason
from dure.tables.routing import part_column
from dure.tables.rule import Evaluation

INPATIENT = (9201, 262, 8717, 8971, 581383, 32037)  # stays that may still be open: inpatient, ER and inpatient, ICU, …

# The type by which the CDM marks a stay that goes on at the date of the extract.
STILL_PATIENT = 32220


def start_and_end(work: Evaluation) -> None:
    if work.given("birth") is not None:
        work.reasons.append((F.col("birth__year").isNull(), Reason.NO_BIRTH_YEAR))
        names = ("year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime")
        for part, column in zip(names, ("birth__year", "birth__month", "birth__day", "birth__at"), strict=True):
            work.parts[part_column("birth", part)] = F.col(column)
    if work.given("start") is not None:
        start = F.col("start__at")
        work.reasons += [(~F.col("start__given"), Reason.NO_DATE), (start.isNull(), Reason.BAD_DATE)]
        work.parts[part_column("start", "date")] = start.cast("date")
        work.parts[part_column("start", "datetime")] = start
    for name in ("start", "end"):
        if f"{name}__bad_time" in work.start_columns:
            work.note(Note.BAD_TIME, F.col(f"{name}__bad_time"))
    for role in work.roles.values():
        if role.kind == "moment" and role.name != "start" and work.given(role.name) is not None:
            work.parts[part_column(role.name, "date")] = F.col(f"{role.name}__at").cast("date")
    if work.given("end") is not None or work.rule.table in ("visit_occurrence", "visit_detail"):
        _end(work)


def _end(work: Evaluation) -> None:
    start = F.col("start__at")
    end = F.lit(None).cast("timestamp_ntz")
    if "end__at" in work.start_columns:
        end = F.col("end__at")
        work.parts[part_column("end", "said")] = end.cast("date")
        work.note(Note.BAD_END_DATE, F.col("end__given") & end.isNull())
    if "end__days" in work.start_columns:
        days = F.col("end__days")
        lasting = F.date_add(start.cast("date"), days - 1).cast("timestamp_ntz")
        work.note(Note.BAD_END_DATE, F.col("end__days_given") & days.isNull() & end.isNull())
        end = F.coalesce(end, lasting)
    midnight = (start == start.cast("date").cast("timestamp_ntz")) | (end == end.cast("date").cast("timestamp_ntz"))
    early = F.when(midnight, end.cast("date") < start.cast("date")).otherwise(end < start)
    work.reasons.append((F.coalesce(early, F.lit(False)), Reason.END_BEFORE_START))
    if work.rule.table in ("visit_occurrence", "visit_detail"):
        stay = work.parts[part_column("code", "concept_id")].isin(list(INPATIENT))
        if work.shared.open_stay == "reject":
            work.reasons.append((end.isNull() & stay, Reason.OPEN_STAY))
        as_of = F.lit(work.shared.as_of).cast("timestamp_ntz")
        still = F.greatest(as_of, start) if work.shared.open_stay == "as_of" else start
        work.note(Note.END_ASSUMED, end.isNull())
        if work.shared.open_stay == "as_of":
            kind = part_column("type_concept_id", "concept_id")
            work.parts[kind] = F.when(end.isNull() & stay, F.lit(STILL_PATIENT)).otherwise(work.parts[kind])
        end = F.coalesce(end, F.when(stay, still).otherwise(start))
    elif work.roles["end"].required:
        work.reasons.append((end.isNull(), Reason.REQUIRED_EMPTY))
    work.parts[part_column("end", "date")] = end.cast("date")
    # Midnight of the start's own day stands for a time that is not known: no moment before the start.
    work.parts[part_column("end", "datetime")] = F.when(end.isNotNull(), F.greatest(end, start))
