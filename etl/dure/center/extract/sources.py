"""The deliveries that a request reads, as the store holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dure.center.extract.frames import Source
from dure.center.extract.given import given_tables
from dure.center.extract.manifest import Delivered
from dure.center.receive.purge import read_record
from dure.center.store import CenterStore
from dure.errors import IntegrityError, Problem
from dure.snapshot.durable import LakeError, lake_access
from dure.snapshot.manifest import MANIFEST
from dure.stages.tables import rows_in

Sources = Sequence[tuple[Source, Delivered]]


def sources_of(store: CenterStore, sites: Iterable[str]) -> Sources:
    """The delivery of each site that counts now."""
    current = store.current()
    summaries = {each.site: each for each in store.summaries()}
    found = []
    for site in sorted(sites):
        folder = store.delivery(site, current[site])
        content = _bytes(folder / MANIFEST)
        manifest = _parsed(content, folder / MANIFEST)
        _as_received(folder, manifest)
        withdrawn = {int(each) for number in store.received(site) for each in _withdrawn(store.delivery(site, number))}
        rows = {name: rows_in(folder / name) for name in given_tables() if (folder / name).is_dir()}
        source = Source(site, folder, rows, sorted(withdrawn))
        delivered = Delivered(
            site=site,
            sequence=current[site],
            manifest=hashlib.sha256(content).hexdigest(),
            content=str(manifest["copy"]["digest"]),
            as_of=str(summaries[site].as_of),
            dates="shifted" if summaries[site].shifted else "unshifted",
        )
        found.append((source, delivered))
    return found


def local_concepts(sources: Sources) -> set[int]:
    """The concepts of the hospitals' own blocks that their deliveries hold."""
    found: set[int] = set()
    for source, _ in sources:
        for file in sorted((source.folder / "concept").glob("*.parquet")):
            found.update(pq.read_table(file, columns=["concept_id"], partitioning=None)["concept_id"].to_pylist())
    return found


def _as_received(folder: Path, manifest: Mapping[str, Any]) -> None:
    """IntegrityError where a table is not, byte for byte, what the hospital signed or what a withdrawal made of it."""
    after = read_record(folder).files
    problems = []
    for name in given_tables():
        listed = {file["path"]: file["sha256"] for file in manifest["tables"].get(name, {"files": ()})["files"]}
        there = {path.relative_to(folder).as_posix() for path in (folder / name).glob("*.parquet")}
        for path in sorted(listed.keys() | there):
            allowed = {listed.get(path), *(became.sha256 for became in after.get(path, ()))}
            if path not in listed or path not in there or _sha256(folder / path) not in allowed:
                do = "restore the store from a backup, or receive the delivery again"
                problems.append(Problem(str(folder / path), "is not the file that was received", do))
    if problems:
        raise IntegrityError(problems)


def _sha256(path: Path) -> str:
    with lake_access(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _withdrawn(folder: Path) -> list[int]:
    path = folder / MANIFEST
    return list(_parsed(_bytes(path), path)["withdrawn"]) if path.is_file() else []


def _bytes(path: Path) -> bytes:
    with lake_access(path):
        return path.read_bytes()


def _parsed(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise LakeError(Problem(str(path), "is not JSON", "restore the store from a backup")) from None
