"""What a snapshot was made of, found again; a verification is refused where some of it is gone or has changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.engine import MINIMUM_JAVA, EngineOptions, java_version
from dure.errors import ConfigurationError, Problem
from dure.progress import Progress
from dure.run.delta.whole import damaged
from dure.run.verify.options import VerifyOptions
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.site.names import site_names
from dure.snapshot.durable import LakeError
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import MANIFEST, Manifest, read_manifest
from dure.snapshot.names import check_snapshot_id
from dure.stages.supported import check_supported
from dure.stages.tables import rows_in
from dure.vocab import VocabularyStore, open_vocabulary


@dataclass(frozen=True)
class Standing:
    """The snapshot to verify."""

    own: SiteLake
    folder: Path
    manifest: Manifest

    @property
    def landing(self) -> Path:
        return self.own.landing(self.folder.name)

    def stands(self) -> bool:
        """Whether it is there, as it was when the verification began."""
        try:
            return self.landing.is_dir() and read_manifest(self.folder).digest == self.manifest.digest
        except LakeError:
            return False


def standing_of(own: SiteLake, options: VerifyOptions) -> Standing:
    if options.snapshot is not None:
        folder = own.snapshot(check_snapshot_id(options.snapshot))
        if not (folder / MANIFEST).is_file():
            there = ", ".join(own.snapshots()) or "none"
            raise ConfigurationError(Problem("--snapshot", f"{own.site} has no {options.snapshot}", f"it has {there}"))
    else:
        folder = own.latest() if options.latest else own.current()
    snapshot = Standing(own, folder, read_manifest(folder))
    missing = [name for name in snapshot.manifest.inputs if not any((snapshot.landing / name).glob("*.parquet"))]
    if missing or not snapshot.landing.is_dir():
        what = f"the landed rows of {', '.join(missing)} are" if snapshot.landing.is_dir() else "it is"
        raise ConfigurationError(
            Problem(
                str(snapshot.landing),
                f"{what} gone, and with them all that snapshot {folder.name} could be worked out from again",
                f"verify another snapshot, or restore it from a backup; {own.site} has {', '.join(own.snapshots())}",
            )
        )
    for name in snapshot.manifest.inputs:
        _require_whole(snapshot.landing / name)
    return snapshot


def _require_whole(folder: Path) -> None:
    for file in sorted(folder.glob("*.parquet")):
        try:
            pq.read_metadata(file)
        except (pa.ArrowException, OSError) as error:
            do = "restore the landing from a backup, or verify another snapshot"
            raise ConfigurationError(Problem(str(file), "this landed file is no whole Parquet", do)) from error


def site_of(options: VerifyOptions, snapshot: Standing) -> Site:
    """The site as the snapshot was made from it; ConfigurationError, with every file that differs, where it is not that."""
    names = (options.site, snapshot.own.site, *snapshot.own.names())
    known = site_names(options.sites)
    site = load_site(next((name for name in names if name in known), options.site), options.sites)
    check_supported(site)
    if site.spec.site.id != snapshot.own.site:
        found = f"is of the site {site.spec.site.id}, not of {snapshot.own.site}"
        raise ConfigurationError(Problem(str(site.folder), found, "name the right folder of sites with --sites"))
    now, then = site.file_digests, snapshot.manifest.map_digests
    differ = [
        Problem(name, found, "verify with the folder as it was then (--sites), or a snapshot made since")
        for name in sorted(now.keys() | then.keys())
        if (found := _difference(now.get(name), then.get(name)))
    ]
    if differ:
        raise ConfigurationError(differ)
    return replace(site, headers={name: given.columns for name, given in snapshot.manifest.inputs.items()})


def _difference(now: str | None, then: str | None) -> str:
    if now == then:
        return ""
    if now is None:
        return "the snapshot was made with this file, and it is gone"
    return "was added since the snapshot was made" if then is None else "has changed since the snapshot was made"


def store_of(options: VerifyOptions, snapshot: Standing, lake: Lake, progress: Progress) -> VocabularyStore:
    used = snapshot.manifest.vocabulary
    folder = options.vocab or Path(used.folder)
    if not folder.is_dir():
        raise ConfigurationError(
            Problem(
                str(folder),
                f"the vocabulary store that made the snapshot is not there (release {used.release})",
                "name it, or the download that it was made of, with --vocab",
            )
        )
    store = open_vocabulary(folder, lake.stores, progress)
    if store.digest != used.digest:
        raise ConfigurationError(
            Problem(
                str(folder),
                f"the release {store.release} is not what made the snapshot, which is {used.release}",
                "name that one with --vocab",
            )
        )
    return store


def engine_of(asked: EngineOptions, manifest: Manifest) -> tuple[EngineOptions, list[str]]:
    """The engine to verify with; another one than the snapshot was made with unless somebody says so."""
    used = manifest.engine.name
    if asked.name:
        notes = [f"{used} made the snapshot, too: both would make the same mistake"] if asked.name == used else []
        return asked, notes
    if used != "sail":
        return replace(asked, name="sail"), []
    if (java_version() or 0) >= MINIMUM_JAVA:
        return replace(asked, name="spark"), []
    note = f"no Java {MINIMUM_JAVA} for a second engine: sail made the snapshot, too, and would make the same mistake"
    return replace(asked, name="sail"), [note]


def notes_of(snapshot: Standing) -> list[str]:
    """What a reader of differences should know."""
    manifest, notes = snapshot.manifest, []
    if manifest.dure_version != version("dure"):
        notes.append(f"Dure {manifest.dure_version} made the snapshot; this is {version('dure')}")
    for name, given in manifest.inputs.items():
        rows = rows_in(snapshot.landing / name)
        if rows != given.rows_landed:
            notes.append(
                f"{name}: {rows:,} landed rows of {given.rows_landed:,}; persons were removed, or rows are lost"
            )
    return notes


def rotten_of(snapshot: Standing) -> list[str]:
    """The files of the landing that are not as they were written, as far as it says; forgetting a person writes some anew."""
    reports = snapshot.own.reports(snapshot.folder.name)
    changed = damaged(snapshot.manifest, snapshot.folder, snapshot.landing, reports, snapshot.manifest.inputs)
    return [name for name in changed if name.startswith("landing/")]
