"""Persons who withdrew, taken out of every delivery of their hospital that is kept; it can be cut off at any moment.

The hospital names their pseudonyms in each manifest since. Rows that hang on their records go first and PERSON last, so
that PERSON still tells what is left to do. `purge.json` says what each file became before it becomes that: every file
is, at any moment, the one of the signed manifest or one that the record lists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from dure.cdm.schema import table as cdm_table
from dure.center.receive.claimed import Claimed, read_claimed
from dure.center.receive.quarantine import drop_packages
from dure.center.receive.refused import PackageRefused
from dure.center.store import CenterStore
from dure.center.summary.counted import Ints
from dure.center.summary.made import count_again, counted
from dure.center.summary.model import SUMMARY, Summary
from dure.center.summary.tables import write_tables
from dure.errors import Problem
from dure.progress import Progress
from dure.snapshot.durable import LakeError, lake_access, replace_file, sync
from dure.snapshot.manifest import MANIFEST

PURGE = "purge.json"
_BLOCK_ROWS = 1 << 16
# Tables without a person's column: the records that their rows point at say whose they are. Ids of records have 63
# random bits, so an id names one record, whichever table it is in.
_POINTING = {
    "note_nlp": ("note_id",),
    "episode_event": ("episode_id", "event_id"),
    "cost": ("cost_event_id",),
    "fact_relationship": ("fact_id_1", "fact_id_2"),
}


class Became(BaseModel):
    """What a file became."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sha256: str
    bytes: int
    rows: int


class PurgeRecord(BaseModel):
    """`applied` names the withdrawals that are done; `files` what the files of the manifest became, the last at the end."""

    model_config = ConfigDict(extra="forbid")
    purge_version: int = 1
    applied: str = ""
    persons: int = 0
    files: dict[str, list[Became]] = {}


def withdrawn_of(store: CenterStore, site: str) -> Ints:
    """Pseudonyms that any delivery of the site withdraws, ascending."""
    every = {person for number in store.received(site) for person in _claimed(store.delivery(site, number)).withdrawn}
    return np.array(sorted(every), np.int64)


def purge_site(store: CenterStore, site: str, progress: Progress) -> int:
    """Takes the withdrawn persons out of every delivery of the site; how many deliveries changed. Under the lock."""
    withdrawn = withdrawn_of(store, site)
    if not withdrawn.size:
        return 0
    name = hashlib.sha256(withdrawn.tobytes()).hexdigest()
    changed, new = 0, False
    for number in store.received(site):
        folder = store.delivery(site, number)
        record = read_record(folder)
        if record.applied != name:
            new = True
            changed += _purge(folder, store.summary(site, number), record, name, withdrawn)
    if new:
        drop_packages(store.root / "quarantine", site)
    if changed:
        progress.note(f"{site}: withdrawn persons were taken out of {changed:,} deliveries")
    return changed


def read_record(delivery: Path) -> PurgeRecord:
    path = delivery / PURGE
    with lake_access(path):
        return PurgeRecord.model_validate_json(path.read_bytes()) if path.exists() else PurgeRecord()


def damaged(delivery: Path) -> list[str]:
    """Files of a delivery that hold neither what was signed nor what a purge made of it, or are missing."""
    claimed, record = _claimed(delivery), read_record(delivery)
    wrong = []
    with lake_access(delivery):
        for file in claimed.files:
            allowed = {file.sha256, *(became.sha256 for became in record.files.get(file.path, []))}
            path = delivery / file.path
            if not path.is_file() or _sha256(path) not in allowed:
                wrong.append(file.path)
    return wrong


def _purge(folder: Path, summary: Path, record: PurgeRecord, name: str, withdrawn: Ints) -> bool:
    claimed = _claimed(folder)
    with lake_access(folder):
        for half in folder.glob("*/.*.new"):
            half.unlink()
        persons = _persons(folder, claimed, withdrawn)
        if persons or record.files:
            ids = _records_of(folder, claimed, withdrawn)
            for table in sorted(claimed.tables, key=_turn):
                for file in claimed.tables[table].files:
                    _rewrite(folder, file.path, table, withdrawn, ids, record)
            record.persons = _count_again(folder, claimed, summary)
        record.applied = name
        _write(folder, record)
    return bool(persons)


