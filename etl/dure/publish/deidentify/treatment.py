"""What becomes of every column under a profile: data that the frames, the dry run and the comparison of checks share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pyspark.sql import types as T

from dure.cdm.roles import PREFIXES
from dure.cdm.schema import CdmTable, Column, site_tables, table
from dure.publish.profile import Profile

# Tables that say nothing of a person: they leave as they are. `concept` holds the site's own concepts alone.
WHOLE = frozenset({"cdm_source", "metadata", "source_to_concept_map", "concept"})
# Tables without a person's column of their own: the record that a row points at says whose it is.
OWNED = {
    "note_nlp": "note",
    "episode_event": "episode",
    "cost": "cost_event_id",
    "fact_relationship": "fact_id_1",
}
NOTES = frozenset({"note", "note_nlp"})
_BIRTH = frozenset({"year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime"})
_ERAS = {"condition_era": "condition", "drug_era": "drug", "dose_era": "drug"}
_CODED = {
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "device_exposure",
    "measurement",
    "observation",
    "specimen",
    "note_nlp",
}
# Concepts that say as much of a person as a code does.
_AS_CODES = {
    "death": ("cause_concept_id", "cause_source_concept_id"),
    "measurement": ("value_as_concept_id",),
    "observation": ("value_as_concept_id", "qualifier_concept_id"),
    "episode": ("episode_object_concept_id", "episode_source_concept_id"),
}


class Kind(Enum):
    """What is done to a column; the value is what people read of it."""

    KEPT = "kept"
    DROPPED = "emptied"
    PSEUDONYM = "pseudonym"
    RECORD = "new record id"
    DATE = "moved by the person's weeks"
    BIRTH = "moved, and capped for the oldest"
    PROVINCE = "province, where enough persons live in it"
    COMMON = "emptied where too few persons have the value"
    CODE = "rare codes become an ancestor or 0"
    SCRUBBED = "scrubbed"


# What may change a value so that a check of the column counts differently.
CHANGING = frozenset({Kind.DROPPED, Kind.BIRTH, Kind.PROVINCE, Kind.COMMON, Kind.CODE, Kind.SCRUBBED})


@dataclass(frozen=True)
class TableTreatment:
    """One table: `left_out` says why no row of it leaves; `columns` what becomes of each column, in CDM order."""

    table: str
    left_out: str
    columns: Mapping[str, Kind]

    def of_kind(self, kind: Kind) -> list[str]:
        return [name for name, each in self.columns.items() if each is kind]


def treatments(profile: Profile) -> dict[str, TableTreatment]:
    """By table of a site's snapshot, its local concepts included."""
    return {name: _treatment(table(name), profile) for name in (*site_tables(), "concept")}


def code_columns(name: str) -> tuple[str, ...]:
    """The columns of a table whose rare values are rolled up: its codes, and what says as much."""
    prefix = _ERAS.get(name) or (PREFIXES[name] if name in _CODED else None)
    own = (f"{prefix}_concept_id", f"{prefix}_source_concept_id") if prefix else ()
    known = table(name).names
    return tuple(column for column in (*own, *_AS_CODES.get(name, ())) if column in known)


def _treatment(cdm: CdmTable, profile: Profile) -> TableTreatment:
    left_out = "the profile drops notes" if cdm.name in NOTES and profile.notes == "dropped" else ""
    return TableTreatment(cdm.name, left_out, {column.name: _kind(cdm, column, profile) for column in cdm.columns})


def _kind(cdm: CdmTable, column: Column, profile: Profile) -> Kind:
    name = column.name
    if cdm.name in WHOLE:
        return Kind.KEPT
    if name == "person_id":
        return Kind.PSEUDONYM
    if cdm.name == "person" and name in _BIRTH:
        return Kind.BIRTH
    if isinstance(column.spark, T.LongType):
        return Kind.RECORD
    if isinstance(column.spark, T.DateType | T.TimestampNTZType):
        return Kind.DATE
    if isinstance(column.spark, T.StringType):
        return _text_kind(cdm, name, profile)
    if name in code_columns(cdm.name):
        return Kind.CODE
    # A physician's birth and sex find a physician; places on a map find a house.
    of_provider = cdm.name == "provider" and name in ("year_of_birth", "gender_concept_id", "gender_source_concept_id")
    return Kind.DROPPED if of_provider or (cdm.name == "location" and name != "country_concept_id") else Kind.KEPT


def _text_kind(cdm: CdmTable, name: str, profile: Profile) -> Kind:
    if cdm.name == "location":
        return Kind.PROVINCE if name == "state" and profile.place == "province" else Kind.DROPPED
    if f"{cdm.name}.{name}" == "cost.cost_domain_id":
        return Kind.KEPT
    if profile.notes == "scrubbed" and f"{cdm.name}.{name}" in ("note.note_text", "note_nlp.lexical_variant"):
        return Kind.SCRUBBED
    if f"{cdm.name}.{name}" not in profile.texts:
        return Kind.DROPPED
    # A time of day is a part of a datetime, which is kept as exact.
    return Kind.KEPT if name == "measurement_time" else Kind.COMMON
