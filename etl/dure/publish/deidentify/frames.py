"""The published form of each table as a frame over the snapshot and the crosswalk; nothing is collected here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from dure.cdm.conform import conform
from dure.cdm.schema import table as cdm_table
from dure.publish.deidentify.common_texts import write_common
from dure.publish.deidentify.pseudonyms import SITE
from dure.publish.deidentify.records import published_event_id, published_id, table_named
from dure.publish.deidentify.treatment import OWNED, WHOLE, Kind, TableTreatment
from dure.publish.profile import Profile

# Whose secret makes these ids: nobody's, so the site's.
_OF_THE_SITE = {"provider_id": "provider", "care_site_id": "care_site"}
_EVENTS = {
    "measurement_event_id": "meas_event_field_concept_id",
    "observation_event_id": "obs_event_field_concept_id",
    "note_event_id": "note_event_field_concept_id",
    "event_id": "episode_event_field_concept_id",
}
_POINTS_AT = {"note_id": "note", "episode_parent_id": "episode"}
_BORN = {"year_of_birth": "c_year", "month_of_birth": "c_month", "day_of_birth": "c_day", "birth_datetime": "c_born"}
LOCATION = "location"


@dataclass(frozen=True)
class Named:
    """How rows of the snapshot name other tables: `fields` and `domain_concepts` by concept, `domains` by text."""

    fields: Mapping[int, str] = field(default_factory=dict)
    domain_concepts: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Copying:
    """What all tables of one publication share. `work` takes what must be counted before a frame can be built."""

    session: SparkSession
    snapshot: Path
    work: Path
    profile: Profile
    plan: Mapping[str, TableTreatment]
    rolled: Mapping[int, int]
    named: Named
    rows: Mapping[str, int]

    def read(self, table: str) -> DataFrame:
        return self.session.read.parquet(str(self.snapshot / table))

    @property
    def crosswalk(self) -> DataFrame:
        frame = self.session.read.parquet(str(self.work / "crosswalk"))
        return frame.select(*[F.col(name).alias(f"c_{name}") for name in frame.columns])

    @property
    def site_secret(self) -> DataFrame:
        return self.crosswalk.where(F.col("c_person_id") == SITE).select(F.col("c_secret").alias("site_secret"))


def published(copying: Copying, name: str) -> DataFrame:
    """One row a row of the table that leaves; rows of persons that the crosswalk lacks are not in it."""
    treated, cdm = copying.plan[name], cdm_table(name)
    frame = copying.read(name)
    if name in WHOLE:
        if name == "source_to_concept_map":
            frame = _without_rare(copying, frame)
        return conform(frame, name, {column: F.col(column) for column in cdm.names})
    if name == LOCATION:
        return _locations(copying)
    if name == "fact_relationship":
        return _facts(copying, frame)
    if name in OWNED:
        frame = _owned(copying, name, frame)
    if "person_id" in frame.columns:
        frame = frame.join(
            copying.crosswalk.where(F.col("c_person_id") != SITE), F.col("person_id") == F.col("c_person_id")
        )
    if {"provider_id", "care_site_id"} & set(frame.columns):
        frame = frame.crossJoin(copying.site_secret)
    if "location_id" in cdm.names:
        frame = frame.join(_places(copying), F.col("location_id") == F.col("place_id"), "left")
    frame, codes = _codes(copying, frame, treated)
    frame, texts = _common(copying, frame, name, treated, codes)
    made = {column: _made(copying, name, column, kind, codes, texts) for column, kind in treated.columns.items()}
    whole = conform(frame, name, made)
    era = next((c for c in codes if name.endswith("_era") and not c.endswith("_source_concept_id")), None)
    return whole.where(F.col(era) != 0) if era else whole


def _made(
    copying: Copying, table: str, column: str, kind: Kind, codes: Mapping[str, Column], texts: Mapping[str, Column]
) -> Column:
    match kind:
        case Kind.PSEUDONYM:
            return F.col("c_pseudonym")
        case Kind.RECORD:
            return _record(copying, table, column)
        case Kind.DATE:
            return _moved(table, column)
        case Kind.BIRTH:
            return F.col(_BORN[column])
        case Kind.CODE:
            return codes[column]
        case Kind.COMMON:
            return texts[column]
        case Kind.KEPT | Kind.SCRUBBED:
            return F.col(column)
    return F.lit(None)


def _record(copying: Copying, table: str, column: str) -> Column:
    record = F.col(column)
    if column in _OF_THE_SITE:
        return published_id(F.col("site_secret"), _OF_THE_SITE[column], record)
    if column == "location_id":
        return F.col("place_new_id")
    if column in _EVENTS:
        kind = table_named(F.col(_EVENTS[column]), copying.named.fields)
        return published_event_id(F.col("c_secret"), kind, record)
    if column == "cost_event_id":
        return published_event_id(F.col("c_secret"), F.col("owner_table"), record)
    declared = cdm_table(table)[column]
    target = (
        table if declared.primary_key else (declared.references or "").split(".")[0] or _POINTS_AT.get(column, column)
    )
    return published_id(F.col("c_secret"), target, record)


def _moved(table: str, column: str) -> Column:
    """The date or datetime moved back, not before the year that the person's birth shows."""
    if isinstance(cdm_table(table)[column].spark, T.DateType):
        moved: Column = F.date_sub(F.col(column), F.col("c_shift"))
        earliest = F.col("c_earliest")
    else:
        moved = F.col(column) - F.make_dt_interval(F.col("c_shift"))
        earliest = F.col("c_earliest").cast("timestamp_ntz")
    return F.when(F.col(column).isNotNull(), F.greatest(moved, earliest))


