"""The folders of a lake, and how a finished run becomes the current snapshot in one step.

    LAKE/cdm/SITE/SNAPSHOT/TABLE/*.parquet, manifest.json     the snapshot
    LAKE/reports/SITE/SNAPSHOT/                               its evidence
    LAKE/landing/SITE/SNAPSHOT/                               the extract as it was read
    LAKE/work/SITE/                                           what a run needs only while it runs
    LAKE/sites/SITE/                                          pointers, lock, salts
    LAKE/vocab/                                               vocabulary stores, shared by the sites

A run writes under hidden names and notes its id in `sites/SITE/unfinished`. What a run that died left behind is
therefore known by two signs, and the next run of the site removes it; a snapshot that a pointer names never goes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_args

from dure.errors import ConfigurationError, IntegrityError, Problem
from dure.snapshot.durable import LakeError, lake_access, make_folder, private_files, replace_file, sync, sync_tree
from dure.snapshot.lock import held
from dure.snapshot.manifest import MANIFEST, Manifest, read_manifest
from dure.snapshot.names import STAGED, check_snapshot_id, site_folder_name, snapshot_id
from dure.snapshot.salts import Salts, read_salts, remember_salts

Pointer = Literal["latest", "passed", "published"]
POINTERS: tuple[Pointer, ...] = get_args(Pointer)

# What a commit renames into place, the snapshot itself last: it is never there without its evidence.
_KEPT = ("landing", "reports", "cdm")
_AREAS = (*_KEPT, "work")


@dataclass(frozen=True)
class Staging:
    """The folders of a run under way. `leftovers` are the ids of dead runs that were removed to begin this one."""

    snapshot: str
    cdm: Path
    landing: Path
    work: Path
    reports: Path
    leftovers: tuple[str, ...]


class Lake:
    """A folder that holds the snapshots of any number of sites; nothing is made until a site is locked."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def stores(self) -> Path:
        """The folder of vocabulary stores."""
        return self.root / "vocab"

    def site(self, site: str) -> SiteLake:
        return SiteLake(self.root, site_folder_name(site))

    def called(self, name: str) -> SiteLake:
        """The site whose id is `name`, or else the one that was last run under that name (`remember_name`)."""
        site = self.site(name)
        if site.folder.is_dir():
            return site
        return next((other for other in map(self.site, self.sites()) if site.site in other.names()), site)

    def sites(self) -> tuple[str, ...]:
        """Names of the sites that ever ran here."""
        return tuple(name for name in _names(self.root / "sites") if not name.startswith("."))


