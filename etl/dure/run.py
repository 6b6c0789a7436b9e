"""One run of one site: puts the stages in order and keeps the previous snapshot until the new one is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dure.cdm.schema import CDM_VERSION
from dure.derive.cdm_source import cdm_source_row
from dure.derive.own_tables import metadata_rows, source_to_concept_map_rows
from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, Problem
from dure.landing import Landed, header_of
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.snapshot.lake import Lake, SiteLake, Staging
from dure.snapshot.manifest import EngineUsed, Input, Manifest, VocabularyUsed, measure_tables, snapshot_digest
from dure.stages import account, derive, ids, mapping, prepare, tables
from dure.stages.land import land
from dure.stages.supported import check_supported
from dure.tables.rule import Rule, Shared
from dure.vocab import Resolution, VocabularyStore, open_vocabulary, structural_concepts_missing

if TYPE_CHECKING:
    from dure.accounting.reconciliation import Reconciliation
    from dure.progress import Progress
    from dure.tables.cells import Reading

DERIVED = frozenset(
    {
        "observation_period", "condition_era", "drug_era", "dose_era",
        "cdm_source", "metadata", "source_to_concept_map", "concept",
    }
)  # fmt: skip
StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]


@dataclass(frozen=True)
class RunOptions:
    """What a run is asked to do; `as_of` overrides the spec's extract date."""

    site: str
    source: Path
    vocab: Path
    lake: Path
    sites: tuple[Path, ...]
    engine: EngineOptions = field(default_factory=EngineOptions)
    as_of: date | None = None
    until: str | None = None
    full: bool = False


@dataclass(frozen=True)
class RunResult:
    """What a run made: the snapshot's folder, the folder of its evidence, rows by CDM table, and a summary to print."""

    snapshot: Path
    reports: Path
    tables: Mapping[str, int]
    lines: list[str]
    warnings: list[Problem]


@dataclass
class _Run:
    """What stages hand on; each stage fills what its name says."""

    options: RunOptions
    site: Site
    as_of: date
    store: VocabularyStore
    engine: Engine
    lake: SiteLake
    staging: Staging
    progress: Progress
    rules: list[Rule]
    reading: Reading
    warnings: list[Problem] = field(default_factory=list)
    landed: dict[str, Landed] = field(default_factory=dict)
    prepared: prepare.Prepared | None = None
    shared: Shared | None = None
    mapped: mapping.Mapped = field(default_factory=list)
    rows: account.RuleRows | None = None
    tables: dict[str, int] = field(default_factory=dict)
    resolution: Resolution | None = None
    derived: derive.Derived = field(default_factory=derive.Derived)
    reconciliation: Reconciliation | None = None

    def warn(self, problem: Problem) -> None:
        self.warnings.append(problem)
        self.progress.warn(problem)


@dataclass(frozen=True)
class Stage:
    """One step of a run: what it reads from the folders before it, and the folder that it writes."""

    name: str
    reads: tuple[str, ...]
    writes: str
    fn: Callable[[_Run], None]


def _land(run: _Run) -> None:
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
    )


def _prepare(run: _Run) -> None:
    started = time.monotonic()
    folders = {name: run.staging.landing / name for name in run.landed}
    run.prepared = prepare.prepare(run.engine.session, run.site, run.rules, run.reading, folders, run.staging.work)
    run.progress.table("sources", sum(c.goes_on for c in run.prepared.counted.values()), time.monotonic() - started)
    started = time.monotonic()
    resolved = prepare.resolve_codes(
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
        titer_unit=run.reading.concepts[prepare.TITER.name].get(("{titer}",), 0),
        linked=prepare.linked_of(run.rules, run.store),
        salts=run.lake.salts(),
    )
    missing = structural_concepts_missing(run.store, prepare.structural_concepts(run.rules, run.reading, run.shared))
    if missing:
        run.warn(
            Problem(
                f"vocabulary {run.store.release}",
                f"lacks {len(missing)} concepts that the site or Dure writes: {', '.join(map(str, missing[:12]))}",
                "they are written all the same; load a complete vocabulary to have their names",
            )
        )


def _map(run: _Run) -> None:
    assert run.shared is not None
    run.mapped = _mapped(run, run.shared, "mapped")
    given: ids.Salts = {}
    for turn in range(ids.ROUNDS):
        shared_ids = ids.shared_ids(run.mapped)
        if not shared_ids:
            break
        given = _salt(run, shared_ids, given, turn)
    else:
        ids.refuse(ids.shared_ids(run.mapped))
    if given:
        run.lake.remember_salts(given)
    run.rows = account.count_rules(run.mapped)


def _mapped(run: _Run, shared: Shared, folder: str) -> mapping.Mapped:
    assert run.prepared is not None
    return mapping.map_rules(
        run.engine.session, run.rules, run.prepared, shared, run.staging.work / folder, run.progress
    )


def _salt(run: _Run, shared_ids: Mapping[str, int], given: ids.Salts, turn: int) -> ids.Salts:
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


def _tables(run: _Run) -> None:
    assert run.rows is not None
    run.tables = tables.write_mapped_tables(run.mapped, run.rows.given, run.staging.cdm, run.progress)


def _derive(run: _Run) -> None:
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
        "source_to_concept_map": source_to_concept_map_rows(run.resolution, run.store),
    }
    for table, rows in own.items():
        run.tables[table] = tables.write_rows(rows, table, run.staging.cdm / table)
    run.tables |= tables.write_missing_tables(run.staging.cdm, run.tables)
    if run.site.local_concepts:
        rows = [concept.row() for concept in run.site.local_concepts]
        run.tables["concept"] = tables.write_rows(rows, "concept", run.staging.cdm / "concept")


