"""A snapshot as one DuckDB file: the CDM's tables with their types, for people who work with Python, R or SQL alone.

The file is written in a hidden folder beside its place and renamed into it, so a reader has the old file or the new
one. Rows keep the order they have in the snapshot; the bytes differ from one writing to the next, as DuckDB puts an
identifier of its own into each file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dure.cdm.schema import CdmTable
from dure.errors import ConfigurationError, DureError, IntegrityError, Problem, SiteLockedError
from dure.progress import Progress
from dure.publish.ddl import key_of
from dure.publish.delivery import DELIVERY_TABLE, Content, Loaded, content, recorded
from dure.publish.table_files import TableFiles, check_unchanged, files_to_load, site_files
from dure.snapshot.durable import private_files, sync
from dure.vocab.store import VocabularyStore

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Files of this format are read by every DuckDB since 1.2.
_STORAGE = "v1.2.0"
_OFFLINE: dict[str, bool | int | str] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_TYPES = {
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp_ntz": "TIMESTAMP",
    "string": "VARCHAR",
}
# DuckDB keeps a key as an index in memory: cheap for these, as dear as the rows themselves for tables of events.
_KEYED = frozenset(
    {"person", "provider", "care_site", "location", "domain", "vocabulary", "concept_class", "relationship"}
)


def write_duckdb(
    path: Path,
    folders: Mapping[str, Path],
    store: VocabularyStore | None,
    *,
    memory: int = 1 << 30,
    threads: int | None = None,
    progress: Progress,
) -> Loaded:
    """What the file holds when all of the tables in `folders` (name -> Parquet) and of the vocabulary are in it.

    Tables of the CDM that `folders` lacks are made empty; without a `store` there are no vocabulary tables. Required
    columns are NOT NULL, persons, places, providers and small vocabulary tables have their primary key. `memory` bounds
    DuckDB, in bytes; what it needs beyond goes to disk beside the file.

    Raises ConfigurationError (the place, its disk, a file there that Dure did not write), SiteLockedError (another
    process writes it) and IntegrityError (rows that break a key); the file then holds what it held.
    """
    duckdb = _library()
    site = site_files(folders)
    files = files_to_load(site, store)
    before = {name: table.fingerprint() for name, table in site.items()}
    wanted = content(site, store)
    progress.stage(f"DuckDB {path}")
    with private_files(), _explained(path, duckdb), _beside(path) as folder:
        loaded = _there(path, wanted, duckdb)
        if loaded is not None:
            progress.note(f"{path} holds this content already")
        else:
            new = folder / path.name
            options = _OFFLINE | {
                "memory_limit": f"{memory >> 20}MiB",
                "temp_directory": str(folder / "spill"),
            }
            if threads:
                options |= {"threads": threads}
            with closing(duckdb.connect(":memory:", config=options)) as connection:
                connection.execute(f"ATTACH {_text(new)} AS target (STORAGE_VERSION '{_STORAGE}')")
                connection.execute("USE target")
                rows = {name: _write(connection, table, progress) for name, table in files.items()}
                check_unchanged(site, before)
                loaded = Loaded(wanted.digest, rows)
                _describe(connection, {**wanted.described(), "loaded": loaded.as_json()})
                connection.execute("USE memory")
                connection.execute("DETACH target")
            sync(new)
            new.replace(path)
            sync(path.parent)
    progress.done()
    return loaded


def _library() -> ModuleType:
    try:
        import duckdb
    except ModuleNotFoundError as error:
        if error.name != "duckdb":
            raise
        do = "install the extra that this target needs: pip install 'dure[duckdb]'"
        raise ConfigurationError(Problem("dure publish", "the library duckdb is not installed", do)) from error
    return duckdb


def _there(path: Path, wanted: Content, duckdb: ModuleType) -> Loaded | None:
    """What the file holds, when that is `wanted` already; ConfigurationError for a file that is not Dure's."""
    if not path.exists():
        return None
    found = None
    try:
        with closing(duckdb.connect(str(path), read_only=True, config=_OFFLINE)) as connection:
            found = connection.execute(f"SELECT identity, loaded FROM {DELIVERY_TABLE}").fetchone()
    except (duckdb.CatalogException, duckdb.ConnectionException, duckdb.IOException, duckdb.InvalidInputException):
        pass
    if found is None:
        do = "name another file, or remove this one; if a program has it open for writing, close that"
        raise ConfigurationError(Problem(str(path), "is no DuckDB file that Dure wrote, or cannot be read", do))
    return recorded(found[1]) if found[0] == wanted.identity else None