def _codes(copying: Copying, frame: DataFrame, treated: TableTreatment) -> tuple[DataFrame, dict[str, Column]]:
    """The frame with the target of each rare code, and the expression of each code column."""
    columns = treated.of_kind(Kind.CODE)
    made: dict[str, Column] = {column: F.col(column) for column in columns}
    if not copying.rolled:
        return frame, made
    listed = sorted(copying.rolled.items())
    for place, column in enumerate(columns):
        rare = copying.session.createDataFrame(listed, f"rare_{place} int, rolled_{place} int")
        frame = frame.join(F.broadcast(rare), F.col(column) == F.col(f"rare_{place}"), "left")
        # A source concept is told by nothing but itself: it goes.
        target = F.lit(0) if column.endswith("_source_concept_id") else F.col(f"rolled_{place}")
        made[column] = F.when(F.col(f"rare_{place}").isNotNull(), target).otherwise(F.col(column))
    return frame, made


def _common(
    copying: Copying, frame: DataFrame, name: str, treated: TableTreatment, codes: Mapping[str, Column]
) -> tuple[DataFrame, dict[str, Column]]:
    """The frame with the values that enough persons have, and the expression of each text column."""
    made: dict[str, Column] = {}
    person = "person_id" if "person_id" in cdm_table(name).names else None
    # Of a table that names no person, a value tells of no person.
    k = copying.profile.persons_a_code if person else 1
    for column in treated.of_kind(Kind.COMMON):
        source = copying.read(name)
        common = write_common(source, column, person, k, copying.work / "common" / name / column)
        frame = frame.join(F.broadcast(common), F.col(column) == F.col(f"{column}__common"), "left")
        shown = F.col(f"{column}__common")
        role = column.removesuffix("_source_value")
        changed = [codes[c] != F.col(c) for c in (f"{role}_concept_id", f"{role}_source_concept_id") if c in codes]
        for each in changed if copying.rolled else ():
            shown = F.when(F.coalesce(each, F.lit(False)), F.lit(None)).otherwise(shown)
        made[column] = shown
    return frame, made


def _without_rare(copying: Copying, frame: DataFrame) -> DataFrame:
    """The map without the codes that too few persons have: that somebody has one would show."""
    if not copying.rolled:
        return frame
    rare = copying.session.createDataFrame([(concept,) for concept in sorted(copying.rolled)], "rare_id int")
    for column in ("target_concept_id", "source_concept_id"):
        frame = frame.join(F.broadcast(rare), F.col(column) == F.col("rare_id"), "left_anti")
    return frame


def _owned(copying: Copying, name: str, frame: DataFrame) -> DataFrame:
    """The frame with the person whose record each row belongs to; rows without one are left out."""
    if name == "cost":
        owners = _owners(copying, {table: d for d, tables in copying.named.domains.items() for table in tables})
        here = (F.col("cost_domain_id") == F.col("owner_domain")) & (F.col("cost_event_id") == F.col("owner_id"))
        return frame.join(owners.withColumnRenamed("owner_person", "person_id"), here)
    parent = OWNED[name]
    key = f"{parent}_id"
    owner = copying.read(parent).select(F.col(key).alias("owner_id"), "person_id")
    return frame.join(owner, F.col(key) == F.col("owner_id"))


