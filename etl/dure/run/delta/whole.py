"""Whether what a delta starts from is what was written: bytes that changed on the disk must not be copied further."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dure.landing import Base
from dure.run.delta.basis import FOLDER
from dure.snapshot.durable import LakeError
from dure.snapshot.lake import Staging
from dure.snapshot.manifest import Manifest, changed_files

_FILE = "digests.json"
# Of the landing, beside the parts of the sources, which landing itself remembers.
_LANDED = (FOLDER, "_opted_out", "_rejects")


def write_digests(staging: Staging) -> None:
    """Writes down the SHA-256 of the evidence and of what landing leaves beside its rows, for the next night."""
    folder = staging.landing / FOLDER
    if folder.is_dir():
        digests = {name: _sha256(path) for name, path in _others(staging.landing, staging.reports)}
        (folder / _FILE).write_text(json.dumps(digests, ensure_ascii=False, indent=1) + "\n", "utf-8")


def damaged(manifest: Manifest, cdm: Path, landing: Path, reports: Path, sources: Iterable[str]) -> tuple[str, ...]:
    """Files of a snapshot, its landing and its evidence that are gone or not as they were written."""
    try:
        found = [f"cdm/{name}" for name in changed_files(cdm, manifest)]
        base = Base(manifest.snapshot, landing)
        for source in sources:
            note = base.note(source)
            parts = note.parts if note else {}
            found += [f"landing/{source}/{name}" for name in _changed(landing / source, parts)]
        written: dict[str, str] = json.loads((landing / FOLDER / _FILE).read_bytes())
        here = dict(_others(landing, reports))
        found += [name for name, digest in written.items() if name not in here or _sha256(here[name]) != digest]
    except (OSError, LakeError, ValueError) as error:
        return (str(getattr(error, "filename", None) or FOLDER),)
    return tuple(sorted(found))


def _changed(folder: Path, parts: Mapping[str, str]) -> Iterator[str]:
    there = {path.name for path in folder.glob("part-*.parquet")}
    for name in sorted(there ^ parts.keys()):
        yield name
    for name in sorted(there & parts.keys()):
        if _sha256(folder / name) != parts[name]:
            yield name


def _others(landing: Path, reports: Path) -> Iterator[tuple[str, Path]]:
    for top, folders in ((landing, [landing / name for name in _LANDED]), (reports, [reports])):
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != _FILE:
                    yield f"{'landing' if top is landing else 'reports'}/{path.relative_to(top).as_posix()}", path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