def _write(connection: DuckDBPyConnection, files: TableFiles, progress: Progress) -> int:
    """The rows of one table, in the order of its files."""
    started = time.monotonic()
    name = _name(files.table.name)
    connection.execute(_create(files.table))
    if files.rows:
        columns = ", ".join(_name(column) for column in files.table.names)
        paths = ", ".join(_text(path) for path in files.paths)
        connection.execute(f"INSERT INTO {name} SELECT {columns} FROM read_parquet([{paths}])")
    counted = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
    rows = counted[0] if counted else 0
    if rows != files.rows:
        found = f"DuckDB took {rows} rows, the files have {files.rows}"
        raise IntegrityError(Problem(files.table.name, found, "report this bug"))
    progress.table(files.table.name, rows, time.monotonic() - started)
    return rows


def _create(table: CdmTable) -> str:
    columns = [
        f"{_name(column.name)} {_TYPES[column.spark.simpleString()]}{' NOT NULL' if column.required else ''}"
        for column in table.columns
    ]
    if table.name in _KEYED:
        columns.append(f"PRIMARY KEY ({_name(str(key_of(table)))})")
    return f"CREATE TABLE {_name(table.name)} ({', '.join(columns)})"


def _describe(connection: DuckDBPyConnection, described: Mapping[str, str]) -> None:
    connection.execute(f"CREATE TABLE {DELIVERY_TABLE} ({', '.join(f'{name} VARCHAR' for name in described)})")
    marks = ", ".join("?" for _ in described)
    connection.execute(f"INSERT INTO {DELIVERY_TABLE} VALUES ({marks})", list(described.values()))


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An empty folder beside the file, held by this process alone; what a writer that died left there is removed."""
    folder = path.with_name(f".{path.name}.writing")
    try:
        if path.is_dir():
            raise ConfigurationError(Problem(str(path), "is a folder", "name the file to write, such as cdm.duckdb"))
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        do = "name a file in a folder that exists and that this user may write to"
        raise ConfigurationError(Problem(str(path), error.strerror or type(error).__name__, do)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SiteLockedError(
                Problem(str(path), "another process writes this file", "wait until it ends")
            ) from None
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


@contextmanager
def _explained(path: Path, duckdb: ModuleType) -> Iterator[None]:
    """Turns an error of DuckDB into one of Dure's; it is not chained, since its text may quote a patient's value."""
    try:
        yield
    except DureError:
        raise
    except duckdb.ConstraintException:
        found = "two rows have one key, or a row has no value where the CDM requires one"
        raise IntegrityError(Problem(str(path), found, "build the snapshot again")) from None
    except duckdb.OutOfMemoryException:
        found = "DuckDB's memory or the disk beside the file is full"
        raise ConfigurationError(Problem(str(path), found, "make room, or give it more memory")) from None
    except (duckdb.IOException, OSError):
        raise ConfigurationError(Problem(str(path), "cannot be written", "look at its disk and its rights")) from None
    except duckdb.Error as error:
        raise IntegrityError(
            Problem(str(path), f"DuckDB refused it ({type(error).__name__})", "report this bug")
        ) from None


def _name(name: str) -> str:
    return '"' + name + '"'


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
