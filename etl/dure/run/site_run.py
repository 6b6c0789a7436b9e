"""One run of one site: puts the stages in order and keeps the previous snapshot until the new one is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

from dure.accounting.summary import summary
from dure.engine import Engine, Starting, engine, out_of_memory
from dure.errors import ConfigurationError, DeadlineError, DureError, MemoryLimitError, Problem
from dure.landing import header_of, refuse_unready
from dure.progress import Progress
from dure.run.checkpoints import Checkpoints, cut_off_run, leaves_a_checkpoint
from dure.run.delta.whole import write_digests
from dure.run.extract import extract_files
from dure.run.fingerprint import inputs_of
from dure.run.gate import gate_read
from dure.run.manifest import manifest_of
from dure.run.options import Clock, Committed, Prove, RunOptions, RunResult, StartEngine, utc_now
from dure.run.stages import STAGES
from dure.run.state import RunState
from dure.run.waiting import Waiting, gate_decided, wait_for_gate, waiting_snapshot
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.site.sources import DatabaseSource
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.names import site_folder_name
from dure.snapshot.pruning import finish_pruning, prune
from dure.snapshot.room import check_room, spilled
from dure.stages import rules
from dure.stages.early import Early
from dure.stages.supported import check_supported
from dure.vocab import VocabularyStore, open_vocabulary

# Nobody can tell whether a database still says what it said: its rows are those of one night.
DATABASE_ROWS_LAST = timedelta(hours=12)


def run_site(
    options: RunOptions,
    progress: Progress,
    start: StartEngine = engine,
    prove: Prove | None = None,
    clock: Clock = utc_now,
) -> RunResult:
    """Builds a new snapshot of a site and makes it the latest; on any error the previous one stays.

    A run that was cut off is gone on with after the last of its stages that ended, where everything that the outcome
    depends on is still the same.

    `start` gives the engine for as long as the run lasts; many runs in one process may share one that is up. `prove` is
    asked about the snapshot once it stands: whatever it finds, the snapshot stays the latest.

    Raises ConfigurationError, SourceError, SiteLockedError, DeadlineError or IntegrityError as the errors module
    describes.
    """
    names = [stage.name for stage in STAGES]
    if options.until is not None and options.until not in names:
        raise ConfigurationError(
            Problem("--until", f"there is no stage '{options.until}'", f"one of {', '.join(names)}")
        )
    progress.stage("open")
    with gate_read(options) if prove else nullcontext():
        site = load_site(options.site, options.sites, options.source, header_of, partial(refuse_unready, now=clock()))
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
        store = open_vocabulary(options.vocab, lake.stores, progress)
        return _locked(_Asked(options, progress, site, as_of, own, store, start, prove, clock))


def _new_name(own: SiteLake, name: str) -> Iterator[Problem]:
    """A warning where the lake has snapshots of the site, none of them made under this name."""
    known = (own.site, *own.names())
    if site_folder_name(name) not in known and own.latest_manifest():
        yield Problem(
            f"site {own.site}",
            f"its snapshots in this lake were made as {', '.join(known[1:] or known)}, not as {name}",
            "nothing to do where the folder was renamed; two hospitals need ids of their own",
        )


@dataclass(frozen=True)
class _Asked:
    """What one run under the site's lock works with."""

    options: RunOptions
    progress: Progress
    site: Site
    as_of: date
    own: SiteLake
    store: VocabularyStore
    start: StartEngine
    prove: Prove | None
    clock: Clock


def _locked(asked: _Asked) -> RunResult:
    options, own = asked.options, asked.own
    finish_pruning(own)
    inputs = inputs_of(options, asked.site, asked.as_of, asked.store, own, asked.clock())
    saved = None
    if not (options.restart or options.full):
        reads_database = any(isinstance(each, DatabaseSource) for each in asked.site.spec.sources.values())
        since = asked.clock() - DATABASE_ROWS_LAST if reads_database else None
        if asked.prove is not None and (waiting := waiting_snapshot(own, inputs, since)):
            return _gate_alone(asked, waiting, asked.prove)
        saved = cut_off_run(own, inputs, [stage.name for stage in STAGES], asked.progress, since)
    saved = saved or _begun(asked, inputs)
    settled = False
    try:
        with saved, Starting(lambda: asked.start(options.engine)) as starting, Early() as early:
            run = _state(asked, starting, early, saved)
            saved.give(run)
            stopped = _staged(asked, run, saved)
            if stopped is not None:
                settled = not options.dry_run
                return stopped
            waiting = _committed(asked, run, saved)
            settled = True
            if asked.prove is None:
                return _pruned(asked, _result(own, waiting))
            _in_time(asked, "commit")
            return _proved(asked, waiting, run.engine, asked.prove)
    except BaseException as error:
        # What the next run can go on from stays; a mistake that somebody must correct gives its space back.
        settled = settled or (saved.written and leaves_a_checkpoint(error))
        if not isinstance(error, DureError) and out_of_memory(error):
            found = f"the engine has no more of the memory that it may take ({options.engine.memory or 'no --memory'})"
            do = "give it more with --memory, or fewer --threads; the next run goes on after the last stage that ended"
            raise MemoryLimitError(Problem("", found, do)) from error
        raise
    finally:
        asked.progress.done()
        if not settled:
            own.abandon(saved.staging)