def _turn(table: str) -> tuple[bool, bool, str]:
    return table not in _POINTING, table == "person", table


def _persons(folder: Path, claimed: Claimed, withdrawn: Ints) -> int:
    return sum(
        int(np.isin(block["person_id"].to_numpy(), withdrawn).sum())
        for file in claimed.tables["person"].files
        for block in _blocks(folder / file.path, ["person_id"])
    )


def _records_of(folder: Path, claimed: Claimed, withdrawn: Ints) -> Ints:
    """Ids of all records of these persons, and the persons' own."""
    parts = [withdrawn]
    for name, table in claimed.tables.items():
        key = cdm_table(name).primary_key
        if "person_id" in cdm_table(name).names and key and key != "person_id":
            for file in table.files:
                for block in _blocks(folder / file.path, ["person_id", key]):
                    parts.append(block[key].to_numpy()[np.isin(block["person_id"].to_numpy(), withdrawn)])
    return np.unique(np.concatenate(parts))


def _rewrite(folder: Path, path: str, table: str, withdrawn: Ints, ids: Ints, record: PurgeRecord) -> None:
    columns, hit = (
        (("person_id",), withdrawn) if "person_id" in cdm_table(table).names else (_POINTING.get(table, ()), ids)
    )
    file = folder / path
    if not columns or not any(_gone(block, columns, hit).any() for block in _blocks(file, list(columns))):
        return
    beside = file.with_name(f".{file.name}.new")
    rows = 0
    with pq.ParquetFile(file) as old, pq.ParquetWriter(beside, old.schema_arrow, compression="zstd") as writer:
        for block in old.iter_batches(_BLOCK_ROWS):
            kept = block.filter(pa.array(~_gone(block, columns, hit)))
            writer.write_batch(kept)
            rows += kept.num_rows
    sync(beside)
    became = Became(sha256=_sha256(beside), bytes=beside.stat().st_size, rows=rows)
    known = record.files.setdefault(path, [])
    if became not in known:
        known.append(became)
        _write(folder, record)
    beside.replace(file)
    sync(file.parent)


def _gone(block: pa.RecordBatch, columns: tuple[str, ...], hit: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    gone = np.zeros(block.num_rows, bool)
    for column in columns:
        gone |= np.isin(pc.fill_null(block[column], -1).to_numpy(zero_copy_only=False), hit)
    return gone


def _count_again(folder: Path, claimed: Claimed, summary: Path) -> int:
    """The counted files of the summary, each replaced by one rename, and what its page says; how many persons went."""
    paths: Mapping[str, list[str]] = {
        name: [file.path for file in table.files] for name, table in claimed.tables.items()
    }
    summing = count_again(folder, paths)
    beside = summary / ".new"
    beside.mkdir(exist_ok=True)
    write_tables(summing, beside)
    for path in sorted(beside.iterdir()):
        replace_file(summary / path.name, path.read_bytes())
        path.unlink()
    beside.rmdir()
    said = Summary.model_validate_json((summary / SUMMARY).read_bytes())
    new = counted(said, summing)
    gone = claimed.tables["person"].rows - new.persons
    replace_file(summary / SUMMARY, new.model_copy(update={"withdrawn": gone}).as_json())
    return gone


def _claimed(delivery: Path) -> Claimed:
    with lake_access(delivery):
        content = (delivery / MANIFEST).read_bytes()
    try:
        return read_claimed(content)
    except PackageRefused as error:
        found = f"was received, and is no manifest of this version of Dure: {error.problems[0].found}"
        raise LakeError(Problem(str(delivery / MANIFEST), found, "restore it from a backup")) from None


def _blocks(file: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as parquet:
        yield from parquet.iter_batches(_BLOCK_ROWS, columns=columns)


def _write(folder: Path, record: PurgeRecord) -> None:
    replace_file(folder / PURGE, record.model_dump_json(indent=1).encode() + b"\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
