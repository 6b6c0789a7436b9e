"""A DuckDB file: the rows and types of the snapshot, replaced as a whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dure.cdm.schema import site_tables, table
from dure.errors import ConfigurationError, IntegrityError, SiteLockedError
from dure.progress import SilentProgress
from dure.publish.delivery import Loaded
from dure.publish.duckdb_file import write_duckdb
from dure.publish.table_files import arrow_schema

duckdb = pytest.importorskip("duckdb", reason="the target is DuckDB: pip install 'dure[duckdb]'")

PERSON = {
    "person_id": 2**62, "gender_concept_id": 8507, "year_of_birth": 1970, "race_concept_id": 0,
    "ethnicity_concept_id": 0, "person_source_value": "바다'\"\n\t\0끝", "birth_datetime": datetime(1970, 1, 2, 3, 4),  # noqa: DTZ001
}  # fmt: skip
DEATH = {"person_id": 2**62, "death_date": date(2025, 2, 28), "cause_source_value": ""}


def folders(root: Path, **rows: list[dict[str, Any]]) -> dict[str, Path]:
    for name, records in rows.items():
        schema = arrow_schema(table(name))
        (root / name).mkdir(parents=True)
        full = [{column: row.get(column) for column in schema.names} for row in records]
        pq.write_table(pa.Table.from_pylist(full, schema), root / name / "part-0.parquet")
    return {name: root / name for name in rows}


def write(path: Path, given: dict[str, Path], progress: SilentProgress | None = None) -> Loaded:
    return write_duckdb(path, given, None, threads=1, progress=progress or SilentProgress())


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        found: list[tuple[Any, ...]] = connection.execute(statement).fetchall()
        return found


def test_the_file_holds_every_table_with_the_types_of_the_cdm(tmp_path: Path) -> None:
    path = tmp_path / "바다 it's.duckdb"
    persons = [{**PERSON, "person_id": number} for number in (3, 1, 2)]
    loaded = write(path, folders(tmp_path / "cdm", person=persons, death=[DEATH]))
    assert (loaded.rows["person"], loaded.rows["note"], loaded.changed) == (3, 0, True)
    assert {name for (name,) in query(path, "SHOW TABLES")} == {*site_tables(), "dure_delivery"}
    assert query(path, "SELECT person_id FROM person") == [(3,), (1,), (2,)]
    assert query(path, "SELECT DISTINCT person_source_value, birth_datetime FROM person") == [
        (PERSON["person_source_value"], PERSON["birth_datetime"])
    ]
    assert query(path, "SELECT death_date, cause_source_value, cause_concept_id FROM death") == [
        (DEATH["death_date"], "", None)
    ]
    kinds = (
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = 'measurement'"
    )
    found = {name: (kind, nullable) for name, kind, nullable in query(path, kinds)}
    assert found["measurement_id"] == ("BIGINT", "NO")
    assert found["measurement_concept_id"] == ("INTEGER", "NO")
    assert found["value_as_number"] == ("DOUBLE", "YES")
    assert found["measurement_datetime"] == ("TIMESTAMP", "YES")
    assert query(path, "SELECT snapshot_digest FROM dure_delivery") == [(loaded.digest,)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cdm", path.name]


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    given, path = folders(tmp_path / "cdm", person=[PERSON]), tmp_path / "cdm.duckdb"
    first, before = write(path, given), path.stat()
    second = write(path, given)
    assert (second.changed, second.rows, second.digest) == (False, first.rows, first.digest)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_other_content_replaces_the_file_and_who_reads_the_old_reads_on(tmp_path: Path) -> None:
    path = tmp_path / "cdm.duckdb"
    write(path, folders(tmp_path / "old", person=[PERSON]))
    before = path.read_bytes()
    with path.open("rb") as reader:
        other = folders(tmp_path / "new", person=[PERSON, {**PERSON, "person_id": 5}])
        assert write(path, other).rows["person"] == 2
        assert reader.read() == before
    assert query(path, "SELECT count(*) FROM person") == [(2,)]


@pytest.mark.parametrize(
    "rows", [[PERSON, PERSON], [{**PERSON, "year_of_birth": None}]], ids=["two of one key", "no required value"]
)
def test_rows_that_break_a_key_leave_the_old_file(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "cdm.duckdb"
    write(path, folders(tmp_path / "old", person=[PERSON]))
    before = path.read_bytes()
    with pytest.raises(IntegrityError, match="two rows have one key, or a row has no value") as refused:
        write(path, folders(tmp_path / "new", person=rows))
    assert str(PERSON["person_id"]) not in str(refused.value)
    assert refused.value.__cause__ is None
    assert path.read_bytes() == before
    assert not (tmp_path / ".cdm.duckdb.writing").exists()


def test_what_a_dead_writer_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".cdm.duckdb.writing"
    (left / "spill").mkdir(parents=True)
    (left / "cdm.duckdb").write_bytes(b"half a file")
    write(tmp_path / "cdm.duckdb", folders(tmp_path / "cdm", person=[PERSON]))
    assert not left.exists()
    assert query(tmp_path / "cdm.duckdb", "SELECT count(*) FROM person") == [(1,)]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    folder = tmp_path / ".cdm.duckdb.writing"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(SiteLockedError, match="another process writes this file"):
            write(tmp_path / "cdm.duckdb", folders(tmp_path / "cdm", person=[PERSON]))
    finally:
        os.close(handle)
    assert folder.exists()


def test_a_file_that_dure_did_not_write_is_never_replaced(tmp_path: Path) -> None:
    given = folders(tmp_path / "cdm", person=[PERSON])
    text, other = tmp_path / "노트.txt", tmp_path / "other.duckdb"
    text.write_text("중요", "utf-8")
    duckdb.connect(str(other)).execute("CREATE TABLE person AS SELECT 1 AS x").close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match="is no DuckDB file that Dure wrote"):
            write(path, given)
        assert path.read_bytes() == before


def test_a_place_that_is_none_is_said(tmp_path: Path) -> None:
    given = folders(tmp_path / "cdm", person=[PERSON])
    with pytest.raises(ConfigurationError, match="is a folder"):
        write(tmp_path, given)
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        write(tmp_path / "absent" / "cdm.duckdb", given)


_ON_A_SMALL_DISK = """
import resource, sys
from pathlib import Path
from dure.errors import DureError
from dure.progress import SilentProgress
from dure.publish.duckdb_file import write_duckdb
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_duckdb(Path(sys.argv[1]), {"person": Path(sys.argv[2])}, None, threads=1, progress=SilentProgress())
except DureError as error:
    print(type(error).__name__, error)
"""


def test_a_disk_that_takes_no_more_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "cdm.duckdb"
    write(path, folders(tmp_path / "old", person=[PERSON]))
    before = path.read_bytes()
    new = folders(tmp_path / "new", person=[PERSON, {**PERSON, "person_id": 5}])
    command = [sys.executable, "-c", _ON_A_SMALL_DISK, str(path), str(new["person"])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"ConfigurationError {path}: cannot be written")
    assert path.read_bytes() == before
    assert not (tmp_path / ".cdm.duckdb.writing").exists()
