"""What `dure verify` does: holds a snapshot against a second computation, and leaves what came out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from dure.cdm.schema import site_tables
from dure.engine import EngineOptions, engine
from dure.errors import ConfigurationError, Problem
from dure.progress import Progress
from dure.run.options import Clock, StartEngine, utc_now
from dure.run.verify.made_of import Standing, engine_of, notes_of, rotten_of, site_of, standing_of, store_of
from dure.run.verify.opinion import Opinion
from dure.run.verify.options import VerifyOptions
from dure.run.verify.recompute import Drawn, Everybody, Ground, Recomputed, draw, recompute_all, recompute_drawn
from dure.run.verify.report import write_opinion
from dure.run.verify.scope import Scope
from dure.run.verify.two_tables import Side, TableCompared, compare_table
from dure.snapshot.durable import lake_access, make_folder, private_files
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.lock import held
from dure.snapshot.manifest import changed_files
from dure.stages.tables import write_missing_tables

_WORK = "verify-"


def verify_site(
    options: VerifyOptions, progress: Progress, start: StartEngine = engine, clock: Clock = utc_now
) -> Opinion:
    """Holds a snapshot against a second computation and leaves a report with its evidence.

    Reads without the site's lock, so that no run waits; one verification of a site at a time. Raises ConfigurationError where
    what the snapshot was made of has changed or is gone.
    """
    progress.stage("open")
    lake = Lake(options.lake)
    own = lake.called(options.site)
    snapshot = standing_of(own, options)
    site = site_of(options, snapshot)
    store = store_of(options, snapshot, lake, progress)
    chosen, notes = engine_of(options.engine, snapshot.manifest)
    rotten = rotten_of(snapshot)
    notes += [*notes_of(snapshot), *(f"{name}: not as it was written" for name in rotten)]
    for note in notes:
        progress.note(note)
    ground = Ground(site, store, snapshot.landing, own.salts(), snapshot.manifest.as_of, snapshot.manifest.dure_version)
    with private_files(), _work(own, snapshot) as work:
        try:
            opinion = _Verification(options, snapshot, ground, chosen, work, progress, start).opinion(notes)
        except BaseException as error:
            if isinstance(error, Exception) and not snapshot.stands():
                raise _gone(snapshot) from error
            if rotten and isinstance(error, Exception):
                do = "restore the landing from a backup, or verify another snapshot"
                raise ConfigurationError(
                    [Problem(name, "this landed file has changed", do) for name in rotten]
                ) from error
            raise
        if not snapshot.stands():
            raise _gone(snapshot)
        opinion = replace(opinion, report=write_opinion(opinion, own.reports(snapshot.folder.name), clock()))
    progress.done()
    return opinion


def _gone(snapshot: Standing) -> ConfigurationError:
    return ConfigurationError(
        Problem(
            str(snapshot.folder),
            "the snapshot was removed or changed while it was verified",
            "verify a snapshot that stays: `dure verify` without --snapshot",
        )
    )


# ---------------------------------------------------------------- the work


@contextmanager
def _work(own: SiteLake, snapshot: Standing) -> Iterator[Path]:
    """A folder of this verification's own; what one that was killed left behind goes first, and this one at the end."""
    area = own.root / "work" / own.site
    with held(own.folder / "verifying", f"{own.site} for `dure verify`"):
        with lake_access(area):
            for left in area.glob(f"{_WORK}*"):
                shutil.rmtree(left)
            make_folder(area / f"{_WORK}{snapshot.folder.name}")
        try:
            yield area / f"{_WORK}{snapshot.folder.name}"
        finally:
            shutil.rmtree(area / f"{_WORK}{snapshot.folder.name}", ignore_errors=True)


@dataclass(frozen=True)
class _Verification:
    """One verification under way."""

    options: VerifyOptions
    snapshot: Standing
    ground: Ground
    engine: EngineOptions
    work: Path
    progress: Progress
    start: StartEngine

    def opinion(self, notes: list[str]) -> Opinion:
        drawn, everybody = self._drawn()
        changed = changed_files(self.snapshot.folder, self.snapshot.manifest)
        if not self.snapshot.stands():
            raise _gone(self.snapshot)
        self.progress.stage("recompute")
        cdm = self.work / "cdm"
        cdm.mkdir()
        with self.start(self.engine) as running:
            if drawn is None:
                made = recompute_all(self.ground, running, cdm, self.work, self.progress)
            else:
                made = recompute_drawn(self.ground, drawn, running, cdm, self.work, self.progress)
            used = running
        self.progress.stage("compare")
        scope = None if made.persons is None else Scope(made.persons, self.snapshot.folder, cdm)
        compared = [self._compared(table, scope, cdm) for table in self._tables(made, cdm)]
        manifest = self.snapshot.manifest
        return Opinion(
            site=manifest.site,
            snapshot=manifest.snapshot,
            made_by=f"{manifest.engine.name} {manifest.engine.version}",
            verified_by=f"{used.name} {used.version}",
            dure_version=version("dure"),
            sample=self.options.sample,
            seed=self.options.seed,
            everybody=everybody,
            persons=None if made.persons is None else len(made.persons),
            landed_rows=None if drawn is None else drawn.rows,
            changed_files=changed,
            tables=tuple(compared),
            not_compared=made.missing,
            notes=tuple(notes),
        )

    def _drawn(self) -> tuple[Drawn | None, str]:
        self.progress.stage("draw")
        try:
            drawn = draw(self.ground, self.options.sample, self.options.seed)
        except Everybody as why:
            self.progress.note(f"everybody is verified: {why}")
            return None, str(why)
        self.progress.note(
            f"drew {drawn.persons:,} rows of persons; {drawn.rows:,} landed rows belong together with them"
        )
        return drawn, ""

    def _tables(self, made: Recomputed, cdm: Path) -> list[str]:
        write_missing_tables(cdm, {path.name: 1 for path in cdm.iterdir()})
        names = [*site_tables(), *({"concept"} & {*self.snapshot.manifest.tables, *(p.name for p in cdm.iterdir())})]
        return [name for name in names if name not in made.missing]

    def _compared(self, table: str, scope: Scope | None, cdm: Path) -> TableCompared:
        started = time.monotonic()
        one, two = (
            Side.of(folder / table) if scope is None else scope.side(folder, table)
            for folder in (self.snapshot.folder, cdm)
        )
        compared = compare_table(table, one, two, self.work / "compared")
        self.progress.table(table, compared.rows, time.monotonic() - started)
        return compared
