"""Who is in an extract, and each table of it, as frames over the deliveries; nothing is collected here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from dure.cdm.schema import table as cdm_table
from dure.center.extract.given import PERSON, Given, given_tables, is_moment, is_record
from dure.center.extract.pseudonyms import SITE
from dure.center.extract.request import Request
from dure.publish.deidentify.records import published_id

# Records of nobody, or of a place: their new ids come from the hospital's own secret.
_OF_THE_SITE = {"provider_id": "provider", "care_site_id": "care_site", "location_id": "location"}
_POINTS_AT = {
    "preceding_visit_occurrence_id": "visit_occurrence",
    "preceding_visit_detail_id": "visit_detail",
    "parent_visit_detail_id": "visit_detail",
    "episode_parent_id": "episode",
}


@dataclass(frozen=True)
class Source:
    """One delivery that is read: `rows` by table, and the pseudonyms of persons who have withdrawn."""

    site: str
    folder: Path
    rows: Mapping[str, int]
    withdrawn: Sequence[int]


@dataclass(frozen=True)
class Extracting:
    """What all tables of one extract share; `sets` holds one folder a concept set."""

    session: SparkSession
    request: Request
    sources: Sequence[Source]
    sets: Path

    def read(self, source: Source, table: str) -> DataFrame | None:
        """A table of a delivery; None where it has no row, for which an engine may have written no file."""
        return self.session.read.parquet(str(source.folder / table)) if source.rows.get(table) else None

    def concepts(self, name: str) -> DataFrame:
        return self.session.read.parquet(str(self.sets / name))


def chosen_persons(extracting: Extracting) -> DataFrame:
    """One row a person of a hospital, (site, person_id), who has a record of every set asked for in the period."""
    frames = [
        persons.select(F.lit(source.site).alias("site"), PERSON)
        for source in extracting.sources
        if (persons := _persons(extracting, source)) is not None
    ]
    if not frames:
        return extracting.session.createDataFrame([], "site string, person_id bigint")
    return reduce(DataFrame.unionByName, frames)


def with_sites(chosen: DataFrame, extracting: Extracting) -> DataFrame:
    """The persons chosen and a row for each hospital itself."""
    sites = extracting.session.createDataFrame(
        [(source.site, SITE) for source in extracting.sources], "site string, person_id bigint"
    )
    return chosen.unionByName(sites)


def extracted(extracting: Extracting, name: str, crosswalk: DataFrame) -> DataFrame | None:
    """One row a row of the table that is given; None where no delivery has one."""
    frames = [
        frame for source in extracting.sources if (frame := _of_source(extracting, source, name, crosswalk)) is not None
    ]
    return reduce(DataFrame.unionByName, frames) if frames else None


def _persons(extracting: Extracting, source: Source) -> DataFrame | None:
    person = extracting.read(source, "person")
    if person is None:
        return None
    asked = extracting.request.persons
    if asked.born:
        person = person.where(F.col("year_of_birth").between(asked.born.start, asked.born.end))
    if asked.sex:
        person = person.where(F.col("gender_concept_id").isin(*asked.sex))
    found = person.select(PERSON)
    for place, name in enumerate(asked.having):
        bearers = _bearers(extracting, source, name)
        if bearers is None:
            return None
        key = f"bearer_{place}"
        found = found.join(bearers.withColumnRenamed(PERSON, key), F.col(PERSON) == F.col(key), "left_semi")
    if source.withdrawn:
        gone = extracting.session.createDataFrame([(each,) for each in source.withdrawn], "gone_id bigint")
        found = found.join(gone, F.col(PERSON) == F.col("gone_id"), "left_anti")
    return found.distinct()


def _bearers(extracting: Extracting, source: Source, name: str) -> DataFrame | None:
    """One row a person with a record of the set in the period, in whatever table."""
    frames = []
    for given in given_tables().values():
        frame = extracting.read(source, given.table) if given.concept else None
        if frame is not None:
            frame = _in_period(frame, given, extracting.request)
            frames.append(_of_sets(extracting, frame, given, (name,)).select(PERSON))
    return reduce(DataFrame.unionByName, frames).distinct() if frames else None


def _in_period(frame: DataFrame, given: Given, request: Request) -> DataFrame:
    """Rows that begin in the period; of those that say from when to when somebody was seen, all that touch it."""
    first, last = F.lit(request.period.start), F.lit(request.period.end)
    if not given.start:
        return frame
    if given.end:
        return frame.where((F.col(given.start) <= last) & (F.col(given.end) >= first))
    # An era's start is a datetime in the CDM.
    return frame.where(F.col(given.start).cast("date").between(first, last))


def _of_sets(extracting: Extracting, frame: DataFrame, given: Given, names: Sequence[str]) -> DataFrame:
    if not names:
        return frame
    wanted = reduce(DataFrame.unionByName, [extracting.concepts(name) for name in names]).distinct()
    return frame.join(F.broadcast(wanted), F.col(given.concept) == F.col("set_concept_id"), "left_semi")


def _of_source(extracting: Extracting, source: Source, name: str, crosswalk: DataFrame) -> DataFrame | None:
    frame = extracting.read(source, name)
    if frame is None:
        return None
    given, request = given_tables()[name], extracting.request
    frame = _of_sets(extracting, _in_period(frame, given, request), given, request.tables[name].concepts)
    own = crosswalk.where(F.col("site") == source.site)
    people = own.where(F.col(PERSON) != SITE).select(
        F.col(PERSON).alias("c_person_id"), F.col("new_id").alias("c_new_id"), F.col("secret").alias("c_secret")
    )
    frame = frame.join(people, F.col(PERSON) == F.col("c_person_id"))
    columns = request.columns(name)
    if set(columns) & _OF_THE_SITE.keys():
        frame = frame.crossJoin(own.where(F.col(PERSON) == SITE).select(F.col("secret").alias("site_secret")))
    return frame.select(*[_made(name, column, request).alias(column) for column in columns])


def _made(table: str, column: str, request: Request) -> Column:
    declared = cdm_table(table)[column]
    if column == PERSON:
        return F.col("c_new_id")
    if is_record(declared):
        if column in _OF_THE_SITE:
            return published_id(F.col("site_secret"), _OF_THE_SITE[column], F.col(column))
        target = table if declared.primary_key else (declared.references or "").split(".")[0]
        return published_id(F.col("c_secret"), _POINTS_AT.get(column, target or column), F.col(column))
    made = F.col(column)
    given = given_tables()[table]
    if given.end and column in (given.start, given.end):
        # Since when somebody was seen before the period is none of the project's business.
        made = (
            F.greatest(made, F.lit(request.period.start))
            if column == given.start
            else F.least(made, F.lit(request.period.end))
        )
    if is_moment(declared) and request.dates != "day":
        kind = "date" if isinstance(declared.spark, T.DateType) else "timestamp_ntz"
        made = F.trunc(made.cast("date"), request.dates).cast(kind)
    return made.cast(declared.spark)
