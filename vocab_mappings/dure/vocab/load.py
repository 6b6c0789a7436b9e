"""Loading: a folder of Athena's CSV files into a vocabulary store, in one streaming pass a file.

A store is written beside its final place and renamed into it, so a reader sees all of it or nothing, and two loads of
one download at the same time end with one store.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dure.errors import ConfigurationError, Problem
from dure.vocab.athena import AthenaFile, athena_tables, find_files, read_batches, schema_of
from dure.vocab.athena_faults import repeated_ids
from dure.vocab.concept_index import ConceptIndex, Flags, Longs
from dure.vocab.store import (
    CODE_TARGETS_FILE,
    FORMAT,
    MANIFEST,
    SUCCESSORS_FILE,
    VocabularyStore,
    is_store,
    open_store,
    store_name,
)
from dure.vocab.targets import (
    CODE_TARGETS,
    CONCEPT_COLUMNS,
    SUCCESSORS,
    FollowedRelationships,
    code_targets,
    derive_targets,
    successor_table,
)

# Columns that name a concept each row is about; other concept columns (units, languages) may lack it without loss.
_SUBJECTS = {
    "CONCEPT_RELATIONSHIP": ("concept_id_1", "concept_id_2"),
    "CONCEPT_ANCESTOR": ("ancestor_concept_id", "descendant_concept_id"),
    "CONCEPT_SYNONYM": ("concept_id",),
    "DRUG_STRENGTH": ("drug_concept_id", "ingredient_concept_id"),
}
_LOADING = ".loading-"
_GROUP_ROWS = 1 << 17


class TableProgress(Protocol):
    """What a load tells while it runs: one call a finished table."""

    def table(self, name: str, rows: int | None, seconds: float) -> None: ...


def open_vocabulary(path: Path, stores: Path, progress: TableProgress | None = None) -> VocabularyStore:
    """The store that `path` is, or the one loaded into `stores` from the Athena files in `path`."""
    return open_store(path) if is_store(path) else load_athena(path, stores, progress)


def load_athena(directory: Path, stores: Path, progress: TableProgress | None = None) -> VocabularyStore:
    """The store of a download: the one there already if the content is the same, else a new one.

    Raises ConfigurationError for files that are missing or malformed, with file and line; nothing is left behind then.
    """
    files = find_files(directory)
    before = {name: _fingerprint(file.path) for name, file in files.items()}
    digest = _digest(files.values())
    release = _release(files["VOCABULARY"])
    final = stores / store_name(release, digest)
    if is_store(final):
        return _same_content(final, digest)
    with _staging(stores, final.name) as staging:
        counts = _write_tables(files, staging, progress)
        if before != {name: _fingerprint(file.path) for name, file in files.items()}:
            raise ConfigurationError(
                Problem(str(directory), "a file changed while it was read", "wait until the unpacking is done")
            )
        _write_manifest(staging, release, digest, counts)
        _seal(staging)
        try:
            staging.rename(final)
        except OSError:
            # Another load of the same content was faster; what is there must then be the same store.
            if not is_store(final):
                raise
        _sync(stores)
    return _same_content(final, digest)


def _same_content(folder: Path, digest: str) -> VocabularyStore:
    store = open_store(folder)
    if store.digest != digest:
        raise ConfigurationError(
            Problem(str(folder), "holds another vocabulary than its name says", "remove the folder and load again")
        )
    return store


def _fingerprint(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _digest(files: Iterable[AthenaFile]) -> str:
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        with file.path.open("rb") as stream:
            whole.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _release(vocabulary: AthenaFile) -> str:
    """The version text of the row that Athena keeps for the vocabularies as a whole, `None` by name."""
    for batch in read_batches(vocabulary):
        for name, version in zip(
            batch.column("vocabulary_id").to_pylist(), batch.column("vocabulary_version").to_pylist(), strict=True
        ):
            if name == "None" and version:
                return str(version)
    return "unknown"


def _write_tables(
    files: dict[str, AthenaFile], folder: Path, progress: TableProgress | None
) -> dict[str, dict[str, int] | list[str]]:
    rows: dict[str, int] = {}
    dangling: dict[str, int] = {}

    def write(name: str, each: Callable[[pa.RecordBatch], None] | None = None) -> None:
        started = time.monotonic()
        file = files.get(name)
        schema = file.schema() if file else schema_of(athena_tables()[name])
        with _writer(folder / f"{name}.parquet", schema) as writer:
            rows[name] = 0
            for batch in read_batches(file) if file else ():
                writer.write_batch(batch)
                rows[name] += batch.num_rows
                if each:
                    each(batch)
        if progress:
            progress.table(name, rows[name], time.monotonic() - started)

    write("CONCEPT")
    concepts = _concepts_by_id(files["CONCEPT"], folder / "CONCEPT.parquet")
    index = ConceptIndex(concepts["concept_id"].to_numpy())
    followed = FollowedRelationships(index)

    def count_dangling(name: str) -> Callable[[pa.RecordBatch], None]:
        dangling[name] = 0

        def each(batch: pa.RecordBatch) -> None:
            known = np.ones(batch.num_rows, np.bool_)
            for column in _SUBJECTS[name]:
                known &= index.known(batch.column(column).to_numpy())
            dangling[name] += int(batch.num_rows - known.sum())
            if name == "CONCEPT_RELATIONSHIP":
                followed.add(batch)

        return each

    for name in sorted(set(athena_tables()) - {"CONCEPT"}):
        write(name, count_dangling(name) if name in _SUBJECTS else None)
    started = time.monotonic()
    targets = derive_targets(_standard(concepts), followed)
    with _writer(folder / CODE_TARGETS_FILE, CODE_TARGETS) as writer:
        for part in code_targets(concepts, targets):
            writer.write_table(part, row_group_size=_GROUP_ROWS)
    with _writer(folder / SUCCESSORS_FILE, SUCCESSORS) as writer:
        writer.write_table(successor_table(concepts, targets.successors), row_group_size=_GROUP_ROWS)
    if progress:
        progress.table(CODE_TARGETS_FILE.partition(".")[0], len(targets.source), time.monotonic() - started)
    vocabularies = {str(name) for name in concepts["vocabulary_id"].unique().to_pylist() if name}
    return {
        "rows": rows,
        "dangling": dangling,
        "targets": targets.counts,
        "vocabularies": sorted(vocabularies),
        "absent": sorted(set(athena_tables()) - set(files)),
    }


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # Ids hardly repeat within a page; only what does (vocabularies, relationships, dates) is worth a dictionary.
    repeating = [
        field.name
        for field in schema
        if not pa.types.is_integer(field.type) and not field.name.endswith(("_name", "_code"))
    ]
    return pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=repeating)


def _concepts_by_id(file: AthenaFile, path: Path) -> pa.Table:
    """The columns of CONCEPT that mapping needs, ascending by id; raises ConfigurationError where an id repeats."""
    table = pq.read_table(
        path, columns=list(CONCEPT_COLUMNS), read_dictionary=["vocabulary_id", "domain_id", "standard_concept"]
    )
    table = table.unify_dictionaries().combine_chunks()
    ids = table["concept_id"].to_numpy()
    order: Longs = np.argsort(ids, kind="stable")
    ordered = ids[order]
    repeated = {int(number) for number in ordered[1:][ordered[1:] == ordered[:-1]]}
    if repeated:
        raise ConfigurationError(repeated_ids(file.path, file.header.index("concept_id"), repeated))
    return table.take(pa.array(order)).combine_chunks()


def _standard(concepts: pa.Table) -> Flags:
    marks = concepts["standard_concept"].combine_chunks()
    of_mark = np.array([mark == "S" for mark in marks.dictionary.to_pylist()] + [False], np.bool_)
    is_marked: Flags = of_mark[marks.indices.fill_null(len(of_mark) - 1).to_numpy(zero_copy_only=False)]
    valid: Flags = concepts["invalid_reason"].is_null().to_numpy()
    return is_marked & valid


def _write_manifest(folder: Path, release: str, digest: str, counts: dict[str, Any]) -> None:
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.parquet"))}
    content = {"format": FORMAT, "release": release, "digest": digest, "counts": counts, "files": sizes}
    (folder / MANIFEST).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _seal(folder: Path) -> None:
    """Makes a finished folder durable and its files read-only."""
    for path in folder.iterdir():
        _sync(path)
        path.chmod(path.stat().st_mode & ~0o222)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _staging(stores: Path, name: str) -> Iterator[Path]:
    """A folder of this load alone, gone afterwards unless renamed; folders of loads that died are removed first."""
    stores.mkdir(parents=True, exist_ok=True)
    for left in stores.glob(f"{_LOADING}*"):
        with _claim(left) as claimed:
            if claimed:
                shutil.rmtree(left, ignore_errors=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_LOADING}{name}-", dir=stores))
        with _claim(folder) as claimed:
            # Another load that is tidying up may have taken the new folder for a dead one before it was claimed.
            if not claimed or not folder.exists():
                continue
            try:
                yield folder
                return
            finally:
                if folder.exists():
                    shutil.rmtree(folder)


@contextmanager
def _claim(folder: Path) -> Iterator[bool]:
    """Whether this process got the lock on a folder, which the system frees when its holder dies."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)
