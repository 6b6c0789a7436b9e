"""What a project may be given: tables of persons, their columns, and the few that it gets unless it asks for others."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pyspark.sql import types as T

from dure.cdm.schema import Column, table
from dure.publish.profile import NEVER

PERSON = "person_id"
# Ids that say only together with another column which table they mean.
_POLYMORPHIC = frozenset({"measurement_event_id", "observation_event_id", "event_id"})
_DAY_OF_BIRTH = {"month": ("day_of_birth",), "year": ("day_of_birth", "month_of_birth")}


@dataclass(frozen=True)
class Given:
    """One table: its own concept and dates (empty where it has none), and the columns that it has unless asked otherwise."""

    table: str
    concept: str
    start: str
    end: str
    columns: tuple[str, ...]


@cache
def given_tables() -> Mapping[str, Given]:
    """By name, in the order of the CDM."""
    with Path(__file__).with_name("given.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["table"]: Given(
                row["table"], row["concept"], row["start"], row["end"], (PERSON, *row["columns"].split())
            )
            for row in csv.DictReader(file)
        }


def is_text(column: Column) -> bool:
    return isinstance(column.spark, T.StringType)


def is_moment(column: Column) -> bool:
    return isinstance(column.spark, T.DateType | T.TimestampNTZType)


def is_record(column: Column) -> bool:
    return isinstance(column.spark, T.LongType)


def refusal(name: str, column: str, dates: str, texts: bool) -> tuple[str, str] | None:
    """Why a column of a table is not given (what was found, what to do); None where it is."""
    where = f"{name}.{column}"
    if where in NEVER or "note" in column:
        return f"{where} may name a person or a place", "no project is given it: remove the line"
    if column in _POLYMORPHIC:
        return f"{where} is the id of a record of a table that only the row knows", "remove the line"
    if is_text(table(name)[column]) and not texts:
        do = "it needs `source_values: kept`, and an approval that says `source_values: true`"
        return f"{where} is text of the hospital", do
    if column in _DAY_OF_BIRTH.get(dates, ()):
        return f"{where} tells more than `dates: {dates}`", "remove the line"
    return None
