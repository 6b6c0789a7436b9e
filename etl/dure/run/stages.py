"""The stages of a run in their order: what each reads, what it writes, and what it calls."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pyarrow as pa
from pyspark.errors import PySparkException

from dure.errors import IntegrityError, Problem
from dure.run import full
from dure.run.delta.basis import Mismatch
from dure.run.delta.compared import NoDelta, compare, possible, tell_tables
from dure.run.delta.night import Delta
from dure.run.state import RunState, Stage
from dure.site.spec import LandedSource
from dure.snapshot.durable import disk_is_full
from dure.snapshot.forgotten import forgotten
from dure.stages.land import LandOptions, land, previous_of
from dure.stages.source_rows import source_rows

StageOf = Callable[[RunState], None]
FULL: dict[str, StageOf] = {
    "prepare": full.prepare,
    "map": full.map_rules,
    "tables": full.tables,
    "derive": full.derive,
    "account": full.account_for,
}


def _land(run: RunState) -> None:
    for problem in run.site.warnings:
        run.warn(problem)
    whole = possible(run) is None and not run.options.dry_run
    previous = previous_of(run.lake.latest_manifest(), run.lake.landing, run.lake.snapshots())
    run.landed = land(
        run.site,
        run.rules,
        run.options.source,
        run.staging.landing,
        previous,
        run.progress,
        run.warn,
        before=run.starting.check,
        after=lambda name: _begin_source(run, name) if whole else None,
        forgotten=forgotten(run.lake.folder),
        options=LandOptions(read_all=run.options.full, accept_small=run.options.accept_small),
    )
    # A source of which no file came tonight has the columns of before.
    columns = {name: made.columns for name, made in run.landed.items()}
    run.site = replace(run.site, headers=columns | run.site.headers)


def _begin_source(run: RunState, name: str) -> None:
    """Begins to prepare a source that has landed, while others still land."""
    source = run.site.spec.sources[name]
    if run.options.until == "land" or not isinstance(source, LandedSource):
        return
    own = [rule for rule in run.rules if rule.source == name]
    folder, work = run.staging.landing / name, run.staging.work
    made = partial(source_rows, run.engine.session, name, source, own, run.reading, folder, work)
    run.early.begin(name, made, "work")


def _compare(run: RunState) -> None:
    """Decides what of the night is mapped anew: the persons touched, or everybody, and then why."""
    started = time.monotonic()
    try:
        compared = compare(run, run.told)
        if run.options.dry_run:
            tell_tables(run.told, compared)
    except NoDelta as why:
        run.told.why = str(why)
    except (OSError, pa.ArrowException, PySparkException) as error:
        if disk_is_full(error):
            raise
        run.told.why = f"the snapshot before cannot be read ({type(error).__name__})"
    if run.told.why:
        run.progress.note(f"a full run: {run.told.why}")
        return
    run.delta = Delta(run, compared)
    rows = compared.closure.rows
    run.progress.note(f"a delta from {compared.before.snapshot}: {compared.persons:,} persons, {rows:,} rows")
    run.progress.table("changes", rows, time.monotonic() - started)


def _delta_or_full(name: str) -> StageOf:
    """A stage that maps the touched persons only, in a delta run, and everybody in a full one."""

    def stage(run: RunState) -> None:
        if run.delta is None:
            FULL[name](run)
            return
        try:
            _DELTA[name](run, run.delta)
        except (Mismatch, IntegrityError) as error:
            _full_after_all(run, name, str(error))
        except (OSError, pa.ArrowException, PySparkException) as error:
            if disk_is_full(error):
                raise
            _full_after_all(run, name, f"the snapshot before cannot be read ({type(error).__name__})")

    return stage


def _prepare(run: RunState, delta: Delta) -> None:
    delta.prepare()
    full.tell_of_codes(run)


def _tables(run: RunState, delta: Delta) -> None:
    run.tables = delta.tables()


def _account(run: RunState, delta: Delta) -> None:
    run.reconciliation = delta.account(full.DERIVED)
    full.warn_of_losses(run)


_DELTA: dict[str, Callable[[RunState, Delta], None]] = {
    "prepare": _prepare,
    "map": lambda _, delta: delta.map(),
    "tables": _tables,
    "derive": lambda run, delta: full.finish_tables(run, delta.derive()),
    "account": _account,
}


def _full_after_all(run: RunState, name: str, why: str) -> None:
    """Does all stages up to this one for everybody: what a delta would have made is not what a full run makes."""
    run.warn(
        Problem(
            f"the delta from {run.told.before}",
            f"does not add up: {why}",
            "this run is a full one, so the snapshot is right; please report it",
        )
    )
    run.delta, run.told.why = None, f"the delta did not add up: {why}"
    run.tables, run.resolution, run.shared = {}, None, None
    for folder in (run.staging.cdm, run.staging.work, run.staging.reports):
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
    for stage, make in FULL.items():
        make(run)
        if stage == name:
            return


STAGES = (
    Stage("land", ("extract",), "landing", _land),
    Stage("compare", ("landing",), "work", _compare),
    Stage("prepare", ("landing",), "work", _delta_or_full("prepare")),
    Stage("map", ("landing", "work"), "work", _delta_or_full("map")),
    Stage("tables", ("work",), "cdm", _delta_or_full("tables")),
    Stage("derive", ("cdm",), "cdm", _delta_or_full("derive")),
    Stage("account", ("landing", "work", "cdm"), "reports", _delta_or_full("account")),
)
