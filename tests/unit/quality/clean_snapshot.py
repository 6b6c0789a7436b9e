"""A small snapshot in which every check passes or has nothing to look at, and a vocabulary that fits it.

Each table has a row with every field filled and a row whose optional fields are all empty. `Planted` is a copy with
some tables changed; it counts again only what reads a changed table.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from dure.cdm.schema import CdmTable, Column, site_tables, tables
from dure.quality.catalogue import dqd_checks
from dure.quality.counting.outcome import Outcome
from dure.quality.counting.passes import TablePasses
from dure.quality.counting.profile import Before
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.own_catalogue import catalogue
from dure.quality.results import Result, results_of
from dure.vocab import VocabularyStore

Rows = dict[str, list[dict[str, Any]]]
TODAY = date(2026, 3, 15)
DAY = date(2020, 3, 1)
MALE, FEMALE = 8507, 8532
# Concepts that tests name. The source concept is of KCD and was valid from 2011 to 2025.
KCD, WITHDRAWN, OTHER_DOMAIN = 901, 902, 903
PREGNANCY, ECLAMPSIA = 444094, 904
TESTICULAR = 26662
HAEMOGLOBIN, GRAM_PER_DECILITRE, GRAM_PER_LITRE, LITRE = 3000963, 8713, 8636, 905
OUTPATIENT, INPATIENT = 9202, 9201
_PYARROW = {
    T.LongType(): pa.int64(),
    T.IntegerType(): pa.int32(),
    T.DoubleType(): pa.float64(),
    T.StringType(): pa.string(),
    T.DateType(): pa.date32(),
    T.TimestampNTZType(): pa.timestamp("us"),
}
# Fields whose value is not told by their type alone.
_VALUES: dict[str, Any] = {
    "gender_concept_id": MALE,
    "visit_concept_id": OUTPATIENT,
    "year_of_birth": 1980,
    "source_vocabulary_id": "KCD7",
    "target_vocabulary_id": "KCD7",
    "cdm_version": "v5.4",
    "cost_domain_id": "Condition",
    "birth_datetime": datetime.fromisoformat("1980-01-01"),
}
_COHORT: Rows = {
    "cohort": [{"cohort_definition_id": 1, "subject_id": 1, "cohort_start_date": DAY, "cohort_end_date": DAY}],
    "cohort_definition": [
        {
            "cohort_definition_id": 1,
            "cohort_definition_name": "당뇨",
            "cohort_definition_description": "당뇨",
            "definition_type_concept_id": 0,
            "cohort_definition_syntax": "",
            "subject_concept_id": 0,
            "cohort_initiation_date": DAY,
        }
    ],
}


def concepts() -> dict[tuple[str, str], int]:
    """A standard concept of each domain and class that a field of the CDM must have: (domain, class) -> id."""
    wanted = {_wanted(table, column.name) for table in tables().values() for column in table.columns}
    return {each: 1001 + i for i, each in enumerate(sorted(wanted))}


def _wanted(table: CdmTable, name: str) -> tuple[str, str]:
    own = [check for check in dqd_checks() if (check.table, check.field) == (table.name, name)]
    domain = next((check["fk_domain"] for check in own if check["fk_domain"]), "Metadata")
    return domain, next((check["fk_class"] for check in own if check["fk_class"]), "Clinical Finding")


def vocabulary(folder: Path) -> VocabularyStore:
    """A store with a concept of each kind, those that the tests name, and one line of ancestry."""
    named = [
        (0, "Metadata", "None", "Undefined", "", ""),
        (MALE, "Gender", "Gender", "Gender", "S", ""),
        (FEMALE, "Gender", "Gender", "Gender", "S", ""),
        (OUTPATIENT, "Visit", "Visit", "Visit", "S", ""),
        (INPATIENT, "Visit", "Visit", "Visit", "S", ""),
        (KCD, "Condition", "KCD7", "KCD7 code", "", ""),
        (WITHDRAWN, "Condition", "SNOMED", "Clinical Finding", "S", "D"),
        (OTHER_DOMAIN, "Relationship", "SNOMED", "Procedure", "S", ""),
        (PREGNANCY, "Condition", "SNOMED", "Clinical Finding", "S", ""),
        (ECLAMPSIA, "Condition", "SNOMED", "Clinical Finding", "S", ""),
        (TESTICULAR, "Condition", "SNOMED", "Clinical Finding", "S", ""),
        (HAEMOGLOBIN, "Measurement", "LOINC", "Lab Test", "S", ""),
        (GRAM_PER_DECILITRE, "Unit", "UCUM", "Unit", "S", ""),
        (GRAM_PER_LITRE, "Unit", "UCUM", "Unit", "S", ""),
        (LITRE, "Unit", "UCUM", "Unit", "S", ""),
        *((number, domain, "SNOMED", kind, "S", "") for (domain, kind), number in concepts().items()),
    ]
    columns = list(zip(*named, strict=True))
    count = len(named)
    store = {
        "CONCEPT": {
            "concept_id": pa.array(columns[0], pa.int32()),
            "concept_name": [f"개념 {number}" for number in columns[0]],
            "domain_id": columns[1],
            "vocabulary_id": columns[2],
            "concept_class_id": columns[3],
            "standard_concept": [value or None for value in columns[4]],
            "concept_code": [str(number) for number in columns[0]],
            "valid_start_date": [date(2011, 1, 1)] * count,
            "valid_end_date": [date(2025, 12, 31)] * count,
            "invalid_reason": pa.array([value or None for value in columns[5]], pa.string()),
        },
        "CONCEPT_ANCESTOR": {
            "ancestor_concept_id": pa.array([PREGNANCY, PREGNANCY, ECLAMPSIA], pa.int32()),
            "descendant_concept_id": pa.array([PREGNANCY, ECLAMPSIA, ECLAMPSIA], pa.int32()),
        },
        "VOCABULARY": {"vocabulary_id": ["KCD7"], "vocabulary_concept_id": pa.array([KCD], pa.int32())},
        "DOMAIN": {"domain_id": ["Condition"], "domain_concept_id": pa.array([0], pa.int32())},
    }
    folder.mkdir(parents=True)
    for name, table in store.items():
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
    drug_strength = tables()["drug_strength"]
    pq.write_table(_schema(drug_strength).empty_table(), folder / "DRUG_STRENGTH.parquet")
    return VocabularyStore(folder, "시험", "0" * 64, {})


def clean_rows() -> Rows:
    """The rows of every table.

    Person 1 is a man born on 1 January 1980, 2 a woman born in September 1980 who died in June 2020, 3 a man of whom
    only the year of birth is known. Person 3 has an observation period and nothing else.
    """
    known = concepts()
    rows: Rows = copy.deepcopy(_COHORT)
    for name in site_tables():
        table = tables()[name]
        filled = {column.name: _value(table, column, known) for column in table.columns}
        bare = {column.name: filled[column.name] if column.required else None for column in table.columns}
        rows[name] = [filled, bare | {each: 2 for each in _ids(table) if bare[each] is not None}]
    rows["person"].append(rows["person"][1] | {"person_id": 3})
    rows["person"][1] |= {"gender_concept_id": FEMALE, "month_of_birth": 9, "day_of_birth": 1}
    rows["observation_period"].append(rows["observation_period"][1] | {"observation_period_id": 3, "person_id": 3})
    rows["death"] = [rows["death"][0] | {"person_id": 2, "death_date": date(2020, 6, 1)}]
    rows["cdm_source"] = rows["cdm_source"][:1]
    return rows


def _ids(table: CdmTable) -> list[str]:
    return [column.name for column in table.columns if isinstance(column.spark, T.LongType)]


def _value(table: CdmTable, column: Column, known: Mapping[tuple[str, str], int]) -> Any:
    if column.name in _VALUES:
        return _VALUES[column.name]
    if column.name.endswith("source_concept_id"):
        return KCD
    if "concept_id" in column.name:
        return known[_wanted(table, column.name)]
    return {
        T.LongType(): 1,
        T.IntegerType(): 1,
        T.DoubleType(): 1.0,
        T.StringType(): "가나",
        T.DateType(): DAY,
        T.TimestampNTZType(): datetime.fromisoformat("2020-03-01T09:30"),
    }[column.spark]


def _schema(table: CdmTable) -> pa.Schema:
    return pa.schema([pa.field(column.name, _PYARROW[column.spark]) for column in table.columns])


def write(name: str, rows: list[dict[str, Any]] | pa.Table, folder: Path) -> Path:
    """Writes the rows of one table, typed by the CDM where it knows the table; a pyarrow table is written as it is."""
    folder.mkdir(parents=True)
    known = tables().get(name)
    if isinstance(rows, pa.Table):
        made = rows
    else:
        made = pa.Table.from_pylist(rows, _schema(known)) if known else pa.Table.from_pylist(rows)
    pq.write_table(made, folder / "part-0.parquet")
    return folder


@dataclass(frozen=True)
class Overlaid(CheckedSnapshot):
    """A snapshot some of whose tables lie elsewhere (None: nowhere), that remembers which tables were looked at."""

    instead: Mapping[str, Path | None] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)

    def path(self, table: str) -> Path | None:
        self.looked_at.add(table)
        return self.instead[table] if table in self.instead else super().path(table)


@dataclass
class Clean:
    """The clean snapshot on disk, with the outcome of every check and the tables that the checks of a table read."""

    session: SparkSession
    folder: Path
    store: VocabularyStore
    rows: Rows
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reads: dict[str, set[str]] = field(default_factory=dict)
    planted: int = 0

    def count(self) -> None:
        """Counts every check on the clean snapshot."""
        for table in _tables_of_checks():
            snapshot = Overlaid(self.session, self.folder, self.store, TODAY)
            self.outcomes |= _counted(snapshot, table)
            self.reads[table] = snapshot.looked_at

    def results(self) -> list[Result]:
        return results_of(catalogue(), self.outcomes)

    def plant(
        self,
        defect: Callable[[Rows], object],
        *,
        before: Before | None = None,
        reports: Path | None = None,
        also: frozenset[str] = frozenset(),
    ) -> tuple[list[Result], Overlaid]:
        """The results on a copy to which `defect` was done; `also` are tables to count although no row changed."""
        rows: dict[str, Any] = copy.deepcopy(self.rows)
        defect(rows)
        self.planted += 1
        instead: dict[str, Path | None] = {name: None for name in self.rows if name not in rows}
        for name, table in rows.items():
            if isinstance(table, pa.Table) or table != self.rows[name]:
                instead[name] = write(name, table, self.folder.parent / f"planted-{self.planted}" / name)
        snapshot = Overlaid(self.session, self.folder, self.store, TODAY, reports, before, instead=instead)
        outcomes = dict(self.outcomes)
        for table, read in self.reads.items():
            if table in also or read & instead.keys():
                outcomes |= _counted(snapshot, table)
        return results_of(catalogue(), outcomes), snapshot


def _tables_of_checks() -> list[str]:
    return sorted({check.table for check in catalogue()})


def _counted(snapshot: CheckedSnapshot, table: str) -> dict[str, Outcome]:
    passes = TablePasses(snapshot, table, [check for check in catalogue() if check.table == table])
    outcomes: dict[str, Outcome] = {}
    for name in passes.by_pass:
        outcomes |= passes.count(name)
    return outcomes


def clean_snapshot(session: SparkSession, folder: Path) -> Clean:
    """The clean snapshot in `folder`, counted."""
    rows = clean_rows()
    for name, table in rows.items():
        write(name, table, folder / "cdm" / name)
    clean = Clean(session, folder / "cdm", vocabulary(folder / "vocab"), rows)
    clean.count()
    return clean
