"""Which snapshots of a site stay, and how the others go: out of sight in one step, and again after a crash."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.snapshot.durable import LakeError, lake_access, replace_file, sync
from dure.snapshot.lake import POINTERS, SiteLake
from dure.snapshot.manifest import read_manifest
from dure.snapshot.names import check_snapshot_id

_JOURNAL = "pruning"
_HIDDEN = ".pruned-"
# The snapshot itself first: what stands under `cdm` always has its landing and its evidence.
_ALL = ("cdm", "landing", "reports")


@dataclass(frozen=True)
class Retention:
    """A policy: the newest `snapshots` stay, and all that are younger than `days`; evidence of the newest `reports`.

    What a pointer names stays whatever the policy says. `reports` below `snapshots` means no more than those.
    """

    snapshots: int
    days: int = 0
    reports: int = 0

    def __post_init__(self) -> None:
        wrong = [
            Problem(name, f"{value} cannot be", f"write {least} or more")
            for name, value, least in (
                ("--keep", self.snapshots, 1),
                ("--keep-days", self.days, 0),
                ("--keep-reports", self.reports, 0),
            )
            if value < least
        ]
        if wrong:
            raise ConfigurationError(wrong)


@dataclass(frozen=True)
class Pruned:
    """What goes, or would go: ids of snapshots, ids of which only the evidence was left, and the bytes given back."""

    snapshots: tuple[str, ...]
    reports: tuple[str, ...]
    bytes: int


def to_prune(site: SiteLake, policy: Retention, now: datetime) -> Pruned:
    """What the policy lets go at this moment; nothing is changed."""
    there = site.snapshots()
    kept = _pointed(site) | set(there[-policy.snapshots :])
    if policy.days:
        since = now - timedelta(days=policy.days)
        kept |= {name for name in there if name not in kept and _created(site, name) >= since}
    gone = tuple(name for name in there if name not in kept)
    evidence = [name for name in _reported(site) if name not in kept]
    stay = set(sorted({*_reported(site), *there})[-max(policy.reports, 1) :]) if policy.reports else set()
    reports = tuple(name for name in evidence if name not in stay)
    places = [site.root / area / site.site / name for area in ("cdm", "landing") for name in gone]
    places += [site.reports(name) for name in reports]
    return Pruned(gone, reports, sum(map(own_bytes, places)))


def prune(site: SiteLake, policy: Retention, now: datetime) -> Pruned:
    """Removes what the policy lets go. Under the site's lock.

    The list is written down first; each snapshot then leaves by one rename. What a crash leaves of it goes with the next
    pruning, or with the next run, see `finish_pruning`.
    """
    finish_pruning(site)
    pruned = to_prune(site, policy, now)
    if pruned.snapshots or pruned.reports:
        lines = [f"snapshot {name}\n" for name in pruned.snapshots] + [f"reports {name}\n" for name in pruned.reports]
        with lake_access(site.folder, "no snapshot was removed"):
            replace_file(site.folder / _JOURNAL, "".join(lines).encode())
        finish_pruning(site)
    return pruned


def finish_pruning(site: SiteLake) -> None:
    """Does what is left of a pruning that was written down; a snapshot that a pointer names by now stays. Under the lock."""
    site.require_lock()
    journal = site.folder / _JOURNAL
    with lake_access(site.folder, "what is left goes with the next run"):
        if not journal.exists():
            return
        pointed = _pointed(site)
        for kind, name in _listed(journal):
            if name not in pointed:
                for area in ("cdm", "landing") if kind == "snapshot" else ("reports",):
                    _remove(site.root / area / site.site, name)
        journal.unlink()


def own_bytes(folder: Path) -> int:
    """The bytes that removing the folder gives back: a file that another folder shares by a hard link counts nothing."""
    if not folder.is_dir():
        return 0
    stats = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)


def _remove(parent: Path, name: str) -> None:
    hidden = parent / f"{_HIDDEN}{name}"
    if (parent / name).exists():
        (parent / name).rename(hidden)
        sync(parent)
    if hidden.exists():
        shutil.rmtree(hidden)


def _listed(journal: Path) -> list[tuple[str, str]]:
    entries = [line.partition(" ") for line in journal.read_text("utf-8").splitlines()]
    if any(kind not in ("snapshot", "reports") for kind, _, _ in entries):
        raise LakeError(Problem(str(journal), "is not a list of snapshots to remove", "delete this file"))
    return [(kind, check_snapshot_id(name)) for kind, _, name in entries]


def _pointed(site: SiteLake) -> set[str]:
    return {folder.name for name in POINTERS if (folder := site.pointer(name)) is not None}


def _reported(site: SiteLake) -> Collection[str]:
    folder = site.root / "reports" / site.site
    names = (path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()
    return sorted(name for name in names if not name.startswith("."))


def _created(site: SiteLake, snapshot: str) -> datetime:
    """When the snapshot was made; one whose manifest cannot be read counts as new, so that nobody loses it unseen."""
    try:
        return read_manifest(site.snapshot(snapshot)).created
    except LakeError:
        return datetime.max.replace(tzinfo=UTC)
