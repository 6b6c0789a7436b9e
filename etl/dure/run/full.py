"""The stages of a full run after its landing: everybody is mapped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version

import pyarrow.parquet as pq

from dure.errors import Problem
from dure.run.delta import basis
from dure.run.shared import shared_of
from dure.run.state import RunState
from dure.stages import account, ids, mapping, resolve, structure
from dure.stages import derive as derived_tables
from dure.stages import prepare as prepared
from dure.stages import tables as cdm_tables
from dure.stages.losses import large_losses
from dure.stages.own_rows import write_own_rows
from dure.stages.terminology import CountedCodes, counted_codes, write_terminology
from dure.tables.rule import Shared

DERIVED = frozenset(
    {
        "observation_period", "condition_era", "drug_era", "dose_era",
        "cdm_source", "metadata", "source_to_concept_map", "concept",
    }
)  # fmt: skip
COUNTS, CODES = "counts", "terminology"


def prepare(run: RunState) -> None:
    """Prepares every source and view, and resolves the codes that they hold."""
    started = time.monotonic()
    folders = {name: run.staging.landing / name for name in run.landed}
    run.prepared = prepared.prepare(
        run.engine.session, run.site, run.rules, run.reading, folders, run.staging.work, run.early
    )
    run.progress.table("sources", sum(c.goes_on for c in run.prepared.counted.values()), time.monotonic() - started)
    started = time.monotonic()
    resolved = resolve.resolve_codes(
        run.engine.session, run.site, run.rules, run.reading, run.prepared, run.store, run.staging.work
    )
    run.progress.table("codes", len(resolved.resolution.targets), time.monotonic() - started)
    run.resolution = resolved.resolution
    run.shared = shared_of(run, resolved)
    tell_of_codes(run)


def tell_of_codes(run: RunState) -> None:
    """Tells what is wrong with the maps and with the vocabulary."""
    assert run.resolution is not None and run.shared is not None
    for problem in account.mapping_problems(run.resolution, run.staging.reports):
        run.warn(problem)
    for problem in structure.vocabulary_incomplete(run.store, run.rules, run.reading, run.shared):
        run.warn(problem)


def map_rules(run: RunState) -> None:
    """Maps every entry, again where records share an id."""
    assert run.shared is not None
    run.mapped_in = "mapped"
    run.mapped = _mapped(run, run.shared, run.mapped_in)
    given: ids.Salts = {}
    for turn in range(ids.ROUNDS):
        run.rows = account.count_rules(run.mapped)
        shared_ids = ids.shared_ids(run.mapped, run.rows.given)
        if not shared_ids:
            break
        given = _salt(run, shared_ids, given, turn)
    else:
        run.rows = account.count_rules(run.mapped)
        ids.refuse(ids.shared_ids(run.mapped, run.rows.given))
    if given:
        run.lake.remember_salts(given)
    if run.options.until is None:
        for name, make in _evidence(run).items():
            run.early.begin(name, make, "reports")


def _evidence(run: RunState) -> dict[str, Callable[[], object]]:
    """What the account stage asks of mapped frames, by name; the tables of the CDM are not needed for it."""
    assert run.prepared is not None and run.rows is not None and run.resolution is not None
    site, landed, prepared, mapped, rows = run.site, run.landed, run.prepared, run.mapped, run.rows
    resolution, resolved, reports = run.resolution, run.staging.work / resolve.RESOLVED, run.staging.reports

    def codes() -> CountedCodes:
        counted = counted_codes(mapped)
        write_terminology(site, run.rules, counted, resolution, run.store, resolved, reports)
        return counted

    return {
        COUNTS: lambda: account.count_rows(site, landed, prepared, mapped, rows),
        "rejects": lambda: account.write_rejects(mapped, reports),
        CODES: codes,
    }


def _mapped(run: RunState, shared: Shared, folder: str) -> mapping.Mapped:
    assert run.prepared is not None
    return mapping.map_rules(
        run.engine.session, run.rules, run.prepared, shared, run.staging.work / folder, run.progress
    )


def _salt(run: RunState, shared_ids: Mapping[str, int], given: ids.Salts, turn: int) -> ids.Salts:
    """Gives the newcomers among records that share an id a salt and maps again; all salts given in this run."""
    assert run.shared is not None
    revealed = _mapped(run, replace(run.shared, reveal=True), f"revealed-{turn}")
    previous = run.lake.latest_manifest()
    landing = run.lake.landing(previous.snapshot) if previous else None
    given = ids.united(given, ids.new_salts(run.engine.session, revealed, given, landing))
    run.shared = replace(run.shared, salts=ids.united(run.lake.salts(), given))
    for table, n in shared_ids.items():
        run.warn(
            Problem(
                f"table {table}",
                f"{n} new records met the id of another",
                "they have ids of their own now; the lake remembers",
            )
        )
    run.mapped_in = f"mapped-{turn}"
    run.mapped = _mapped(run, run.shared, run.mapped_in)
    return given


def tables(run: RunState) -> None:
    """Writes the tables that entries fill."""
    assert run.rows is not None
    run.tables = cdm_tables.write_mapped_tables(run.mapped, run.rows.given, run.staging.cdm, run.progress)


def derive(run: RunState) -> None:
    """Writes observation periods and eras, and what Dure says of itself."""
    finish_tables(run, _derived(run))


def _derived(run: RunState) -> derived_tables.Derived:
    return derived_tables.derive(
        run.engine.session,
        run.staging.cdm,
        run.tables,
        run.store,
        run.site.spec.site.id,
        run.as_of,
        run.site.spec.derive.observation_period,
        run.engine.parallelism,
        run.progress,
    )


def finish_tables(run: RunState, made: derived_tables.Derived) -> None:
    """Adds to the derived tables what Dure says of itself, and every table that nothing fed."""
    run.tables |= made.tables
    run.derived = made
    assert run.resolution is not None
    run.tables |= write_own_rows(run.site, run.store, run.resolution, run.as_of, version("dure"), run.staging.cdm)
    run.tables |= cdm_tables.write_missing_tables(run.staging.cdm, run.tables)


def account_for(run: RunState) -> None:
    """Counts what became of every row, and leaves the evidence and what the next night starts from."""
    assert run.prepared is not None and run.rows is not None
    found = {name: run.early.result(name, make) for name, make in _evidence(run).items()}
    counted = found[COUNTS]
    assert isinstance(counted, account.RowCounts)
    run.reconciliation = account.reconcile(
        run.site, run.prepared, run.mapped, run.rows, counted, run.tables, DERIVED, run.derived
    )
    run.reconciliation.balance()
    account.write_evidence(run.reconciliation, run.staging.reports, run.staging.work / resolve.RESOLVED)
    codes = found[CODES]
    assert isinstance(codes, CountedCodes)
    work = run.staging.work
    records, units = basis.counted(codes, pq.read_table(work / resolve.RESOLVED))
    ground = basis.ground_of(run.site, run.as_of, run.store, run.options.engine, run.lake)
    basis.write_basis(run.staging.landing, ground, work, records, units)
    warn_of_losses(run)


def warn_of_losses(run: RunState) -> None:
    """A warning for each entry that loses most of its rows."""
    assert run.reconciliation is not None
    for problem in large_losses(run.site, run.reconciliation):
        run.warn(problem)
