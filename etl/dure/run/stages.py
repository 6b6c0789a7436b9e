"""The stages of a run in their order: what each reads, what it writes, and what it calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version

from dure.derive.cdm_source import cdm_source_row
from dure.derive.own_tables import metadata_rows, source_to_concept_map_rows
from dure.errors import Problem
from dure.run.state import RunState, Stage
from dure.site.spec import FileSource
from dure.snapshot.forgotten import forgotten
from dure.stages import account, derive, ids, mapping, prepare, resolve, rules, structure, tables
from dure.stages.land import land
from dure.stages.losses import large_losses
from dure.stages.source_rows import source_rows
from dure.stages.terminology import write_terminology
from dure.tables.rule import Shared
from dure.vocab.local_targets import adopted_concepts
from dure.vocab.map_files import read_map_file

DERIVED = frozenset(
    {
        "observation_period", "condition_era", "drug_era", "dose_era",
        "cdm_source", "metadata", "source_to_concept_map", "concept",
    }
)  # fmt: skip
COUNTS = "counts"


def _land(run: RunState) -> None:
    for problem in run.site.warnings:
        run.warn(problem)
    previous = run.lake.latest_manifest()
    run.landed = land(
        run.site,
        run.rules,
        run.options.source,
        run.staging.landing,
        {name: given.columns for name, given in previous.inputs.items()} if previous else {},
        run.progress,
        run.warn,
        before=run.starting.check,
        after=lambda name: _begin_source(run, name),
        forgotten=forgotten(run.lake.folder),
    )


def _begin_source(run: RunState, name: str) -> None:
    """Begins to prepare a source that has landed, while others still land."""
    source = run.site.spec.sources[name]
    if run.options.until == "land" or not isinstance(source, FileSource):
        return
    own = [rule for rule in run.rules if rule.source == name]
    folder, work = run.staging.landing / name, run.staging.work
    run.early.begin(name, lambda: source_rows(run.engine.session, name, source, own, run.reading, folder, work))


def _prepare(run: RunState) -> None:
    started = time.monotonic()
    folders = {name: run.staging.landing / name for name in run.landed}
    run.prepared = prepare.prepare(
        run.engine.session, run.site, run.rules, run.reading, folders, run.staging.work, run.early
    )
    run.progress.table("sources", sum(c.goes_on for c in run.prepared.counted.values()), time.monotonic() - started)
    started = time.monotonic()
    resolved = resolve.resolve_codes(
        run.engine.session, run.site, run.rules, run.reading, run.prepared, run.store, run.staging.work
    )
    run.resolution = resolved.resolution
    run.progress.table("codes", len(resolved.resolution.targets), time.monotonic() - started)
    for problem in account.mapping_problems(resolved.resolution, run.staging.reports):
        run.warn(problem)
    run.shared = Shared(
        site=run.site.spec.site.id,
        reading=run.reading,
        resolved=resolved.engine_map,
        as_of=run.as_of,
        default_type=run.site.defaults.type_concept_id,
        open_stay=run.site.visit_policy.open_stay,
        merge_visits=tuple(run.site.visit_policy.merge),
        domains=resolved.domains,
        titer_unit=run.reading.concepts[rules.TITER.name].get(("{titer}",), 0),
        linked=structure.linked_of(run.rules, run.store),
        salts=run.lake.salts(),
    )
    for problem in structure.vocabulary_incomplete(run.store, run.rules, run.reading, run.shared):
        run.warn(problem)


def _map(run: RunState) -> None:
    assert run.shared is not None
    run.mapped = _mapped(run, run.shared, "mapped")
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
            run.early.begin(name, make)


def _evidence(run: RunState) -> dict[str, Callable[[], object]]:
    """What the account stage asks of mapped frames, by name; the tables of the CDM are not needed for it."""
    assert run.prepared is not None and run.rows is not None and run.resolution is not None
    site, landed, prepared, mapped, rows = run.site, run.landed, run.prepared, run.mapped, run.rows
    resolution, resolved, reports = run.resolution, run.staging.work / "resolved.parquet", run.staging.reports
    return {
        COUNTS: lambda: account.count_rows(site, landed, prepared, mapped, rows),
        "rejects": lambda: account.write_rejects(mapped, reports),
        "terminology": lambda: write_terminology(site, mapped, resolution, run.store, resolved, reports),
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
    run.mapped = _mapped(run, run.shared, f"mapped-{turn}")
    return given


def _tables(run: RunState) -> None:
    assert run.rows is not None
    run.tables = tables.write_mapped_tables(run.mapped, run.rows.given, run.staging.cdm, run.progress)


def _derive(run: RunState) -> None:
    made = derive.derive(
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
    run.tables |= made.tables
    run.derived = made
    assert run.resolution is not None
    own = {
        "cdm_source": [cdm_source_row(run.site, run.store.release, run.as_of, version("dure"))],
        "metadata": metadata_rows(run.site, run.store, run.as_of, version("dure")),
        "source_to_concept_map": source_to_concept_map_rows(run.resolution, run.store, run.site.local_concepts),
    }
    for table, rows in own.items():
        run.tables[table] = tables.write_rows(rows, table, run.staging.cdm / table)
    run.tables |= tables.write_missing_tables(run.staging.cdm, run.tables)
    if run.site.local_concepts:
        adopted = adopted_concepts(run.site.local_concepts, run.site.vocabularies.values(), read_map_file)
        rows = [concept.row(standard=concept.concept_id in adopted) for concept in run.site.local_concepts]
        run.tables["concept"] = tables.write_rows(rows, "concept", run.staging.cdm / "concept")


def _account(run: RunState) -> None:
    assert run.prepared is not None and run.rows is not None
    found = {name: run.early.result(name, make) for name, make in _evidence(run).items()}
    counted = found[COUNTS]
    assert isinstance(counted, account.RowCounts)
    run.reconciliation = account.reconcile(
        run.site, run.prepared, run.mapped, run.rows, counted, run.tables, DERIVED, run.derived
    )
    run.reconciliation.balance()
    account.write_evidence(run.reconciliation, run.staging.reports, run.staging.work / "resolved.parquet")
    for problem in large_losses(run.site, run.reconciliation):
        run.warn(problem)


STAGES = (
    Stage("land", ("extract",), "landing", _land),
    Stage("prepare", ("landing",), "work", _prepare),
    Stage("map", ("landing", "work"), "work", _map),
    Stage("tables", ("work",), "cdm", _tables),
    Stage("derive", ("cdm",), "cdm", _derive),
    Stage("account", ("landing", "work", "cdm"), "reports", _account),
)
