"""The CDM schema against OHDSI's own field list, and what conform refuses."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from dure.cdm.conform import conform
from dure.cdm.roles import REFERENCES, roles, spec_tables
from dure.cdm.schema import site_tables, table, tables
from dure.engine import EngineOptions, engine
from dure.errors import IntegrityError

# OHDSI's list has cohorts, which belong to the results schema.
NOT_OURS = {"cohort", "cohort_definition"}


@pytest.fixture(scope="module")
def fields(repository: Path) -> list[dict[str, str]]:
    path = repository / "../shared/reference/cdm/OMOP_CDMv5.4_Field_Level.csv"
    if not path.exists():
        pytest.skip("OHDSI's field list is not beside the checkout (../shared/reference/cdm)")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.DictReader(file) if row["cdmTableName"].lower() not in NOT_OURS]


def test_every_field_and_required_flag_is_ohdsis(fields: list[dict[str, str]]) -> None:
    theirs = {
        (f["cdmTableName"].lower(), f["cdmFieldName"].strip('"').lower(), f["isRequired"] == "Yes") for f in fields
    }
    ours = {(name, column.name, column.required) for name, t in tables().items() for column in t.columns}
    assert ours == theirs


def test_record_ids_are_bigint_and_concepts_are_int() -> None:
    wrong = [
        f"{name}.{column.name}"
        for name in site_tables()
        for column in table(name).columns
        if column.name.endswith("_id")
        and isinstance(column.spark, T.LongType) == ("concept_id" in column.name)
        and not isinstance(column.spark, T.StringType)
    ]
    assert wrong == []


def test_dates_are_dates_and_moments_have_no_zone() -> None:
    person = table("person")
    assert isinstance(person["birth_datetime"].spark, T.TimestampNTZType)
    assert isinstance(table("death")["death_date"].spark, T.DateType)
    assert table("measurement")["unit_source_value"].length == 50


@pytest.mark.parametrize("name", spec_tables())
def test_every_column_has_one_role_or_is_filled_by_dure(name: str) -> None:
    filled = [column for role in roles(name).values() for column in role.columns.values()]
    assert len(filled) == len(set(filled))
    own = {f"{name}_id", "measurement_time", "payer_plan_period_id", "episode_parent_id"}
    own |= {"preceding_visit_occurrence_id", "preceding_visit_detail_id"}
    assert set(table(name).names) - set(filled) - own == set()


def test_the_roles_of_a_measurement() -> None:
    found = roles("measurement")
    assert found["code"].columns == {
        "concept_id": "measurement_concept_id",
        "source_concept_id": "measurement_source_concept_id",
    }
    assert found["unit"].columns["source_value"] == "unit_source_value"
    assert found["start"].columns == {"date": "measurement_date", "datetime": "measurement_datetime"}
    assert found["person"].kind == "ref"
    assert found["event"].columns["field_concept_id"] == "meas_event_field_concept_id"
    assert set(REFERENCES.values()) >= {role.name for role in found.values() if role.kind == "ref"}


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    with engine(EngineOptions()) as running:
        yield running.session


def test_conform_gives_the_columns_in_order_with_their_types(session: SparkSession) -> None:
    frame = session.createDataFrame([(7, "M")], "a int, b string")
    columns = {name: F.lit(None) for name in table("death").names}
    columns |= {"person_id": F.col("a"), "death_date": F.to_date(F.lit("2021-03-04"))}
    made = conform(frame, "death", columns)
    assert made.columns == list(table("death").names)
    assert [f.dataType for f in made.schema.fields] == [c.spark for c in table("death").columns]


def test_conform_names_every_required_column_that_nothing_fills(session: SparkSession) -> None:
    frame = session.createDataFrame([(7,)], "a int")
    with pytest.raises(IntegrityError) as caught:
        conform(frame, "death", {"person_id": F.col("a"), "deth_type": F.lit(1)})
    assert "nothing fills the required column death_date" in str(caught.value)
    assert "has no column deth_type" in str(caught.value)