class SiteLake:
    """One site's part of a lake. Whatever writes needs the lock; whatever reads does not."""

    def __init__(self, root: Path, site: str) -> None:
        self.root = root
        self.site = site
        self.folder = root / "sites" / site
        self._locked = False

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the site for one run, and makes all files of the run private; SiteLockedError when it is held."""
        with private_files():
            with lake_access(self.folder):
                make_folder(self.folder)
            with held(self.folder / "lock", self.site):
                self._locked = True
                try:
                    yield
                finally:
                    self._locked = False

    # ---- reading

    def pointer(self, name: Pointer) -> Path | None:
        """The folder of the snapshot that the pointer names; None when there is no such pointer yet."""
        path = self._pointer_file(name)
        with lake_access(path):
            if not path.exists():
                return None
            snapshot = path.read_text("utf-8").strip()
        folder = self.snapshot(check_snapshot_id(snapshot))
        if not (folder / MANIFEST).is_file():
            raise LakeError(
                Problem(
                    str(path), f"names the snapshot {snapshot}, which is not there", "restore it, or run the site again"
                )
            )
        return folder

    def current(self) -> Path:
        """What other programs should read: `passed` once a gate opened, until then `latest`.

        ConfigurationError when nothing was built for the site in this lake.
        """
        folder = self.pointer("passed") or self.pointer("latest")
        if folder is None:
            raise self._nothing_built()
        return folder

    def latest(self) -> Path:
        """The newest snapshot built; ConfigurationError when there is none."""
        folder = self.pointer("latest")
        if folder is None:
            raise self._nothing_built()
        return folder

    def snapshot(self, snapshot: str) -> Path:
        return self.root / "cdm" / self.site / snapshot

    def reports(self, snapshot: str) -> Path:
        return self.root / "reports" / self.site / snapshot

    def landing(self, snapshot: str) -> Path:
        return self.root / "landing" / self.site / snapshot

    def snapshots(self) -> tuple[str, ...]:
        """Ids of the snapshots there, the oldest first."""
        return tuple(name for name in _names(self.root / "cdm" / self.site) if not name.startswith("."))

    def latest_manifest(self) -> Manifest | None:
        """The manifest of the newest snapshot, such as to compare an extract's columns with; None before the first."""
        folder = self.pointer("latest")
        return read_manifest(folder) if folder else None

    def names(self) -> tuple[str, ...]:
        """Names other than its id that the site was run under: a folder 바다병원 may hold the site `bada`."""
        with lake_access(self._names_file):
            return tuple(self._names_file.read_text("utf-8").splitlines()) if self._names_file.exists() else ()

    def salts(self) -> Salts:
        return read_salts(self.folder / "salts.json")

    # ---- writing, under the lock

    def remember_name(self, name: str) -> None:
        """Makes the site findable by the name it is run under, where that is not its id."""
        self.require_lock()
        name, known = site_folder_name(name), self.names()
        if name != self.site and name not in known:
            with lake_access(self._names_file, self._still_current()):
                replace_file(self._names_file, "".join(f"{each}\n" for each in (*known, name)).encode())

    def remember_salts(self, new: Salts) -> Salts:
        """Adds salts for good and returns all of them."""
        self.require_lock()
        return remember_salts(self.folder / "salts.json", new)

    def new_id(self, now: datetime) -> str:
        """A free snapshot id for a run that starts at `now`, after those of all runs before, whatever the clock says."""
        reported = _names(self.root / "reports" / self.site)
        return snapshot_id(now, {*self.snapshots(), *(name for name in reported if not name.startswith("."))})

    def begin(self, snapshot: str) -> Staging:
        """Empty folders for a run, after what dead runs left was removed."""
        self.require_lock()
        check_snapshot_id(snapshot)
        with lake_access(self.root, self._still_current()):
            leftovers = self._remove_leftovers()
            taken = [str(path) for path in self._final(snapshot) if path.exists()]
            if taken:
                raise LakeError(Problem(taken[0], "this snapshot exists", "start the run again: it takes a new id"))
            replace_file(self._journal, f"{snapshot}\n".encode())
            staged = {area: self._staged(area, snapshot) for area in _AREAS}
            for folder in staged.values():
                make_folder(folder)
        return Staging(snapshot, staged["cdm"], staged["landing"], staged["work"], staged["reports"], leftovers)

    def cut_off(self) -> str | None:
        """Id of the run that ended before it had a snapshot, if its folders are still there to go on with."""
        with lake_access(self._journal):
            snapshot = self._journal.read_text("utf-8").strip() if self._journal.exists() else ""
            if not snapshot or snapshot in self._pointed():
                return None
        return snapshot if self._staged("work", check_snapshot_id(snapshot)).is_dir() else None

    def staged_work(self, snapshot: str) -> Path:
        """The work folder of a run that is under way or was cut off."""
        return self._staged("work", snapshot)

    def resume(self, snapshot: str) -> Staging:
        """The folders of a run that was cut off, under their hidden names again; what other dead runs left is removed."""
        self.require_lock()
        if snapshot in self._pointed():
            raise IntegrityError(Problem(snapshot, "a pointer names this snapshot", "report this bug"))
        with lake_access(self.root, self._still_current()):
            # Cut off amid its commit: the renames so far are taken back, the snapshot itself first.
            for area in _KEPT[::-1]:
                final, staged = self.root / area / self.site / snapshot, self._staged(area, snapshot)
                if final.exists():
                    final.rename(staged)
                    sync(final.parent)
            leftovers = self._remove_leftovers(but=snapshot)
            staged_folders = {area: self._staged(area, snapshot) for area in _AREAS}
            for folder in staged_folders.values():
                make_folder(folder)
        return Staging(snapshot=snapshot, leftovers=leftovers, **staged_folders)

    def commit(self, staging: Staging, manifest: Manifest) -> Path:
        """Makes the staged run the latest snapshot and returns its folder; the work folder goes.

        All or nothing: until the pointer is replaced, by one rename, `latest` names the snapshot before. Raises
        IntegrityError when a table of the CDM is missing or the manifest does not list the files that are there,
        LakeError when the disk refuses.
        """
        self.require_lock()
        self._check_tables(staging, manifest)
        try:
            with lake_access(staging.cdm):
                replace_file(staging.cdm / MANIFEST, manifest.as_json())
                for area in _KEPT:
                    sync_tree(self._staged(area, staging.snapshot))
                for area in _KEPT:
                    final = self._staged(area, staging.snapshot).rename(self.root / area / self.site / staging.snapshot)
                    sync(final.parent)
                replace_file(self._pointer_file("latest"), f"{staging.snapshot}\n".encode())
        except LakeError as error:
            raise LakeError(
                [Problem(p.where, p.found, f"{p.do}; {self._still_current()}") for p in error.problems]
            ) from error
        # The snapshot stands. What cannot be removed now, the next run removes.
        with suppress(OSError):
            shutil.rmtree(staging.work)
            self._journal.unlink()
        return self.snapshot(staging.snapshot)

    def abandon(self, staging: Staging) -> None:
        """Removes what a failed run wrote, such as to give a full disk back; the pointers stay."""
        self.require_lock()
        with lake_access(self.root, self._still_current()):
            self._remove_run(staging.snapshot)
            self._journal.unlink(missing_ok=True)

    def set_pointer(self, name: Pointer, snapshot: str) -> None:
        """Points at another snapshot, by one rename: a reader sees the old one or the new one."""
        self.require_lock()
        if not (self.snapshot(check_snapshot_id(snapshot)) / MANIFEST).is_file():
            raise LakeError(
                Problem(
                    str(self.snapshot(snapshot)), "no snapshot there", f"it has {', '.join(self.snapshots()) or 'none'}"
                )
            )
        with lake_access(self.folder, f"the pointer '{name}' stays"):
            replace_file(self._pointer_file(name), f"{snapshot}\n".encode())

    def drop_pointer(self, name: Pointer) -> None:
        """Takes a pointer away, such as `passed` from a snapshot that has changed since."""
        self.require_lock()
        with lake_access(self.folder, f"the pointer '{name}' stays"):
            self._pointer_file(name).unlink(missing_ok=True)
            sync(self.folder)

    # ---- the inside

    @property
    def _journal(self) -> Path:
        return self.folder / "unfinished"

    @property
    def _names_file(self) -> Path:
        return self.folder / "names"

    def _pointer_file(self, name: Pointer) -> Path:
        return self.folder / name

    def _staged(self, area: str, snapshot: str) -> Path:
        return self.root / area / self.site / f"{STAGED}{snapshot}"

    def _final(self, snapshot: str) -> list[Path]:
        return [self.root / area / self.site / snapshot for area in _KEPT]

    def require_lock(self) -> None:
        """Whatever writes calls it: that the lock is held is for the caller to see to."""
        if not self._locked:
            raise RuntimeError(f"the lake of {self.site} is written without its lock")

    def _pointed(self) -> set[str]:
        """Ids that a pointer names, whether or not the snapshot is there: none of them is ever removed."""
        files = [self._pointer_file(name) for name in POINTERS]
        return {file.read_text("utf-8").strip() for file in files if file.exists()}

    def _still_current(self) -> str:
        """The end of an error message: what readers get now."""
        try:
            snapshot = (self._pointer_file("latest")).read_text("utf-8").strip()
        except OSError:
            return "no snapshot was built yet"
        return f"the latest snapshot is still {snapshot}"

    def _remove_leftovers(self, but: str | None = None) -> tuple[str, ...]:
        dead = {self._journal.read_text("utf-8").strip()} if self._journal.exists() else set()
        for area in _AREAS:
            names = _names(self.root / area / self.site)
            dead |= {name.removeprefix(STAGED) for name in names if name.startswith(STAGED)}
        dead -= {"", but}
        removed = sorted(snapshot for snapshot in dead if self._remove_run(check_snapshot_id(snapshot)))
        if but is None:
            self._journal.unlink(missing_ok=True)
        return tuple(removed)

    def _remove_run(self, snapshot: str) -> bool:
        """Removes all folders of a run, but those of a snapshot that a pointer names; whether a dead run was removed.

        The snapshot itself goes first, under its hidden name: half of one never stands there.
        """
        stands = snapshot in self._pointed()
        for folder in [] if stands else self._final(snapshot)[::-1]:
            if folder.exists():
                folder.rename(folder.with_name(f"{STAGED}{snapshot}"))
        staged = [folder for area in _AREAS if (folder := self._staged(area, snapshot)).exists()]
        for folder in staged:
            shutil.rmtree(folder)
        return bool(staged) and not stands

    def _check_tables(self, staging: Staging, manifest: Manifest) -> None:
        from dure.cdm.schema import site_tables  # here, as it loads PySpark's types, which `dure path` does not need

        if (manifest.site, manifest.snapshot) != (self.site, staging.snapshot):
            raise IntegrityError(
                Problem("manifest", f"is of {manifest.site} {manifest.snapshot}, not of {self.site} {staging.snapshot}")
            )
        problems = [
            Problem(table, "the snapshot lacks this table of the CDM", "report this bug")
            for table in site_tables()
            if table not in manifest.tables
        ]
        with lake_access(staging.cdm, self._still_current()):
            _remove_engine_marks(staging.cdm)
            found = {
                path.relative_to(staging.cdm).as_posix(): path for path in staging.cdm.rglob("*") if path.is_file()
            }
            listed = {file.path: file.bytes for table in manifest.tables.values() for file in table.files}
            for name in sorted(found.keys() ^ listed.keys()):
                which = (
                    "listed in the manifest but not there" if name in listed else "there but not listed in the manifest"
                )
                problems.append(Problem(name, which, "report this bug"))
            for name in sorted(found.keys() & listed.keys()):
                if found[name].stat().st_size != listed[name]:
                    problems.append(Problem(name, "has changed since it was measured", "report this bug"))
        if problems:
            raise IntegrityError(problems)

    def _nothing_built(self) -> ConfigurationError:
        lake = Lake(self.root)
        if not self.root.is_dir():
            return ConfigurationError(
                Problem(str(self.root), "no such folder", "name the lake of your runs with --lake")
            )
        close = get_close_matches(self.site, lake.sites(), 1)
        do = f"build one with `dure run {self.site}`"
        if close and close[0] != self.site:
            do += f", or did you mean {close[0]}?"
        return ConfigurationError(Problem(str(self.root), f"no snapshot of {self.site} was built in this lake yet", do))


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir())) if folder.is_dir() else ()


def _remove_engine_marks(folder: Path) -> None:
    """Deletes `_SUCCESS`, `.part-0.crc` and the like, so that a table's folder holds its Parquet files alone."""
    for path in folder.glob("*/[._]*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
