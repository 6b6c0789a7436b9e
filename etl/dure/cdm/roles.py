"""The keys that a spec entry of each CDM table takes, derived from the CDM's own columns.

`X_concept_id` with its `X_source_value` and `X_source_concept_id` is one *role* X, named without the table's prefix; the
table's own concept is `code`; ids of other tables are references; dates are `start` and `end`; everything else keeps
its CDM name. A role is also what a row keeps when it moves to another table: `unit` stays `unit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from pyspark.sql import types as T

from dure.cdm.schema import Column, table

# CDM table -> the prefix of its own columns; the order is the one in which tables are built.
PREFIXES = {
    "location": "location",
    "care_site": "care_site",
    "provider": "provider",
    "person": "person",
    "death": "death",
    "visit_occurrence": "visit",
    "visit_detail": "visit_detail",
    "condition_occurrence": "condition",
    "drug_exposure": "drug",
    "procedure_occurrence": "procedure",
    "device_exposure": "device",
    "measurement": "measurement",
    "observation": "observation",
    "specimen": "specimen",
    "note": "note",
    "note_nlp": "note_nlp",
    "episode": "episode",
    "episode_event": "episode_event",
    "payer_plan_period": "payer_plan_period",
    "cost": "cost",
    "fact_relationship": "fact_relationship",
}

REFERENCES = {
    "person_id": "person",
    "visit_occurrence_id": "visit",
    "visit_detail_id": "visit_detail",
    "provider_id": "provider",
    "care_site_id": "care_site",
    "location_id": "location",
    "parent_visit_detail_id": "parent",
    "note_id": "note",
    "episode_id": "episode",
}

# The table that each reference points at.
REFERENCE_TABLES = {
    "person": "person",
    "visit": "visit_occurrence",
    "visit_detail": "visit_detail",
    "provider": "provider",
    "care_site": "care_site",
    "location": "location",
    "parent": "visit_detail",
    "specimen": "specimen",
    "note": "note",
    "episode": "episode",
}

# The tables that rows of other tables name, in the order in which they name each other.
REFERRED_TO = tuple(name for name in PREFIXES if name in REFERENCE_TABLES.values())

# Columns that Dure fills itself, from other rows or other columns.
_DERIVED = frozenset(
    {
        "preceding_visit_occurrence_id",
        "preceding_visit_detail_id",
        "payer_plan_period_id",
        "measurement_time",
        "episode_parent_id",
    }
)

_REQUIRED = {
    "condition_occurrence": ("code", "start"),
    "drug_exposure": ("code", "start"),
    "procedure_occurrence": ("code", "start"),
    "device_exposure": ("code", "start"),
    "measurement": ("code", "start"),
    "observation": ("code", "start"),
    "specimen": ("code", "start"),
    "visit_occurrence": ("person", "code", "start"),
    "visit_detail": ("visit", "code", "start"),
    "person": ("birth", "gender"),
    "death": ("person", "start"),
    "payer_plan_period": ("person", "start", "end"),
    "note": ("start", "class", "note_text"),
    "note_nlp": ("note", "code", "start", "lexical_variant"),
    "episode": ("person", "code", "start", "object"),
    "episode_event": ("episode", "event"),
    "cost": ("event",),
    "fact_relationship": ("fact_1", "fact_2", "relationship"),
}


@dataclass(frozen=True)
class Role:
    """One key of a spec entry.

    `kind` says how its value is read: ref, coded, type, moment, end, birth, value, event, number, text, relationship.
    `columns` maps each part that the role fills (`concept_id`, `date`, …) to the CDM column.
    """

    name: str
    kind: str
    required: bool = False
    columns: dict[str, str] = field(default_factory=dict)


def spec_tables() -> tuple[str, ...]:
    """The CDM tables that a spec entry may fill, in the order in which they are built."""
    return tuple(PREFIXES)


@cache
def roles(table_name: str) -> dict[str, Role]:
    """The roles of one CDM table by name, in the order of the CDM's columns."""
    if table_name == "fact_relationship":
        return {
            "fact_1": Role("fact_1", "event", True, {"domain": "domain_concept_id_1", "id": "fact_id_1"}),
            "fact_2": Role("fact_2", "event", True, {"domain": "domain_concept_id_2", "id": "fact_id_2"}),
            "relationship": Role("relationship", "relationship", True, {"concept_id": "relationship_concept_id"}),
        }
    found: dict[str, tuple[str, dict[str, str]]] = {}
    columns = table(table_name).columns
    coded = {_bare(table_name, c.name[: -len("_concept_id")]) for c in columns if _is_coded(table_name, c)}
    for column in columns:
        place = _place(table_name, column, coded)
        if place:
            role, kind, part = place
            found.setdefault(role, (kind, {}))[1][part] = column.name
    if table_name == "specimen":
        found["visit"] = ("ref", {})  # no CDM column: only where the person is found
    if table_name == "drug_exposure":
        found["daily_dose"] = ("number", {})  # no CDM column: only how long a quantity lasts
    if table_name == "measurement":
        found["range"] = ("text", {})  # '3.5-5.1' in one column, split into range_low and range_high
    required = _REQUIRED.get(table_name, ())
    return {name: Role(name, kind, name in required, parts) for name, (kind, parts) in found.items()}


