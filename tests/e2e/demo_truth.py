"""The truth of generated hospitals and the rows of a snapshot in the same words, wider than the score: with visit, time,
end and quantity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

# table -> (concept, start date, start moment, end date)
COLUMNS = {
    "condition_occurrence": ("condition_concept_id", "condition_start_date", "condition_start_datetime", ""),
    "drug_exposure": (
        "drug_concept_id", "drug_exposure_start_date", "drug_exposure_start_datetime", "drug_exposure_end_date",
    ),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date", "procedure_datetime", ""),
    "device_exposure": ("device_concept_id", "device_exposure_start_date", "device_exposure_start_datetime", ""),
    "measurement": ("measurement_concept_id", "measurement_date", "measurement_datetime", ""),
    "observation": ("observation_concept_id", "observation_date", "observation_datetime", ""),
    "note": ("note_class_concept_id", "note_date", "note_datetime", ""),
}  # fmt: skip
VALUES = ("value_as_number", "operator_concept_id", "value_as_concept_id", "unit_concept_id")
Record = dict[str, Any]
Fact = tuple[Any, ...]


def truth(folder: Path, name: str, hospital: str) -> list[Record]:
    """The rows of one truth file that speak of one hospital."""
    rows = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return [row for row in rows if row["hospital"] == hospital]


def expected_facts(folder: Path, hospital: str) -> Counter[Fact]:
    """Each record that should be there, as often as it should."""
    visits = {row["visit_source_value"]: row["start_date"] for row in truth(folder, "visits", hospital)}
    found: Counter[Fact] = Counter()
    for row in truth(folder, "records", hospital):
        drug = row["cdm_table"] == "drug_exposure"
        found[
            row["cdm_table"], row["person_source_value"], visits.get(row["visit_source_value"]),
            row["standard_concept_id"] or 0, row["start_date"], None if drug else _moment(row["start_datetime"]),
            row["end_date"] if drug else None, _rounded(row["value_as_number"]),
            *[row[name] or 0 for name in VALUES[1:]],
            _rounded(row["quantity"]) if drug else None, row["days_supply"] if drug else None,
        ] += 1  # fmt: skip
    return found


def found_facts(snapshot: Path) -> Counter[Fact]:
    """Each record of the snapshot."""
    return Counter(_facts(snapshot))


def _facts(snapshot: Path) -> Iterator[Fact]:
    persons = {row["person_id"]: row["person_source_value"] for row in rows(snapshot, "person")}
    visits = {row["visit_occurrence_id"]: row["visit_start_date"] for row in rows(snapshot, "visit_occurrence")}
    for table, (concept, day, moment, end) in COLUMNS.items():
        for row in rows(snapshot, table):
            drug = table == "drug_exposure"
            yield (
                table, persons[row["person_id"]], visits.get(row["visit_occurrence_id"]), row[concept] or 0,
                row[day], None if drug else _moment(row[moment]), row[end] if end else None,
                _rounded(row.get("value_as_number")), *[row.get(name) or 0 for name in VALUES[1:]],
                _rounded(row["quantity"]) if drug else None, row["days_supply"] if drug else None,
            )  # fmt: skip


def rows(snapshot: Path, table: str) -> list[Record]:
    """The rows of one table of a snapshot."""
    return pq.read_table(snapshot / table).to_pylist()  # type: ignore[no-any-return]


def _moment(moment: datetime | None) -> datetime | None:
    """None at midnight, which is how the CDM writes a day without a time."""
    return moment if moment and moment.time() != time() else None


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)
