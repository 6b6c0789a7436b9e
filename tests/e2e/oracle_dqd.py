"""DataQualityDashboard's counts, computed the slow way: one SQL query a check, in DuckDB, after its own definitions.

Independent of `dure.quality`: it reads the instances from the committed table and nothing else of ours. The meaning of
each numerator and denominator is that of DataQualityDashboard 2.8's queries on a whole database.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb

INSTANCES = Path(__file__).parents[2] / "quality_checks" / "suites" / "dqd" / "instances.csv"
LEVELS = {"cdmTable": "table", "measurePersonCompleteness": "table", "measureConditionEraCompleteness": "table",
          "measureObservationPeriodOverlap": "table", "plausibleGender": "concept",
          "plausibleGenderUseDescendants": "concept", "plausibleUnitConceptIds": "concept"}  # fmt: skip
OF_THE_VOCABULARY = ("concept", "concept_ancestor", "domain", "vocabulary", "drug_strength")


def database(snapshot: Path, store: Path) -> duckdb.DuckDBPyConnection:
    """A database whose views are the tables of a snapshot and of a vocabulary store."""
    connection = duckdb.connect()
    for folder in sorted(path for path in snapshot.iterdir() if path.is_dir()):
        if folder.name not in OF_THE_VOCABULARY:
            connection.execute(f"create view {folder.name} as select * from read_parquet('{folder}/*.parquet')")
    for name in OF_THE_VOCABULARY:
        rows = f"select * from read_parquet('{store / name.upper()}.parquet')"
        local = snapshot / name
        if local.is_dir():
            rows += f" union all by name select * from read_parquet('{local}/*.parquet')"
        connection.execute(f"create view {name} as {rows}")
    return connection


def instances() -> Iterator[tuple[str, dict[str, str]]]:
    """(check id, its row) of every instance."""
    with INSTANCES.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            concepts = ",".join(row["concept_ids"].split())
            parts = [LEVELS.get(row["check"], "field"), row["check"], row["table"], row["field"], concepts]
            yield "_".join(part for part in parts if part).lower(), row


def counts(connection: duckdb.DuckDBPyConnection, row: dict[str, str], today: date) -> tuple[int, int] | None:
    """(violated, denominator) of one check; None where the query fails, as for a table that is not there."""
    try:
        violated, denominator = (connection.execute(sql).fetchone() for sql in _queries(row, today))
    except (duckdb.CatalogException, duckdb.BinderException):
        return None
    assert violated is not None and denominator is not None
    return int(violated[0] or 0), int(denominator[0] or 0)


def _queries(row: dict[str, str], today: date) -> tuple[str, str]:
    table, field, check = row["table"], f't."{row["field"]}"', row["check"]
    everything = f"select count(*) from {table} t"
    day = f"cast({field} as date)"
    concepts = ", ".join(row["concept_ids"].split())
    if check == "cdmTable":
        return f"select case when count(*) = 0 then 0 else 0 end from {table}", "select 1"
    if check == "cdmField":
        return f"select case when count({field}) = 0 then 0 else 0 end from {table} t", "select 1"
    if check in ("isRequired", "measureValueCompleteness"):
        return f"{everything} where {field} is null", everything
    if check == "cdmDatatype":
        number = f"regexp_full_match(cast({field} as varchar), '[-+]?[0-9]+')"
        return f"{everything} where {field} is not null and not {number}", everything
    if check == "isPrimaryKey":
        twice = f"select {field} from {table} t group by {field} having count(*) > 1"
        return f"{everything} where {field} in ({twice})", everything
    if check == "isForeignKey":
        other = f"left join {row['fk_table']} f on {field} = f.{row['fk_field']}"
        return f"{everything} {other} where f.{row['fk_field']} is null and {field} is not null", everything
    concept = f"{everything} left join concept c on {field} = c.concept_id where c.concept_id != 0"
    if check == "fkDomain":
        return f"{concept} and c.domain_id not in ('{row['fk_domain']}')", everything
    if check == "fkClass":
        return f"{concept} and c.concept_class_id != '{row['fk_class']}'", everything
    if check == "isStandardValidConcept":
        wrong = "c.standard_concept is null or c.standard_concept != 'S' or c.invalid_reason is not null"
        return f"{concept} and ({wrong})", f"{everything} where {field} is not null"
    if check in ("standardConceptRecordCompleteness", "sourceConceptRecordCompleteness"):
        source = row["source_field"]
        also = f" or ({field} is null and t.{source} is not null)" if source else ""
        either = f" or t.{source} is not null" if source else ""
        return f"{everything} where {field} = 0{also}", f"{everything} where {field} is not null{either}"
    if check == "sourceValueCompleteness":
        zero = f"select distinct {field} from {table} t where t.{row['standard_field']} = 0"
        distinct = f"count(distinct {field}) + count(distinct case when {field} is null then 1 end)"
        return f"select count(*) from ({zero})", f"select {distinct} from {table} t"
    if check in ("plausibleValueLow", "plausibleValueHigh"):
        limit, sign = (row["low"], "<") if check == "plausibleValueLow" else (row["high"], ">")
        limit = {"tomorrow": str(today + timedelta(days=1)), "next year": str(today.year + 1)}.get(limit, limit)
        compared = f"{day} {sign} date '{limit}'" if limit.count("-") == 2 else f"{field} {sign} {limit}"
        return f"{everything} where {compared}", f"{everything} where {field} is not null"
    if check == "plausibleTemporalAfter":
        if row["after_table"] == "person":
            born = "coalesce(cast(p.birth_datetime as date), make_date(p.year_of_birth, 6, 1))"
            return f"{everything} join person p on t.person_id = p.person_id where {born} > {day}", everything
        return f'{everything} where cast(t."{row["after_field"]}" as date) > {day}', everything
    if check == "plausibleDuringLife":
        late = f"{everything} join death d on t.person_id = d.person_id where {day} > d.death_date + 60"
        return late, f"{everything} where t.person_id in (select person_id from death)"
    if check == "withinVisitDates":
        visit = f"{everything} join visit_occurrence v on t.visit_occurrence_id = v.visit_occurrence_id"
        return f"{visit} where {field} < v.visit_start_date - 7 or {field} > v.visit_end_date + 7", visit
    if check == "plausibleAfterBirth":
        first = "make_date(p.year_of_birth, coalesce(p.month_of_birth, 1), coalesce(p.day_of_birth, 1))"
        born = f"coalesce(cast(p.birth_datetime as date), {first})"
        early = f"{everything} join person p on t.person_id = p.person_id where {field} is not null and {day} < {born}"
        return early, f"{everything} where {field} is not null"
    if check == "plausibleBeforeDeath":
        dead = f"{everything} join death d on t.person_id = d.person_id where {field} is not null"
        return f"{dead} and {day} > d.death_date + 60", dead
    if check == "plausibleStartBeforeEnd":
        end = f't."{row["end_field"]}"'
        both = f"{everything} where {field} is not null and {end} is not null"
        return f"{both} and {day} > cast({end} as date)", both
    if check == "measurePersonCompleteness":
        without = f"select count(*) from person p left join {table} t on p.person_id = t.person_id"
        return f"{without} where t.person_id is null", "select count(*) from person"
    if check == "measureConditionEraCompleteness":
        ill = "from condition_occurrence c"
        mapped = "c.condition_concept_id != 0"
        without = f"{ill} left join condition_era t on c.person_id = t.person_id where t.person_id is null and {mapped}"
        return (
            f"select count(distinct c.person_id) {without}",
            f"select count(distinct c.person_id) {ill} where {mapped}",
        )
    if check == "measureObservationPeriodOverlap":
        start, end = "observation_period_start_date", "observation_period_end_date"
        pair = "a.person_id = b.person_id and a.observation_period_id != b.observation_period_id"
        overlap = f"a.{start} <= b.{end} and a.{end} >= b.{start}"
        touch = f"a.{end} + 1 = b.{start} or b.{end} + 1 = a.{start}"
        both = f"from observation_period a join observation_period b on {pair} where ({overlap}) or {touch}"
        return f"select count(distinct a.person_id) {both}", "select count(distinct person_id) from observation_period"
    expected = {"male": 8507, "female": 8532}.get(row["sex"])
    if check == "plausibleGender":
        person = f"{everything} join person p on t.person_id = p.person_id"
        of = f"{field} = {concepts}"
        return f"{person} where {of} and p.gender_concept_id <> {expected}", f"{everything} where {of}"
    if check == "plausibleGenderUseDescendants":
        below = f"join concept_ancestor a on a.descendant_concept_id = {field}"
        of = f"where a.ancestor_concept_id in ({concepts})"
        person = f"join person p on t.person_id = p.person_id {below} {of}"
        return f"{everything} {person} and p.gender_concept_id <> {expected}", f"{everything} {below} {of}"
    if check == "plausibleUnitConceptIds":
        units = ", ".join(row["unit_concept_ids"].split())
        only_none = "t.unit_concept_id != 0" if units == "-1" else "false"
        wrong = f"t.unit_concept_id is not null and ({only_none} or t.unit_concept_id not in ({units}, 0))"
        of = f"{everything} where {field} = {concepts}"
        return f"{of} and {wrong}", f"{of} and (t.unit_concept_id != 0 or t.unit_concept_id is null)"
    raise AssertionError(check)
