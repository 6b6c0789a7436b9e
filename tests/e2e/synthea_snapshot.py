"""Reads a snapshot's Parquet into the rows that `oracle_synthea` computes: what a person sees, without record ids."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from oracle_synthea import TABLE_OF_DOMAIN, Cost, PayerPeriod, Person, Provider, Row, Visit, VisitRow

# table -> (concept, source value, source concept, type, start date, start datetime, end date, end datetime)
SHAPES = {
    "condition_occurrence": (
        "condition_concept_id", "condition_source_value", "condition_source_concept_id", "condition_type_concept_id",
        "condition_start_date", "condition_start_datetime", "condition_end_date", "condition_end_datetime",
    ),
    "drug_exposure": (
        "drug_concept_id", "drug_source_value", "drug_source_concept_id", "drug_type_concept_id",
        "drug_exposure_start_date", "drug_exposure_start_datetime", "drug_exposure_end_date",
        "drug_exposure_end_datetime",
    ),
    "procedure_occurrence": (
        "procedure_concept_id", "procedure_source_value", "procedure_source_concept_id", "procedure_type_concept_id",
        "procedure_date", "procedure_datetime", "procedure_end_date", "procedure_end_datetime",
    ),
    "device_exposure": (
        "device_concept_id", "device_source_value", "device_source_concept_id", "device_type_concept_id",
        "device_exposure_start_date", "device_exposure_start_datetime", "device_exposure_end_date",
        "device_exposure_end_datetime",
    ),
    "measurement": (
        "measurement_concept_id", "measurement_source_value", "measurement_source_concept_id",
        "measurement_type_concept_id", "measurement_date", "measurement_datetime", "", "",
    ),
    "observation": (
        "observation_concept_id", "observation_source_value", "observation_source_concept_id",
        "observation_type_concept_id", "observation_date", "observation_datetime", "", "",
    ),
}  # fmt: skip
SHOWN = (
    "value_as_number",
    "value_as_string",
    "value_as_concept_id",
    "value_source_value",
    "unit_concept_id",
    "unit_source_value",
    "qualifier_concept_id",
    "qualifier_source_value",
    "quantity",
    "unique_device_id",
)
Record = dict[str, Any]


class Snapshot:
    """One snapshot folder; each table is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[str, list[Record]] = {}

    def table(self, name: str) -> list[Record]:
        """The rows of a table, in file order."""
        if name not in self._tables:
            self._tables[name] = pq.read_table(self.folder / name).to_pylist()
        return self._tables[name]

    def sources(self, table: str, key: str, source: str) -> dict[int, str]:
        """Record id -> the id that the source has for it."""
        return {row[key]: row[source] for row in self.table(table)}

    def visits(self, table: str = "visit_occurrence") -> dict[int, VisitRow]:
        """Record id -> what tells the visit from others; `table` may be visit_detail."""
        prefix = "visit" if table == "visit_occurrence" else "visit_detail"
        persons = self.sources("person", "person_id", "person_source_value")
        providers = self.sources("provider", "provider_id", "provider_source_value")
        places = self.sources("care_site", "care_site_id", "care_site_source_value")
        return {
            row[f"{table}_id"]: VisitRow(
                Visit(
                    persons[row["person_id"]],
                    row[f"{prefix}_start_datetime"],
                    row[f"{prefix}_end_datetime"],
                    row[f"{prefix}_source_value"],
                    providers.get(row["provider_id"]),
                    places.get(row["care_site_id"]),
                ),
                row[f"{prefix}_concept_id"],
                row[f"{prefix}_type_concept_id"],
            )
            for row in self.table(table)
        }

    def rows(self) -> Iterator[Row]:
        """Every row of the tables that hold clinical events."""
        yield from self.rows_by_id().values()

    def rows_by_id(self) -> dict[tuple[str, int], Row]:
        """(table, record id) -> the row, for the tables that hold clinical events."""
        return dict(self._rows())

    def _rows(self) -> Iterator[tuple[tuple[str, int], Row]]:
        persons = self.sources("person", "person_id", "person_source_value")
        visits, details = self.visits(), self.visits("visit_detail")
        for table, names in SHAPES.items():
            concept, source, source_concept, kind, day, moment, end_day, end_moment = names
            for row in self.table(table):
                visit = visits[row["visit_occurrence_id"]].visit if row["visit_occurrence_id"] is not None else None
                detail = details[row["visit_detail_id"]].visit if row["visit_detail_id"] is not None else None
                if detail != visit:
                    raise AssertionError(f"a row of {table} has a visit and another visit's detail")
                # An end that nobody said has no time of its own.
                said = table != "drug_exposure" or row["verbatim_end_date"] is not None
                yield (
                    (table, row[f"{table}_id"]),
                    Row(
                        table,
                        persons[row["person_id"]],
                        visit,
                        row[concept],
                        row[source],
                        row[source_concept],
                        row[kind],
                        row[day],
                        row[moment],
                        row[end_day] if end_day else None,
                        row[end_moment] if end_moment and said else None,
                        **{name: row.get(name) for name in SHOWN},
                    ),
                )

    def persons(self) -> list[Person]:
        """The person table."""
        places = {row["location_id"]: row for row in self.table("location")}
        rows = []
        for row in self.table("person"):
            place = places.get(row["location_id"], {})
            rows.append(
                Person(
                    row["person_source_value"], row["gender_concept_id"], row["year_of_birth"], row["month_of_birth"],
                    row["day_of_birth"], row["race_concept_id"], row["ethnicity_concept_id"],
                    row["gender_source_value"], row["race_source_value"], row["ethnicity_source_value"],
                    place.get("address_1"), place.get("state"),
                )
            )  # fmt: skip
        return rows

    def providers(self) -> list[Provider]:
        """The provider table."""
        places = self.sources("care_site", "care_site_id", "care_site_source_value")
        return [
            Provider(
                row["provider_source_value"], row["provider_name"], row["gender_concept_id"],
                row["specialty_concept_id"], row["specialty_source_value"], places.get(row["care_site_id"]),
            )
            for row in self.table("provider")
        ]  # fmt: skip

    def costs(self) -> list[Cost]:
        """The cost table, each with what it belongs to."""
        details = {number: row.visit for number, row in self.visits("visit_detail").items()}
        rows = self.rows_by_id()
        return [
            Cost(
                details[row["cost_event_id"]] if row["cost_domain_id"] == "Visit"
                else rows[TABLE_OF_DOMAIN[row["cost_domain_id"]], row["cost_event_id"]],
                row["cost_domain_id"], row["cost_type_concept_id"], row["total_charge"], row["total_cost"],
                row["total_paid"], row["paid_by_payer"], row["paid_patient_copay"], row["currency_concept_id"],
            )
            for row in self.table("cost")
        ]  # fmt: skip

    def payer_periods(self) -> list[PayerPeriod]:
        """The payer_plan_period table."""
        persons = self.sources("person", "person_id", "person_source_value")
        return [
            PayerPeriod(
                persons[row["person_id"]], row["payer_plan_period_start_date"], row["payer_plan_period_end_date"],
                row["payer_concept_id"], row["payer_source_value"], row["family_source_value"],
            )
            for row in self.table("payer_plan_period")
        ]  # fmt: skip

    def deaths(self) -> list[tuple[str, date]]:
        """Person and date of each death."""
        persons = self.sources("person", "person_id", "person_source_value")
        return [(persons[row["person_id"]], row["death_date"]) for row in self.table("death")]

    def drug_moments(self) -> list[tuple[datetime, datetime | None]]:
        """Start and end moment of each exposure."""
        return [
            (row["drug_exposure_start_datetime"], row["drug_exposure_end_datetime"])
            for row in self.table("drug_exposure")
        ]


def visits_before(visits: list[Record]) -> dict[int, int | None]:
    """Visit id -> the id of the person's visit before it by start, end and id; one visit at a time, by sorting."""
    before: dict[int, int | None] = {}
    latest: dict[int, int] = {}
    order = ("visit_start_datetime", "visit_end_datetime", "visit_occurrence_id")
    for visit in sorted(visits, key=lambda row: tuple(row[name] for name in order)):
        before[visit["visit_occurrence_id"]] = latest.get(visit["person_id"])
        latest[visit["person_id"]] = visit["visit_occurrence_id"]
    return before
