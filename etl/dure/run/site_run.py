"""One run of one site: puts the stages in order and keeps the previous snapshot until the new one is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime

from dure.accounting.summary import summary
from dure.engine import Starting, engine
from dure.errors import ConfigurationError, Problem
from dure.landing import header_of
from dure.progress import Progress
from dure.run.gate import gate_read
from dure.run.manifest import manifest_of
from dure.run.options import Committed, Prove, RunOptions, RunResult, StartEngine
from dure.run.stages import STAGES
from dure.run.state import RunState, Stage
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.names import site_folder_name
from dure.stages import rules
from dure.stages.early import Early
from dure.stages.supported import check_supported
from dure.vocab import open_vocabulary


def run_site(
    options: RunOptions, progress: Progress, start: StartEngine = engine, prove: Prove | None = None
) -> RunResult:
    """Builds a new snapshot of a site and makes it the latest; on any error the previous one stays.

    `start` gives the engine for as long as the run lasts; many runs in one process may share one that is up. `prove` is
    asked about the snapshot once it stands: whatever it finds, the snapshot stays the latest.

    Raises ConfigurationError, SourceError, SiteLockedError or IntegrityError as the errors module describes.
    """
    names = [stage.name for stage in STAGES]
    if options.until is not None and options.until not in names:
        raise ConfigurationError(
            Problem("--until", f"there is no stage '{options.until}'", f"one of {', '.join(names)}")
        )
    progress.stage("open")
    with gate_read(options) if prove else nullcontext():
        site = load_site(options.site, options.sites, options.source, header_of)
        check_supported(site)
    as_of = options.as_of or site.spec.site.extract_date
    if as_of is None:
        raise ConfigurationError(
            Problem(
                site.where("site"),
                "nothing says as of which day the extract was taken",
                "give site.extract_date, or --as-of",
            )
        )
    if set(str(options.lake)) & set("?*[]{}"):
        raise ConfigurationError(
            Problem(
                str(options.lake), "engines read ? * [ ] { } in a path as a pattern", "choose a lake path without them"
            )
        )
    lake = Lake(options.lake)
    own = lake.site(site.spec.site.id)
    with own.lock():
        site = replace(site, warnings=(*site.warnings, *_new_name(own, options.site)))
        own.remember_name(options.site)
        return _locked(options, progress, site, as_of, lake, own, start, prove)


def _new_name(own: SiteLake, name: str) -> Iterator[Problem]:
    """A warning where the lake has snapshots of the site, none of them made under this name."""
    known = (own.site, *own.names())
    if site_folder_name(name) not in known and own.latest_manifest():
        yield Problem(
            f"site {own.site}",
            f"its snapshots in this lake were made as {', '.join(known[1:] or known)}, not as {name}",
            "nothing to do where the folder was renamed; two hospitals need ids of their own",
        )


def _locked(
    options: RunOptions,
    progress: Progress,
    site: Site,
    as_of: date,
    lake: Lake,
    own: SiteLake,
    start: StartEngine,
    prove: Prove | None,
) -> RunResult:
    store = open_vocabulary(options.vocab, lake.stores, progress)
    ordered = rules.rules_of(site)
    reading = rules.reading_of(site, ordered, store)
    now = datetime.now(UTC)
    staging = own.begin(own.new_id(now))
    for dead in staging.leftovers:
        progress.note(f"removed what the unfinished run {dead} left behind")
    finished = False
    try:
        with Starting(lambda: start(options.engine)) as starting, Early() as early:
            run = RunState(options, site, as_of, store, starting, early, own, staging, progress, ordered, reading)
            for stage in STAGES:
                progress.stage(stage.name)
                stage.fn(run)
                if stage.name == options.until:
                    finished = True
                    return _stopped(run, stage)
            assert run.reconciliation is not None
            progress.stage("commit")
            snapshot = own.commit(staging, manifest_of(run, now))
            finished = True
            result = RunResult(
                snapshot, own.reports(staging.snapshot), run.tables, summary(run.reconciliation), run.warnings
            )
            if prove is None:
                return result
            proved = prove(Committed(run.engine, own, snapshot, site, store))
            return replace(result, lines=[*result.lines, "", *proved.lines], gate_open=proved.open)
    finally:
        progress.done()
        if not finished:
            own.abandon(staging)


def _stopped(run: RunState, stage: Stage) -> RunResult:
    lines = [f"stopped after {stage.name}; the latest snapshot is unchanged and the next run removes these folders"]
    return RunResult(run.staging.cdm, run.staging.reports, run.tables, lines, run.warnings)