def _owners(copying: Copying, domain_of: Mapping[str, object]) -> DataFrame:
    """One row a record that others point at: its domain, id, table and person."""
    frames = []
    for table, domain in domain_of.items():
        cdm = cdm_table(table)
        if not copying.rows.get(table) or "person_id" not in cdm.names or copying.plan[table].left_out:
            continue
        frames.append(
            copying.read(table).select(
                F.lit(domain).alias("owner_domain"),
                F.col(str(cdm.primary_key)).alias("owner_id"),
                F.lit(table).alias("owner_table"),
                F.col("person_id").alias("owner_person"),
            )
        )
    if not frames:
        kind = "int" if domain_of and isinstance(next(iter(domain_of.values())), int) else "string"
        return copying.session.createDataFrame(
            [], f"owner_domain {kind}, owner_id bigint, owner_table string, owner_person bigint"
        )
    return reduce(DataFrame.unionByName, frames)


def _facts(copying: Copying, frame: DataFrame) -> DataFrame:
    """fact_relationship, of the rows both of whose facts leave."""
    owners = _owners(copying, {table: c for c, tables in copying.named.domain_concepts.items() for table in tables})
    people = copying.crosswalk.where(F.col("c_person_id") != SITE)
    ids = owners.join(people, F.col("owner_person") == F.col("c_person_id"))
    is_person = F.col("owner_table") == "person"
    new = F.when(is_person, F.col("c_pseudonym")).otherwise(
        published_event_id(F.col("c_secret"), F.col("owner_table"), F.col("owner_id"))
    )
    ids = ids.select("owner_domain", "owner_id", new.alias("new_id"))
    for n in (1, 2):
        side = ids.select(*[F.col(column).alias(f"{column}_{n}") for column in ids.columns])
        here = (F.col(f"domain_concept_id_{n}") == F.col(f"owner_domain_{n}")) & (
            F.col(f"fact_id_{n}") == F.col(f"owner_id_{n}")
        )
        frame = frame.join(side, here)
    kept: dict[str, Column] = {name: F.col(name) for name in cdm_table("fact_relationship").names}
    return conform(frame, "fact_relationship", kept | {f"fact_id_{n}": F.col(f"new_id_{n}") for n in (1, 2)})


def _places(copying: Copying) -> DataFrame:
    """One row a location of the snapshot: its province where enough persons live in it, and the id of that province."""
    location = copying.read(LOCATION).select(F.col("location_id").alias("place_id"), "state", "country_concept_id")
    province = F.lit(None).cast("string")
    if copying.profile.place == "province":
        lives = copying.read("person").select("person_id", F.col("location_id").alias("home_id"))
        homes = location.join(lives, F.col("place_id") == F.col("home_id")).groupBy(
            F.col("state").alias("common_state")
        )
        counted = homes.agg(F.countDistinct("person_id").alias("persons"))
        common = counted.where(F.col("persons") >= copying.profile.persons_a_code).select("common_state")
        location = location.join(common, F.col("state") == F.col("common_state"), "left")
        province = F.col("common_state")
    named = location.crossJoin(copying.site_secret).select(
        "place_id",
        province.alias("place_state"),
        "country_concept_id",
        F.col("site_secret").alias("place_secret"),
    )
    text = F.concat_ws(
        "|", F.coalesce("place_state", F.lit("")), F.coalesce(F.col("country_concept_id").cast("string"), F.lit(""))
    )
    return named.select(
        "place_id",
        "place_state",
        F.col("country_concept_id").alias("place_country"),
        published_id(F.col("place_secret"), LOCATION, text).alias("place_new_id"),
    )


def _locations(copying: Copying) -> DataFrame:
    """One row a province (and one for all other places), not one an address."""
    distinct = _places(copying).select("place_new_id", "place_state", "place_country").distinct()
    made = {
        "location_id": F.col("place_new_id"),
        "state": F.col("place_state"),
        "country_concept_id": F.col("place_country"),
    }
    return conform(distinct, LOCATION, made)
