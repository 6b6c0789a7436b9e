"""One run of one site: puts the stages in order and keeps the previous snapshot until the new one is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dure.accounting.summary import summary
from dure.cdm.schema import CDM_VERSION
from dure.derive.cdm_source import cdm_source_row
from dure.derive.own_tables import metadata_rows, source_to_concept_map_rows
from dure.engine import Engine, EngineOptions, Starting, engine
from dure.errors import ConfigurationError, Problem
from dure.landing import Landed, header_of
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.site.names import folder_of
from dure.site.spec import FileSource
from dure.snapshot.forgotten import forgotten
from dure.snapshot.lake import Lake, SiteLake, Staging
from dure.snapshot.manifest import EngineUsed, Input, Manifest, VocabularyUsed, measure_tables, snapshot_digest
from dure.snapshot.names import site_folder_name
from dure.stages import account, derive, ids, mapping, prepare, resolve, rules, structure, tables
from dure.stages.early import Early
from dure.stages.land import land
from dure.stages.losses import large_losses
from dure.stages.source_rows import source_rows
from dure.stages.supported import check_supported
from dure.stages.terminology import write_terminology
from dure.tables.rule import Rule, Shared
from dure.vocab import Resolution, VocabularyStore, open_vocabulary
from dure.vocab.local_targets import adopted_concepts
from dure.vocab.map_files import read_map_file

if TYPE_CHECKING:
    from dure.accounting.reconciliation import Reconciliation
    from dure.progress import Progress
    from dure.quality.command import Checked
    from dure.tables.cells import Reading

DERIVED = frozenset(
    {
        "observation_period", "condition_era", "drug_era", "dose_era",
        "cdm_source", "metadata", "source_to_concept_map", "concept",
    }
)  # fmt: skip
COUNTS = "counts"
StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]


@dataclass(frozen=True)
class Committed:
    """A snapshot that stands, and what made it: enough to go on with it while the engine is up and the lock held."""

    engine: Engine
    lake: SiteLake
    snapshot: Path
    site: Site
    store: VocabularyStore


Prove = Callable[[Committed], "Checked"]


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
    """What a run made: the snapshot's folder, the folder of its evidence, rows by CDM table, and a summary to print.

    `gate_open` is None where nobody asked.
    """

    snapshot: Path
    reports: Path
    tables: Mapping[str, int]
    lines: list[str]
    warnings: list[Problem]
    gate_open: bool | None = None


@dataclass
class _Run:
    """What stages hand on; each stage fills what its name says."""

    options: RunOptions
    site: Site
    as_of: date
    store: VocabularyStore
    starting: Starting
    early: Early
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

    @property
    def engine(self) -> Engine:
        """The engine; waits until it is up."""
        return self.starting.engine()

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
        before=run.starting.check,
        after=lambda name: _begin_source(run, name),
        forgotten=forgotten(run.lake.folder),
    )


def _begin_source(run: _Run, name: str) -> None:
    """Begins to prepare a source that has landed, while others still land."""
    source = run.site.spec.sources[name]
    if run.options.until == "land" or not isinstance(source, FileSource):
        return
    own = [rule for rule in run.rules if rule.source == name]
    folder, work = run.staging.landing / name, run.staging.work
    run.early.begin(name, lambda: source_rows(run.engine.session, name, source, own, run.reading, folder, work))


def _prepare(run: _Run) -> None:
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


def _map(run: _Run) -> None:
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


def _evidence(run: _Run) -> dict[str, Callable[[], object]]:
    """What the account stage asks of mapped frames, by name; the tables of the CDM are not needed for it."""
    assert run.prepared is not None and run.rows is not None and run.resolution is not None
    site, landed, prepared, mapped, rows = run.site, run.landed, run.prepared, run.mapped, run.rows
    resolution, resolved, reports = run.resolution, run.staging.work / "resolved.parquet", run.staging.reports
    return {
        COUNTS: lambda: account.count_rows(site, landed, prepared, mapped, rows),
        "rejects": lambda: account.write_rejects(mapped, reports),
        "terminology": lambda: write_terminology(site, mapped, resolution, run.store, resolved, reports),
    }


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
        "source_to_concept_map": source_to_concept_map_rows(run.resolution, run.store, run.site.local_concepts),
    }
    for table, rows in own.items():
        run.tables[table] = tables.write_rows(rows, table, run.staging.cdm / table)
    run.tables |= tables.write_missing_tables(run.staging.cdm, run.tables)
    if run.site.local_concepts:
        adopted = adopted_concepts(run.site.local_concepts, run.site.vocabularies.values(), read_map_file)
        rows = [concept.row(standard=concept.concept_id in adopted) for concept in run.site.local_concepts]
        run.tables["concept"] = tables.write_rows(rows, "concept", run.staging.cdm / "concept")


def _account(run: _Run) -> None:
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
    with _gate_read(options) if prove else nullcontext():
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


def _gate_read(options: RunOptions) -> AbstractContextManager[None]:
    """Reads the gate's files with the site: a mistake in them is told before the extract is, not after an hour."""
    from dure.quality.gate.site_files import gate_files_too

    return gate_files_too(folder_of(options.site, options.sites))


def proving(today: date, progress: Progress) -> Prove:
    """Checks the snapshot that a run committed, on the run's own engine, and opens or closes its gate."""
    from dure.quality.command import check_committed  # here, as Great Expectations takes seconds to load

    def prove(done: Committed) -> Checked:
        return check_committed(
            done.engine.session, done.lake, done.snapshot, done.site.folder, done.store, today, progress
        )

    return prove


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
            run = _Run(options, site, as_of, store, starting, early, own, staging, progress, ordered, reading)
            for stage in STAGES:
                progress.stage(stage.name)
                stage.fn(run)
                if stage.name == options.until:
                    finished = True
                    return _stopped(run, stage)
            assert run.reconciliation is not None
            progress.stage("commit")
            snapshot = own.commit(staging, _manifest(run, now))
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
