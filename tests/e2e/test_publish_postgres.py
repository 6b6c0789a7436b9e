"""What a PostgreSQL schema holds after `load_postgres`: the tables of OMOP, and the rows of the snapshot, value by value."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from postgres_server import Server, running_server
from small_cdm import AWKWARD, MEASUREMENT, NOTE, PERSON, folders, usual

from dure.cdm.schema import site_tables, table, tables
from dure.errors import ConfigurationError, IntegrityError
from dure.progress import SilentProgress
from dure.publish.delivery import Loaded
from dure.publish.postgres import load_postgres
from dure.run import RunOptions, run_site
from dure.snapshot.manifest import read_manifest
from dure.vocab.load import load_athena
from dure.vocab.store import VocabularyStore

pytestmark = [pytest.mark.postgres, pytest.mark.together]
TYPES = {
    "int": "integer",
    "bigint": "bigint",
    "double": "numeric",
    "date": "date",
    "timestamp_ntz": "timestamp without time zone",
    "string": "text",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own."""
    number = sum(1 for _ in server.connect().execute("SELECT FROM pg_database"))
    return server.new_database(f"test_{number}")


@pytest.fixture(scope="module")
def store(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    return load_athena(repository / "tests/data/vocabulary", tmp_path_factory.mktemp("stores"))


def load(url: str, tables_of: Mapping[str, Path], store: VocabularyStore | None = None, **options: Any) -> Loaded:
    return load_postgres(url, "cdm", tables_of, store, **{"progress": SilentProgress(), **options})


def rows_there(url: str, name: str, schema: str = "cdm") -> Counter[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        found = connection.execute(f'SELECT * FROM {schema}."{name}"'.encode())
        return Counter(tuple(float(v) if isinstance(v, Decimal) else v for v in row) for row in found)


def rows_in(folder: Path) -> Counter[tuple[object, ...]]:
    return Counter(tuple(row.values()) for row in pq.read_table(folder).to_pylist())


def catalog(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_snapshot_is_there_whole(url: str, repository: Path, store: VocabularyStore, tmp_path: Path) -> None:
    sites = (repository / "vocab_mappings/sites",)
    run = RunOptions("synthea", repository / "tests/data/extract", store.folder, tmp_path / "lake", sites)
    snapshot = run_site(run, SilentProgress()).snapshot
    manifest = read_manifest(snapshot)
    loaded = load(url, {name: snapshot / name for name in manifest.tables}, store)
    assert loaded.digest == manifest.digest
    assert loaded.changed and loaded.truncated == {}
    assert {name: loaded.rows[name] for name in site_tables()} == {n: t.rows for n, t in manifest.tables.items()}
    for name in site_tables():
        assert rows_there(url, name) == rows_in(snapshot / name), name
    for name in tables():
        if table(name).vocabulary:
            assert rows_there(url, name) == rows_in(store.path(name)), name
    assert sum(rows_there(url, "measurement").values()) > 100


def test_every_text_comes_back_as_it_was(url: str, tmp_path: Path) -> None:
    given = folders(tmp_path / "cdm", usual())
    load(url, given)
    for name in ("person", "measurement", "note"):
        assert rows_there(url, name) == rows_in(given[name])
    assert {text for (text,) in catalog(url, "SELECT note_text FROM cdm.note")} == set(AWKWARD)
    nulls = "SELECT count(*) FILTER (WHERE note_title IS NULL), count(*) FILTER (WHERE note_title = '') FROM cdm.note"
    assert catalog(url, nulls) == [(8, 1)]


def test_numbers_keep_exactly_their_digits(url: str, tmp_path: Path) -> None:
    values = [0.1, 0.30000000000000004, 5e-324, 123456789012345680.0, -0.0, 100.0]
    rows = [{**MEASUREMENT, "measurement_id": n, "value_as_number": v} for n, v in enumerate(values)]
    load(url, folders(tmp_path / "cdm", {"person": [{**PERSON, "person_id": 1}], "measurement": rows}))
    found = [v for (v,) in catalog(url, "SELECT value_as_number FROM cdm.measurement ORDER BY measurement_id")]
    assert found[:2] == [Decimal("0.1"), Decimal("0.30000000000000004")]
    assert [float(value) for value in found] == values


def test_columns_have_the_types_of_the_cdm(url: str, tmp_path: Path) -> None:
    load(url, folders(tmp_path / "cdm", {}))
    query = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'cdm'"
    query += " AND table_name <> 'dure_delivery' ORDER BY table_name, ordinal_position"
    assert catalog(url, query) == [
        (name, column.name, TYPES[column.spark.simpleString()], "NO" if column.required else "YES")
        for name in sorted(site_tables())
        for column in table(name).columns
    ]


def test_keys_are_those_of_ohdsi(url: str, repository: Path, store: VocabularyStore, tmp_path: Path) -> None:
    reference = repository.parent / "shared/reference/cdm/OMOP_CDMv5.4_Field_Level.csv"
    if not reference.exists():
        pytest.skip("needs ../shared/reference/cdm beside the checkout")
    load(url, folders(tmp_path / "cdm", {}), store)
    with reference.open(encoding="utf-8") as file:
        fields = [row for row in csv.DictReader(file) if not row["cdmTableName"].lower().startswith("cohort")]
    keys = """
        SELECT c.relname, a.attname, p.relname FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class p ON p.oid = k.confrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
        WHERE k.connamespace = 'cdm'::regnamespace AND k.contype = """
    named = lambda row: (row["cdmTableName"].lower(), row["cdmFieldName"].strip('"').lower())  # noqa: E731
    assert {(t, c) for t, c, _ in catalog(url, keys + "'p'")} == {
        named(row) for row in fields if row["isPrimaryKey"].lower() == "yes"
    }
    assert set(catalog(url, keys + "'f'")) == {
        (*named(row), row["fkTableName"].lower()) for row in fields if row["isForeignKey"].lower() == "yes"
    }


def test_without_a_vocabulary_the_site_tables_stand_alone(url: str, tmp_path: Path) -> None:
    loaded = load(url, folders(tmp_path / "cdm", usual()))
    assert set(loaded.rows) == set(site_tables())
    parents = "SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
    assert ("cdm.person",) in catalog(url, parents) and ("cdm.concept",) not in catalog(url, parents)
    unvalidated = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
    assert catalog(url, unvalidated) == []


def test_tables_that_are_not_given_are_there_and_empty(url: str, tmp_path: Path) -> None:
    given = folders(tmp_path / "cdm", usual())
    loaded = load(url, {"person": given["person"]})
    assert loaded.rows["person"] == 3
    assert loaded.rows["measurement"] == 0
    assert rows_there(url, "measurement") == Counter()


def test_local_concepts_follow_the_vocabulary(url: str, store: VocabularyStore, tmp_path: Path) -> None:
    import pyarrow as pa

    given = folders(tmp_path / "cdm", {})
    of_store = pq.read_table(store.path("concept"))
    local = {**of_store.slice(0, 1).to_pylist()[0], "concept_id": 2_000_000_001, "concept_name": "자체 코드"}
    (tmp_path / "concept").mkdir()
    pq.write_table(pa.Table.from_pylist([local], of_store.schema), tmp_path / "concept/part-0.parquet")
    loaded = load(url, {**given, "concept": tmp_path / "concept"}, store)
    assert loaded.rows["concept"] == of_store.num_rows + 1
    assert catalog(url, "SELECT concept_name FROM cdm.concept WHERE concept_id = 2000000001") == [("자체 코드",)]


def test_the_schema_says_what_it_holds(url: str, store: VocabularyStore, tmp_path: Path) -> None:
    loaded = load(url, folders(tmp_path / "cdm", usual()), store)
    [(digest, release, vocabulary, cdm, options)] = catalog(
        url,
        "SELECT snapshot_digest, vocabulary_release, vocabulary_digest, cdm_version, options FROM cdm.dure_delivery",
    )
    assert (digest, release, vocabulary, cdm) == (loaded.digest, store.release, store.digest, "5.4")
    assert options == {"missing_concepts": "refuse", "strict_ddl": "False"}
    comment = "SELECT obj_description('cdm'::regnamespace, 'pg_namespace')"
    assert catalog(url, comment) == [(f"dure: snapshot {digest}",)]


def oids(url: str) -> list[tuple[Any, ...]]:
    return catalog(url, "SELECT relname, oid FROM pg_class WHERE relnamespace = 'cdm'::regnamespace ORDER BY 1")


def test_the_same_snapshot_twice_changes_nothing(url: str, tmp_path: Path) -> None:
    given = folders(tmp_path / "cdm", usual())
    first = load(url, given)
    before = oids(url)
    second = load(url, given)
    assert (first.changed, second.changed) == (True, False)
    assert (second.rows, second.digest) == (first.rows, first.digest)
    assert oids(url) == before


def test_another_snapshot_replaces_the_whole_of_the_one_before(url: str, tmp_path: Path) -> None:
    load(url, folders(tmp_path / "old", usual(3)))
    loaded = load(url, folders(tmp_path / "new", usual(2)))
    assert loaded.changed
    assert sum(rows_there(url, "person").values()) == 2
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cdm%' ORDER BY 1"
    assert catalog(url, schemas) == [("cdm",)]


def test_who_might_read_the_old_rows_may_read_the_new(server: Server, url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE atlas")
        connection.execute("CREATE ROLE 연구자")
        connection.execute("CREATE ROLE later")
    load(url, folders(tmp_path / "old", usual(3)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("GRANT USAGE ON SCHEMA cdm TO atlas, 연구자")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA cdm TO atlas WITH GRANT OPTION")
        connection.execute("GRANT SELECT (person_id, year_of_birth) ON cdm.person TO 연구자")
        connection.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA cdm GRANT SELECT ON TABLES TO later")
    rights = """
        SELECT has_table_privilege('atlas', 'cdm.person', 'SELECT WITH GRANT OPTION'),
            has_column_privilege('연구자', 'cdm.person', 'year_of_birth', 'SELECT'),
            has_column_privilege('연구자', 'cdm.person', 'person_source_value', 'SELECT'),
            has_schema_privilege('연구자', 'cdm', 'USAGE'), has_schema_privilege('later', 'cdm', 'USAGE')"""
    before = catalog(url, rights)
    for number in (2, 1):
        load(url, folders(tmp_path / f"new{number}", usual(number)))
        assert catalog(url, rights) == before == [(True, True, False, True, False)]
        assert catalog(url, "SELECT has_table_privilege('later', 'cdm.note', 'SELECT')") == [(True,)]


def test_strict_lengths_cut_and_count_by_characters(url: str, tmp_path: Path) -> None:
    values = ["가" * 50, "가" * 51, "👩" * 60, "a" * 49, "", None, "e" + "\u0301" * 50]
    rows = [{**MEASUREMENT, "measurement_id": n, "measurement_source_value": v} for n, v in enumerate(values)]
    place = {"location_id": 1, "state": "서울특별시"}
    given = folders(
        tmp_path / "cdm", {"person": [{**PERSON, "person_id": 1}], "measurement": rows, "location": [place]}
    )
    loaded = load(url, given, strict_ddl=True)
    assert loaded.truncated == {"location.state": 1, "measurement.measurement_source_value": 3}
    found = catalog(url, "SELECT measurement_source_value FROM cdm.measurement ORDER BY measurement_id")
    assert [value for (value,) in found] == [value if value is None else value[:50] for value in values]
    assert catalog(url, "SELECT state FROM cdm.location") == [("서울",)]
    length = "SELECT character_maximum_length FROM information_schema.columns WHERE (table_schema, table_name, column_name) = "
    assert catalog(url, length + "('cdm', 'location', 'state')") == [(2,)]
    assert catalog(url, length + "('cdm', 'note', 'note_text')") == [(None,)]
    again = load(url, given, strict_ddl=True)
    assert (again.changed, again.truncated) == (False, loaded.truncated)
    assert load(url, given).truncated == {}
    assert catalog(url, "SELECT state FROM cdm.location") == [("서울특별시",)]


def test_strict_lengths_never_cut_a_key(url: str, tmp_path: Path) -> None:
    row = {
        "cost_id": 1, "cost_event_id": 1, "cost_domain_id": "X" * 21, "cost_type_concept_id": 0,
    }  # fmt: skip
    with pytest.raises(IntegrityError, match=r"cost\.cost_domain_id: 1 keys have more than 20 characters"):
        load(url, folders(tmp_path / "cdm", {"cost": [row]}), strict_ddl=True)


def test_concepts_that_the_vocabulary_lacks_are_refused_with_their_ids(
    url: str, store: VocabularyStore, tmp_path: Path
) -> None:
    rows = [{**MEASUREMENT, "measurement_id": n, "measurement_concept_id": 99_000_000 + n % 2} for n in range(5)]
    given = folders(tmp_path / "cdm", {"person": [{**PERSON, "person_id": 1}], "measurement": rows})
    with pytest.raises(ConfigurationError) as refused:
        load(url, given, store)
    [problem] = refused.value.problems
    assert problem.where == "measurement.measurement_concept_id"
    assert problem.found == "5 rows name a concept that the vocabulary lacks (99000000, 99000001)"
    assert catalog(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cdm%'") == []


def test_missing_concepts_can_be_accepted_and_are_said(url: str, store: VocabularyStore, tmp_path: Path) -> None:
    rows = [{**MEASUREMENT, "measurement_id": 1, "unit_concept_id": 99_000_000}]
    given = folders(tmp_path / "cdm", {"person": [{**PERSON, "person_id": 1}], "measurement": rows})
    progress = SilentProgress()
    loaded = load(url, given, store, missing_concepts="accept", progress=progress)
    assert loaded.unchecked["measurement.unit_concept_id"] == 1
    assert "measurement.unit_concept_id" in {problem.where for problem in progress.warned}
    checked = "SELECT convalidated FROM pg_constraint WHERE conname = 'fpk_measurement_"
    assert catalog(url, checked + "unit_concept_id'") == [(False,)]
    assert catalog(url, checked + "measurement_concept_id'") == [(True,)]
    [(stored,)] = catalog(url, "SELECT loaded FROM cdm.dure_delivery")
    assert stored == json.loads(loaded.as_json())


def test_a_row_without_its_person_is_refused_by_count(url: str, tmp_path: Path) -> None:
    load(url, folders(tmp_path / "old", usual()))
    rows = usual()
    rows["measurement"] = [{**MEASUREMENT, "measurement_id": n, "person_id": 77_123 + n} for n in range(4)]
    rows["note"] = [{**NOTE, "note_id": 1, "visit_occurrence_id": 88_123}]
    with pytest.raises(IntegrityError) as refused:
        load(url, folders(tmp_path / "new", rows))
    assert [(p.where, p.found) for p in refused.value.problems] == [
        ("measurement.person_id", "4 rows name a row of person that is not there"),
        ("note.visit_occurrence_id", "1 rows name a row of visit_occurrence that is not there"),
    ]
    assert "77123" not in str(refused.value) and "88123" not in str(refused.value)
    assert sum(rows_there(url, "measurement").values()) == 3
    assert catalog(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cdm%'") == [("cdm",)]


@pytest.mark.parametrize(
    ("name", "rows", "where", "found"),
    [
        ("person", [{**PERSON, "person_id": 5}] * 3, "person.person_id", "1 ids are there twice or more"),
        ("person", [{**PERSON, "person_id": 5, "year_of_birth": None}], "year_of_birth", "no value where the CDM requires one"),
        ("note", [{**NOTE, "note_id": 1, "note_text": "숨긴\0글"}], "note.note_text", "1 rows in this block of 1 hold a NUL"),
    ],
)  # fmt: skip
def test_rows_that_postgresql_cannot_take_are_refused(
    url: str, tmp_path: Path, name: str, rows: list[Any], where: str, found: str
) -> None:
    load(url, folders(tmp_path / "old", usual()))
    with pytest.raises(IntegrityError) as refused:
        load(url, folders(tmp_path / "new", {**usual(), name: rows}))
    assert where in str(refused.value) and found in str(refused.value)
    assert "숨긴" not in str(refused.value) and "1970" not in str(refused.value)
    assert sum(rows_there(url, "person").values()) == 3
