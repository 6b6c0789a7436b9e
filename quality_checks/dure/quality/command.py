"""What `dure check` does: finds the snapshot, its vocabulary, its site's policy, starts an engine, says what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession

from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, Problem
from dure.progress import Progress
from dure.quality.check import Gate, Pages, Selection, check_snapshot
from dure.quality.evidence.record import Checking
from dure.quality.gate.site_files import read_gate_files
from dure.quality.results import Status, score
from dure.site.names import site_names
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import read_manifest
from dure.vocab import VocabularyStore, open_vocabulary


@dataclass(frozen=True)
class CheckOptions:
    """What `dure check` is asked to do; `vocab` overrides the store that made the snapshot."""

    site: str
    lake: Path
    sites: tuple[Path, ...]
    today: date
    vocab: Path | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)
    selection: Selection = field(default_factory=Selection)
    pages: Pages = field(default_factory=Pages)


@dataclass(frozen=True)
class Checked:
    """What came out: whether the gate is open, and the lines to print."""

    open: bool
    lines: list[str]


def check_site(
    options: CheckOptions,
    progress: Progress,
    start: Callable[[EngineOptions], AbstractContextManager[Engine]] = engine,
) -> Checked:
    """Checks the newest snapshot of a site, under the site's lock."""
    lake = Lake(options.lake)
    own = lake.called(options.site)
    snapshot = own.latest()
    store = _vocabulary(options, snapshot, lake, progress)
    gate = gate_of(_site_folder(own, options, progress), options.today)
    with own.lock(), start(options.engine) as running:
        progress.stage("check")
        checking = check_snapshot(
            running.session, own, snapshot, store, gate, progress, options.selection, options.pages
        )
    return Checked(checking.partial or checking.verdict.open, lines_of(checking, own.reports(snapshot.name)))


def check_committed(
    session: SparkSession,
    lake: SiteLake,
    snapshot: Path,
    site_folder: Path,
    store: VocabularyStore,
    today: date,
    progress: Progress,
) -> Checked:
    """Checks the snapshot that a run has just committed; the run holds the site's lock."""
    progress.stage("check")
    checking = check_snapshot(session, lake, snapshot, store, gate_of(site_folder, today), progress)
    return Checked(checking.verdict.open, lines_of(checking, lake.reports(snapshot.name)))


def gate_of(site_folder: Path | None, today: date) -> Gate:
    """The gate by the files of a site's folder."""
    files = read_gate_files(site_folder)
    return Gate(files.policy, files.waivers, today, files.expectations)


def lines_of(checking: Checking, reports: Path) -> list[str]:
    """What a person reads at the end: the verdict and its reasons first."""
    ends = Counter(result.status for result in checking.results)
    counts = ", ".join(f"{ends[status]:,} {status.value}" for status in Status)
    headline = score(checking.results)
    lines = []
    if checking.partial:
        lines += [
            f"  {r.check.id}: {r.violated} of {r.denominator}" for r in checking.results if r.status is Status.FAILED
        ]
        lines += [f"  {r.check.id}: {r.reason}" for r in checking.results if r.status is Status.ERROR]
        return [f"checks: {counts}; a part of the catalogue decides nothing", *lines]
    verdict = checking.verdict
    lines.append(f"gate: {'open' if verdict.open else 'closed'}")
    lines += [f"  closed by {reason}" for reason in verdict.closing]
    lines += [
        f"  waived until {item.waiver.expires} ({item.waiver.owner_role}): {item.reason}" for item in verdict.waived
    ]
    lines += [f"  waiver without use: {waiver.check}" for waiver in verdict.unused]
    lines.append(f"checks: {counts}; score {headline:.1%}" if headline is not None else f"checks: {counts}")
    lines.append(f"evidence: {reports}")
    return lines


def _vocabulary(options: CheckOptions, snapshot: Path, lake: Lake, progress: Progress) -> VocabularyStore:
    if options.vocab is not None:
        return open_vocabulary(options.vocab, lake.stores, progress)
    folder = Path(read_manifest(snapshot).vocabulary.folder)
    if not folder.is_dir():
        raise ConfigurationError(
            Problem(str(folder), "the vocabulary store that made the snapshot is not there", "name it with --vocab")
        )
    return open_vocabulary(folder, lake.stores, progress)


def _site_folder(own: SiteLake, options: CheckOptions, progress: Progress) -> Path | None:
    """The folder whose policy and waivers count: that of the name given, or of another name of the same site."""
    names = (options.site, own.site, *own.names())
    folders = [folder / name for name in names for folder in options.sites if name in site_names([folder])]
    if not folders:
        progress.note(f"no folder of {options.site} in --sites: the shipped policy counts, without waivers")
    return folders[0] if folders else None
