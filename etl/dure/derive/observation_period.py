"""When a person was observed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from dure.cdm.conform import conform
from dure.tables.keys import EVENT_ID_BITS, identity, record_id

# OMOP's type concept for a period that the events of an EHR span.
PERIOD_FROM_EHR_EVENTS = 32882
# ... and for one that an enrolment record covers.
PERIOD_FROM_ENROLMENT = 32813

# Table -> the dates that show a person under observation.  A visit is observed to its end; the planned end of a
# prescription or the end of a condition says nothing about when the hospital saw the person.
OBSERVED = {
    "visit_occurrence": ("visit_start_date", "visit_end_date"),
    "visit_detail": ("visit_detail_start_date", "visit_detail_end_date"),
    "condition_occurrence": ("condition_start_date",),
    "drug_exposure": ("drug_exposure_start_date",),
    "procedure_occurrence": ("procedure_date",),
    "device_exposure": ("device_exposure_start_date",),
    "measurement": ("measurement_date",),
    "observation": ("observation_date",),
    "specimen": ("specimen_date",),
    "note": ("note_date",),
}


def from_events(tables: Mapping[str, DataFrame], person: DataFrame, site: str, as_of: date) -> DataFrame | None:
    """One row a person with at least one dated event: from the first to the last, in CDM columns, sorted by person.

    Not before the birth (of which an unknown month or day counts as the first) and not after `as_of`; a person all of
    whose events lie outside has no period.
    """
    spans = [
        frame.select(
            "person_id",
            F.least(*[F.col(name) for name in dates]).alias("first")
            if len(dates) > 1
            else F.col(dates[0]).alias("first"),
            F.greatest(*[F.col(name) for name in dates]).alias("last")
            if len(dates) > 1
            else F.col(dates[0]).alias("last"),
        )
        .groupBy("person_id")
        .agg(F.min("first").alias("first"), F.max("last").alias("last"))
        for name, frame in tables.items()
        if (dates := OBSERVED.get(name))
    ]
    if not spans:
        return None
    union = spans[0]
    for span in spans[1:]:
        union = union.unionByName(span)
    whole = union.groupBy("person_id").agg(F.min("first").alias("first"), F.max("last").alias("last"))
    return _periods(whole, person, site, as_of, "events", PERIOD_FROM_EHR_EVENTS)


def from_enrolment(payer_plan_period: DataFrame, person: DataFrame, site: str, as_of: date) -> DataFrame:
    """One row a span in which a person was covered without a break, in CDM columns, sorted by person and start.

    Spans that overlap or follow on the next day are one.  Bounded like the periods of `from_events`.
    """
    spans = payer_plan_period.select(
        "person_id",
        F.col("payer_plan_period_start_date").alias("first"),
        F.col("payer_plan_period_end_date").alias("last"),
    )
    by_start = Window.partitionBy("person_id").orderBy("first", "last")
    before = F.max("last").over(by_start.rowsBetween(Window.unboundedPreceding, -1))
    breaks = F.when(before.isNull() | (F.col("first") > F.date_add(before, 1)), 1).otherwise(0)
    numbered = spans.withColumn("_breaks", breaks).withColumn("_span", F.sum("_breaks").over(by_start))
    whole = numbered.groupBy("person_id", "_span").agg(F.min("first").alias("first"), F.max("last").alias("last"))
    return _periods(whole.drop("_span"), person, site, as_of, "enrolment", PERIOD_FROM_ENROLMENT)


def _periods(spans: DataFrame, person: DataFrame, site: str, as_of: date, policy: str, type_concept: int) -> DataFrame:
    born = F.make_date(
        F.col("year_of_birth"), F.coalesce("month_of_birth", F.lit(1)), F.coalesce("day_of_birth", F.lit(1))
    )
    births = person.select(F.col("person_id").alias("_born_id"), born.alias("_born"))
    bounded = spans.join(births, F.col("person_id") == F.col("_born_id"), "inner").select(
        "person_id",
        F.greatest("first", "_born").alias("first"),
        F.least(F.col("last"), F.lit(as_of)).alias("last"),
    )
    periods = bounded.where(F.col("first") <= F.col("last"))
    # One period a person keeps its id when its ends move; several are told apart by their starts.
    which = F.lit("0") if policy == "events" else F.date_format("first", "yyyyMMdd")
    columns: dict[str, Column] = {
        "observation_period_id": record_id(
            identity(site, policy, "observation_period", policy, F.col("person_id").cast("string"), which),
            EVENT_ID_BITS,
        ),
        "person_id": F.col("person_id"),
        "observation_period_start_date": F.col("first"),
        "observation_period_end_date": F.col("last"),
        "period_type_concept_id": F.lit(type_concept),
    }
    made = conform(periods, "observation_period", columns)
    return made.orderBy("person_id", "observation_period_start_date")
