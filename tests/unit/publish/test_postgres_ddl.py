"""The statements that make an OMOP schema."""

from __future__ import annotations

import re

from dure.cdm.schema import table, tables
from dure.publish.ddl import OmopSchema, key_of

ALL = tuple(tables())
STRICT, LOOSE = OmopSchema("cdm", strict=True), OmopSchema("cdm", strict=False)


def test_record_ids_are_bigint_and_concepts_integer() -> None:
    statement = LOOSE.create_table("measurement")
    assert re.search(r"\bmeasurement_id BIGINT NOT NULL", statement)
    assert re.search(r"\bvisit_occurrence_id BIGINT,", statement)
    assert re.search(r"\bmeasurement_concept_id INTEGER NOT NULL", statement)
    assert re.search(r"\bvalue_as_number NUMERIC,", statement)
    assert re.search(r"\bmeasurement_datetime TIMESTAMP WITHOUT TIME ZONE,", statement)


def test_lengths_are_those_of_the_cdm_or_none() -> None:
    assert re.search(r"\bmeasurement_source_value TEXT,", LOOSE.create_table("measurement"))
    assert re.search(r"\bmeasurement_source_value VARCHAR\(50\),", STRICT.create_table("measurement"))
    assert not any("VARCHAR" in LOOSE.create_table(name) for name in ALL)


def test_a_word_of_sql_is_quoted() -> None:
    assert '"offset" TEXT' in LOOSE.create_table("note_nlp")


def test_names_fit_into_postgresql_and_are_unique() -> None:
    names = []
    for name in ALL:
        statements = [LOOSE.primary_key(name) or "", *LOOSE.indices(name)]
        statements += [key.add for key in LOOSE.foreign_keys(name, ALL)]
        names += re.findall(r"(?:CONSTRAINT|INDEX) (\w+)", "\n".join(statements))
    assert len(names) > 250
    assert max(map(len, names)) <= 63
    assert len(set(names)) == len(names)


def test_no_index_repeats_a_primary_key() -> None:
    assert key_of(table("person")) == "person_id"
    assert [s.partition(" ON ")[2] for s in LOOSE.indices("person")] == ["cdm.person (gender_concept_id)"]
    assert key_of(table("death")) is None
    assert [s.partition(" ON ")[2] for s in LOOSE.indices("death")] == ["cdm.death (person_id)"]


def test_keys_into_tables_that_are_absent_are_left_out() -> None:
    assert {key.parent for key in LOOSE.foreign_keys("person", ("person", "location"))} == {"location"}
    everywhere = LOOSE.foreign_keys("person", ALL)
    assert {key.parent for key in everywhere} == {"location", "provider", "care_site", "concept"}
    assert {key.parent for key in everywhere if key.to_vocabulary} == {"concept"}