def _bare(table_name: str, name: str) -> str:
    prefix = PREFIXES[table_name]
    return name[len(prefix) + 1 :] if name.startswith(prefix + "_") else name


def _is_coded(table_name: str, column: Column) -> bool:
    name = column.name
    return (
        name.endswith("_concept_id")
        and not name.endswith(("_type_concept_id", "_source_concept_id", "_field_concept_id"))
        and not name.startswith("value_as_")
        and name != PREFIXES[table_name] + "_concept_id"
        and (table_name, name) != ("measurement", "operator_source_concept_id")
    )


def _place(table_name: str, column: Column, coded: set[str]) -> tuple[str, str, str] | None:
    """(role, kind, part) of one CDM column, or None where Dure fills it without the spec."""
    name, prefix = column.name, PREFIXES[table_name]
    short = _bare(table_name, name)
    if name in _DERIVED or name == f"{table_name}_id" or name == f"{prefix}_id":
        return (REFERENCES[name], "ref", "id") if table_name == "death" and name in REFERENCES else None
    if name in REFERENCES:
        return REFERENCES[name], "ref", "id"
    if name.endswith("_type_concept_id"):
        return "type_concept_id", "type", "concept_id"
    if name.endswith("_event_id") or name == "event_id":
        return "event", "event", "id"
    if name.endswith("_event_field_concept_id"):
        return "event", "event", "field_concept_id"
    if name == "cost_domain_id":
        return "event", "event", "domain"
    if name.startswith("value_") and table_name in ("measurement", "observation"):
        return "value", "value", name
    if name == f"{prefix}_concept_id":
        return "code", "coded", "concept_id"
    if name == f"{prefix}_source_concept_id":
        return "code", "coded", "source_concept_id"
    if name == f"{prefix}_source_value":
        return "source_value", "text", "value"
    if _is_coded(table_name, column):
        return short[: -len("_concept_id")], "coded", "concept_id"
    if name.endswith("_source_concept_id"):
        return short[: -len("_source_concept_id")], "coded", "source_concept_id"
    if name.endswith("_source_value") and short[: -len("_source_value")] in coded:
        return short[: -len("_source_value")], "coded", "source_value"
    if table_name == "person" and name in ("year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime"):
        return "birth", "birth", name
    if isinstance(column.spark, T.DateType | T.TimestampNTZType):
        part = "date" if isinstance(column.spark, T.DateType) else "datetime"
        if "verbatim" in name:
            return name, "moment", part
        return ("end", "end", part) if "end" in short.split("_") else ("start", "moment", part)
    return name, ("text" if isinstance(column.spark, T.StringType) else "number"), "value"