def _begun(asked: _Asked, inputs: Mapping[str, str]) -> Checkpoints:
    """A run that begins with its first stage."""
    if asked.options.check_disk:
        check_room(asked.own, extract_files(asked.options.source, asked.site), spilled(asked.options.engine))
    now = asked.clock()
    staging = asked.own.begin(asked.own.new_id(now))
    for dead in staging.leftovers:
        asked.progress.note(f"removed what the unfinished run {dead} left behind")
    return Checkpoints(staging, now, inputs)


def _state(asked: _Asked, starting: Starting, early: Early, saved: Checkpoints) -> RunState:
    ordered = rules.rules_of(asked.site)
    return RunState(
        asked.options,
        asked.site,
        asked.as_of,
        asked.store,
        starting,
        early,
        asked.own,
        saved.staging,
        asked.progress,
        ordered,
        rules.reading_of(asked.site, ordered, asked.store),
    )


def _staged(asked: _Asked, run: RunState, saved: Checkpoints) -> RunResult | None:
    """Runs the stages that are left, with a checkpoint after each; a result where the run was to stop after one."""
    until = asked.options.until
    if until is not None and until in saved.finished:
        return _stopped(run, until)
    for stage in STAGES[len(saved.finished) :]:
        asked.progress.stage(stage.name)
        stage.fn(run)
        saved.after(stage, run)
        if stage.name == until:
            return _stopped(run, until)
        if stage.name == "compare" and asked.options.dry_run:
            return replace(_stopped(run, stage.name), lines=run.told.lines())
        _in_time(asked, stage.name)
    return None


def _committed(asked: _Asked, run: RunState, saved: Checkpoints) -> Waiting:
    """Makes the staged run the latest snapshot; what the gate is to be asked about."""
    assert run.reconciliation is not None
    asked.progress.stage("commit")
    saved.wait()
    write_digests(run.staging)
    manifest = manifest_of(run, saved.started)
    waiting = Waiting(
        snapshot=saved.staging.snapshot,
        started=saved.started,
        inputs=dict(saved.inputs),
        tables=run.tables,
        lines=tuple(summary(run.reconciliation)),
        warnings=tuple(run.warnings),
    )
    if asked.prove is not None:
        wait_for_gate(asked.own, waiting)
    asked.own.commit(saved.staging, manifest)
    return waiting


def _gate_alone(asked: _Asked, waiting: Waiting, prove: Prove) -> RunResult:
    """Goes on after the commit: the snapshot stands since an earlier run, which did not get to its gate."""
    asked.progress.note(f"the snapshot {waiting.snapshot} stands; going on with its gate")
    for problem in waiting.warnings:
        asked.progress.warn(problem)
    try:
        with asked.start(asked.options.engine) as running:
            return _proved(asked, waiting, running, prove)
    finally:
        asked.progress.done()


def _proved(asked: _Asked, waiting: Waiting, running: Engine, prove: Prove) -> RunResult:
    snapshot = asked.own.snapshot(waiting.snapshot)
    proved = prove(Committed(running, asked.own, snapshot, asked.site, asked.store))
    gate_decided(asked.own)
    result = _result(asked.own, waiting)
    return _pruned(asked, replace(result, lines=[*result.lines, "", *proved.lines], gate_open=proved.open))


def _result(own: SiteLake, waiting: Waiting) -> RunResult:
    snapshot = own.snapshot(waiting.snapshot)
    return RunResult(snapshot, own.reports(snapshot.name), waiting.tables, list(waiting.lines), list(waiting.warnings))


def _pruned(asked: _Asked, result: RunResult) -> RunResult:
    """Lets old snapshots go, as the policy says; only now, so that a run that fails removes none."""
    if asked.options.keep is not None:
        for snapshot in prune(asked.own, asked.options.keep, asked.clock()).snapshots:
            asked.progress.note(f"removed the snapshot {snapshot}, as the policy says")
    return result


def _in_time(asked: _Asked, ended: str) -> None:
    """Raises DeadlineError where the time is up; `ended` is the stage that has just ended."""
    deadline = asked.options.deadline
    if deadline is not None and asked.clock() >= deadline:
        raise DeadlineError(Problem(f"--deadline {deadline:%H:%M}", f"stopped after {ended}", "the next run goes on"))


def _stopped(run: RunState, stage: str) -> RunResult:
    lines = [f"stopped after {stage}; the latest snapshot is unchanged and the next run goes on from there"]
    return RunResult(run.staging.cdm, run.staging.reports, run.tables, lines, run.warnings)