def _account(run: _Run) -> None:
    assert run.prepared is not None and run.rows is not None
    run.reconciliation = account.reconcile(
        run.site, run.landed, run.prepared, run.mapped, run.rows, run.tables, DERIVED, run.derived
    )
    run.reconciliation.balance()
    account.write_evidence(run.reconciliation, run.mapped, run.staging.reports, run.staging.work / "resolved.parquet")


STAGES = (
    Stage("land", ("extract",), "landing", _land),
    Stage("prepare", ("landing",), "work", _prepare),
    Stage("map", ("landing", "work"), "work", _map),
    Stage("tables", ("work",), "cdm", _tables),
    Stage("derive", ("cdm",), "cdm", _derive),
    Stage("account", ("landing", "work", "cdm"), "reports", _account),
)


def run_site(options: RunOptions, progress: Progress, start: StartEngine = engine) -> RunResult:
    """Builds a new snapshot of a site and makes it the latest; on any error the previous one stays.

    `start` gives the engine for as long as the run lasts; many runs in one process may share one that is up.

    Raises ConfigurationError, SourceError, SiteLockedError or IntegrityError as the errors module describes.
    """
    names = [stage.name for stage in STAGES]
    if options.until is not None and options.until not in names:
        raise ConfigurationError(
            Problem("--until", f"there is no stage '{options.until}'", f"one of {', '.join(names)}")
        )
    progress.stage("open")
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
        own.remember_name(options.site)
        return _locked(options, progress, site, as_of, lake, own, start)


def _locked(
    options: RunOptions,
    progress: Progress,
    site: Site,
    as_of: date,
    lake: Lake,
    own: SiteLake,
    start: StartEngine,
) -> RunResult:
    store = open_vocabulary(options.vocab, lake.stores, progress)
    rules = prepare.rules_of(site)
    reading = prepare.reading_of(site, rules, store)
    now = datetime.now(UTC)
    staging = own.begin(own.new_id(now))
    for dead in staging.leftovers:
        progress.note(f"removed what the unfinished run {dead} left behind")
    finished = False
    try:
        with start(options.engine) as running:
            run = _Run(options, site, as_of, store, running, own, staging, progress, rules, reading)
            for stage in STAGES:
                progress.stage(stage.name)
                stage.fn(run)
                if stage.name == options.until:
                    finished = True
                    return _stopped(run, stage)
        progress.stage("commit")
        snapshot = own.commit(staging, _manifest(run, now))
        finished = True
        return RunResult(snapshot, own.reports(staging.snapshot), run.tables, summary(run), run.warnings)
    finally:
        progress.done()
        if not finished:
            own.abandon(staging)


def _stopped(run: _Run, stage: Stage) -> RunResult:
    lines = [f"stopped after {stage.name}; the latest snapshot is unchanged and the next run removes these folders"]
    return RunResult(run.staging.cdm, run.staging.reports, run.tables, lines, run.warnings)


def _manifest(run: _Run, created: datetime) -> Manifest:
    assert run.reconciliation is not None
    content = measure_tables(run.staging.cdm)
    return Manifest(
        site=run.site.spec.site.id,
        snapshot=run.staging.snapshot,
        created=created,
        as_of=run.as_of,
        dure_version=version("dure"),
        cdm_version=CDM_VERSION,
        engine=EngineUsed(name=run.engine.name, version=run.engine.version),
        vocabulary=VocabularyUsed(release=run.store.release, digest=run.store.digest, folder=str(run.store.folder)),
        spec_digest=run.site.digest,
        map_digests=dict(run.site.file_digests),
        inputs={name: _input(landed) for name, landed in run.landed.items()},
        tables=content,
        digest=snapshot_digest(content),
        reconciliation={
            s.source: {"read": s.read, "landed": s.landed, "goes_on": s.goes_on, **s.outcomes}
            for s in run.reconciliation.sources
        },
    )


def _input(landed: Landed) -> Input:
    return Input.model_validate(
        {
            "columns": landed.columns,
            "files": tuple(vars_of(file) for file in landed.files),
            "rows_read": landed.rows_read,
            "rows_landed": landed.rows_landed,
            "rejected": dict(landed.rejected),
            "opted_out": landed.opted_out,
        }
    )


def vars_of(record: object) -> dict[str, object]:
    """The fields of a frozen record as a dictionary."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}  # type: ignore[attr-defined]


def summary(run: _Run) -> list[str]:
    """The lines that a person reads at the end: sources, then tables."""
    assert run.reconciliation is not None
    made = run.reconciliation
    lines = [f"{'source':22}{'read':>12}{'mapped':>12}{'unmapped':>12}{'rejected':>12}{'excluded':>12}"]
    for s in made.sources:
        if s.role == "lookup":
            lines.append(f"{s.source:22}{s.read:>12,}   a lookup")
            continue
        rejected = s.outcomes.get("rejected", 0) + sum(s.rejected.values()) + sum(s.unreadable.values())
        rejected += s.not_claimed + s.dropped_by_view
        excluded = s.outcomes.get("excluded", 0) + sum(s.excluded.values()) + s.duplicate + s.merged + s.opted_out
        excluded += sum(s.left_by_view.values()) + s.folded
        lines.append(
            f"{s.source:22}{s.read:>12,}{s.outcomes.get('mapped', 0):>12,}{s.outcomes.get('unmapped', 0):>12,}"
            f"{rejected:>12,}{excluded:>12,}"
        )
    lines += ["", f"{'table':28}{'rows':>12}{'concept 0':>12}"]
    zero: dict[str, int] = {}
    for rule in made.rules:
        for table, n in rule.zero.items():
            zero[table] = zero.get(table, 0) + n
    for t in made.tables:
        if t.rows:
            lines.append(f"{t.table:28}{t.rows:>12,}{zero.get(t.table, 0):>12,}")
    return lines
