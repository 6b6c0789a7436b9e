"""Our own checks, and the whole catalogue: those that look where DataQualityDashboard does not.

`suites/own/instances.csv` holds a line a check, or a line for all fields or tables of a kind (`over`), which the CDM's
schema then names. Their ids begin with `dure_`. Checks of the whole snapshot stand under the table `snapshot`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from pyspark.sql import types as T

from dure.cdm.schema import CdmTable, site_tables, tables
from dure.quality.catalogue import Check, CheckType, dqd_checks, read_types, rows

WHOLE_SNAPSHOT = "snapshot"
# Readers such as R hold these as double; 2^53 is the last integer before which none is lost.
JOINED_BY_READERS = frozenset({"person", "visit_occurrence", "provider", "care_site", "location"})
DOUBLE, BIGINT = str(2**53 - 1), str(2**63 - 1)


@cache
def catalogue() -> tuple[Check, ...]:
    """Every check: DataQualityDashboard's, then ours."""
    return (*dqd_checks(), *own_checks())


@cache
def own_types() -> Mapping[str, CheckType]:
    """Our check types by name."""
    return read_types("own/check_types.csv")


@cache
def own_checks() -> tuple[Check, ...]:
    """Every instance of our own checks."""
    return tuple(_check(row, *place) for row in rows("own/instances.csv") for place in _places(row))


def event_date(table: CdmTable) -> str | None:
    """The day of a table's events: its first date field; None where its rows are no events of a person."""
    if "person_id" not in table.names or table.name in ("person", "payer_plan_period"):
        return None
    return next((column.name for column in table.columns if isinstance(column.spark, T.DateType)), None)


def _check(row: Mapping[str, str], table: str, field: str, highest: str) -> Check:
    kind = own_types()[row["check"]]
    parts = ["dure", kind.name, "" if table == WHOLE_SNAPSHOT else table, field, row["domain"], row["sex"]]
    given = {**no_needs(), **row, "table": table, "field": field, "highest": highest}
    return Check(
        id="_".join(part for part in parts if part).lower(),
        type=kind,
        table=table,
        field=field or None,
        concept_ids=tuple(int(part) for part in row["concept_ids"].split()),
        threshold=float(row["threshold"]),
        given=given,
    )


@cache
def no_needs() -> dict[str, str]:
    """What a check is given that needs nothing."""
    return dict.fromkeys(dqd_checks()[0].given, "")


def _places(row: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(table, field, highest value) of each check that a line stands for."""
    if row["over"]:
        yield from _OVER[row["over"]]()
    else:
        yield row["table"], row["field"], row["highest"]


def _site_tables() -> Iterator[CdmTable]:
    return (tables()[name] for name in site_tables())


def _tables() -> Iterator[tuple[str, str, str]]:
    return ((table.name, "", "") for table in _site_tables())


def _bigint_fields() -> Iterator[tuple[str, str, str]]:
    """64-bit fields that DataQualityDashboard's check of integers leaves out."""
    theirs = {(check.table, check.field) for check in dqd_checks() if check.type.name == "cdmDatatype"}
    for table in _site_tables():
        for column in table.columns:
            if isinstance(column.spark, T.LongType) and (table.name, column.name) not in theirs:
                yield table.name, column.name, ""


def _keys() -> Iterator[tuple[str, str, str]]:
    for table in _site_tables():
        key = table.primary_key
        if key and isinstance(table[key].spark, T.LongType):
            yield table.name, key, DOUBLE if table.name in JOINED_BY_READERS else BIGINT


def _keys_without_a_check() -> Iterator[tuple[str, str, str]]:
    theirs = {(check.table, check.field) for check in dqd_checks() if check.type.name == "isPrimaryKey"}
    return ((table, key, "") for table, key, _ in _keys() if (table, key) not in theirs)


def _records_of_persons() -> Iterator[tuple[str, str, str]]:
    for table in _site_tables():
        if "person_id" in table.names and table.primary_key not in (None, "person_id"):
            yield table.name, str(table.primary_key), ""


def _text_fields() -> Iterator[tuple[str, str, str]]:
    for table in _site_tables():
        for column in table.columns:
            if isinstance(column.spark, T.StringType):
                yield table.name, column.name, ""


def _events() -> Iterator[tuple[str, str, str]]:
    for table in _site_tables():
        if (day := event_date(table)) and table.primary_key and not table.name.endswith(("_era", "_period")):
            yield table.name, day, ""


def _main_concepts() -> Iterator[tuple[str, str, str]]:
    """The first concept of each table of events: what its rows are about."""
    for name, _, _ in _events():
        named = (field for field in tables()[name].names if field.endswith("_concept_id"))
        yield name, next(field for field in named if not field.endswith("_type_concept_id")), ""


_OVER: Mapping[str, Callable[[], Iterator[tuple[str, str, str]]]] = {
    "tables": _tables,
    "bigint fields": _bigint_fields,
    "keys": _keys,
    "keys without a check": _keys_without_a_check,
    "records of persons": _records_of_persons,
    "text fields": _text_fields,
    "events": _events,
    "main concepts": _main_concepts,
}
