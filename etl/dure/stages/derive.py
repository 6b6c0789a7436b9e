"""Derived tables: observation periods and eras from the tables written before, and what Dure says of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from dure.cdm.schema import table as cdm_table
from dure.derive import condition_era, dose_era, drug_era, drugs, observation_period
from dure.derive.era_spans import partitions_for
from dure.progress import Progress
from dure.stages.ids import refuse
from dure.stages.parallel import each
from dure.stages.tables import read_tables, write_table
from dure.vocab import VocabularyStore


@dataclass
class Derived:
    """Rows of the derived tables, and what fed none: persons, exposures without an ingredient, doses not to be told."""

    tables: dict[str, int] = field(default_factory=dict)
    persons_without_period: int = 0
    without_era: dict[str, int] = field(default_factory=dict)
    without_dose: dict[str, int] = field(default_factory=dict)


def derive(
    session: SparkSession,
    cdm: Path,
    written: Mapping[str, int],
    store: VocabularyStore,
    site: str,
    as_of: date,
    policy: str,
    parallelism: int,
    progress: Progress,
) -> Derived:
    """Writes observation_period and the eras into `cdm`; a table without rows is left to be written empty.

    `policy` is the site's for observation periods: events or enrolment.
    """
    tables = read_tables(session, cdm, written)
    made = Derived()
    builds: dict[str, Callable[[], DataFrame | None]] = {}
    if "person" in tables:
        builds["observation_period"] = lambda: _periods(tables, site, as_of, policy)
    conditions = tables.get("condition_occurrence")
    if conditions is not None:
        parts = partitions_for(written["condition_occurrence"], parallelism)
        builds["condition_era"] = lambda: condition_era.build(conditions, site, parts)
    exposures = tables.get("drug_exposure")
    if exposures is not None:
        known = drugs.look_up(drugs.used_drugs(exposures).toArrow(), store)
        made.without_era = {str(why): n for why, n in sorted(known.without_era.items()) if n}
        made.without_dose = {str(why): n for why, n in sorted(known.without_dose.items()) if n}
        portions = partitions_for(written["drug_exposure"], parallelism)
        builds["drug_era"] = lambda: drug_era.build(exposures, known, site, portions)
        builds["dose_era"] = lambda: dose_era.build(exposures, known, site, portions)

    def write(table: str) -> tuple[str, int]:
        started = time.monotonic()
        frame = builds[table]()
        rows = write_table(frame, table, cdm / table) if frame is not None else 0
        refuse(_sharing_ids(session, cdm / table, table, rows))
        progress.table(table, rows, time.monotonic() - started)
        return table, rows

    made.tables = {table: rows for table, rows in each(write, builds) if rows}
    observed = 0
    if "observation_period" in made.tables:
        periods = session.read.parquet(str(cdm / "observation_period"))
        observed = periods.select("person_id").distinct().count()
    made.persons_without_period = written.get("person", 0) - observed
    return made


def _sharing_ids(session: SparkSession, folder: Path, table: str, rows: int) -> dict[str, int]:
    """How many rows of a derived table share their id with another, by table; nothing salts these."""
    key = cdm_table(table).primary_key
    if rows < 2 or key is None:
        return {}
    ids = session.read.parquet(str(folder)).select(key).distinct().count()
    return {table: rows - ids} if ids < rows else {}


def _periods(tables: Mapping[str, DataFrame], site: str, as_of: date, policy: str) -> DataFrame | None:
    person = tables["person"]
    if policy == "enrolment":
        spans = tables.get("payer_plan_period")
        return None if spans is None else observation_period.from_enrolment(spans, person, site, as_of)
    return observation_period.from_events(tables, person, site, as_of)
