"""Whether the disk of the lake has room for a run, asked before anything is read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dure.engine import EngineOptions
from dure.errors import ConfigurationError, Problem
from dure.snapshot.lake import SiteLake
from dure.snapshot.manifest import read_manifest

# What a run writes at most for each byte of its extract before it is done: `python benchmarks/restart.py` measures it, and
# docs/guide/operations.md shows what it found. CSV files become about a seventh of their size when they are packed.
PLAIN, PACKED = 4.0, 26.0
# What a run writes for each byte that it keeps, the work folder included; as measured, with a little more.
KEPT = 2.5
# An extract between half and twice the one before is of its kind: a full one after changes is not.
ALIKE = 2.0
# Apache Spark writes what it shuffles among the temporary files of this machine; Sail keeps it in memory.
SPILLED_BY_SPARK = 1.0
_PACKED = frozenset({".gz", ".parquet"})
# A run of few rows still writes every table of the CDM, its evidence and its reports.
LEAST = 32 << 20


def room_needed(own: SiteLake, extract: Mapping[Path, int]) -> int:
    """An upper estimate of the bytes that a run of these files (with their sizes) writes before it is done.

    By what the latest snapshot took where there is one, in proportion to the extracts where they are alike; else by what
    was measured of other sites.
    """
    size = sum(extract.values())
    by_size = sum(n * (PACKED if path.suffix.lower() in _PACKED else PLAIN) for path, n in extract.items())
    latest = own.pointer("latest")
    if latest is None:
        return LEAST + int(by_size)
    kept = KEPT * sum(map(_bytes, (latest, own.landing(latest.name), own.reports(latest.name))))
    before = sum(file.bytes for given in read_manifest(latest).inputs.values() for file in given.files)
    alike = before and size and 1 / ALIKE <= size / before <= ALIKE
    return LEAST + int(kept * max(1.0, size / before) if alike else max(kept, by_size))


def spilled(options: EngineOptions) -> float:
    """What the engine may write among the temporary files, for each byte of the extract."""
    return SPILLED_BY_SPARK if options.name == "spark" else 0.0


def check_room(own: SiteLake, extract: Mapping[Path, int], spilled: float) -> None:
    """ConfigurationError where the lake's disk, or that of temporary files, cannot take the run.

    `spilled` is what the engine may write among the temporary files for each byte of the extract.
    """
    needed = room_needed(own, extract)
    temporary = int(spilled * sum(extract.values()))
    places = {_standing(own.root): needed}
    spill = _standing(Path(tempfile.gettempdir()))
    same = next((place for place in places if place.stat().st_dev == spill.stat().st_dev), spill)
    places[same] = places.get(same, 0) + temporary
    problems = []
    for place, bytes_needed in places.items():
        free = shutil.disk_usage(place).free
        if free < bytes_needed:
            found = f"the run may need {_shown(bytes_needed)} and {_shown(free)} are free"
            do = "give the engine another TMPDIR, or make room there"
            if place is not spill or place == _standing(own.root):
                do = f"remove old snapshots with `dure prune {own.site} --keep 2`, or make room"
            problems.append(Problem(str(place), found, f"{do}; --no-disk-check runs all the same"))
    if problems:
        raise ConfigurationError(problems)


def _standing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return path if path.is_dir() else _standing(path.parent)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _shown(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):,.0f} MiB"
