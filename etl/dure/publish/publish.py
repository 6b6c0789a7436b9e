"""One publication of one site: puts its steps in order, and leaves the target as it was unless all of them succeed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, IntegrityError, Problem
from dure.progress import Progress
from dure.publish.copied import Copied, write_copy
from dure.publish.deidentify.frames import Copying, Named
from dure.publish.deidentify.pseudonyms import Rules, write_crosswalk
from dure.publish.deidentify.rare_codes import rolled_up
from dure.publish.deidentify.scan import Findings
from dure.publish.deidentify.treatment import OWNED, TableTreatment, treatments
from dure.publish.evidence.codes import code_evidence
from dure.publish.evidence.files import Evidence, write_evidence
from dure.publish.evidence.planned import lines_of_evidence
from dure.publish.evidence.shown import shown_by
from dure.publish.gated import Gated, gated_snapshot, unchanged
from dure.publish.identifiers import read_identifiers
from dure.publish.package import Package, package_of, write_archive, write_folder
from dure.publish.package_manifest import Signed, as_bytes, package_manifest, told
from dure.publish.private_keys import KeySource, key_fingerprint, key_source, pseudonym_key
from dure.publish.profile import Profile, read_profile
from dure.publish.refused import PublicationRefused
from dure.publish.remembered import Remembered, publish_folder
from dure.publish.rerun import Rerun, rerun
from dure.publish.sequence import give_sequence
from dure.publish.shown import lines_of_plan
from dure.publish.signing import fingerprint, recipient_of, signing_key
from dure.publish.target import Target, target_of
from dure.publish.uniqueness import Uniqueness, uniqueness
from dure.snapshot.durable import lake_access, make_folder
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import TableContent, measure_tables, snapshot_digest
from dure.tables.links import domains, field_name
from dure.vocab import VocabularyStore, open_vocabulary
from dure.vocab.coverage import read_code_records

StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]
LOCAL_CONCEPTS = 2_000_000_000
_SHOWN = 20
# Addresses become provinces, eras of rare codes go, and so do rare codes of the map.
_MAY_LOSE = frozenset({"location", "condition_era", "drug_era", "dose_era", "source_to_concept_map"})


@dataclass(frozen=True)
class PublishOptions:
    """What `dure publish` is asked to do; keys and profile as the command line names them."""

    site: str
    to: str
    lake: Path
    today: date
    profile: str = "center"
    key: Path | None = None
    sign_key: Path | None = None
    encrypt_to: Path | None = None
    vocab: Path | None = None
    strict_ddl: bool = False
    accept_missing_concepts: bool = False
    dry_run: bool = False
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True)
class Published:
    """What came of it: the lines to print, where the delivery lies, and its number (0 for a database)."""

    lines: list[str]
    place: str
    sequence: int


@dataclass(frozen=True)
class _Keys:
    source: KeySource
    fingerprint: str
    signing: Ed25519PrivateKey | None
    recipient: pyrage.x25519.Recipient | None


@dataclass(frozen=True)
class _Made:
    """The copy that may leave, and what is known of it."""

    copy: Path
    tables: dict[str, TableContent]
    rerun: Rerun
    unique: Uniqueness
    rolled: int
    evidence: Evidence | None


def publish_site(options: PublishOptions, progress: Progress, start: StartEngine = engine) -> Published:
    """Publishes the snapshot that passed; PublicationRefused where it may not leave, and then nothing has."""
    profile, target = read_profile(options.profile), target_of(options.to)
    plan = treatments(profile)
    lake = Lake(options.lake)
    own = lake.called(options.site)
    if options.dry_run:
        gated = gated_snapshot(own, options.today)
        store = _vocabulary(options, gated, lake, progress)
        with start(options.engine) as running:
            rolled = rolled_up(running.session, gated.folder, _present(plan, gated), store, profile.persons_a_code)
        lines = lines_of_plan(gated.manifest, target, profile, plan, rolled)
        return Published([*lines, *_planned_evidence(target, gated, plan)], target.shown, 0)
    keys = _keys(options, target)
    newest = own.latest()  # a site that never ran is said before its lock would make a folder for it
    with own.lock():
        gated = gated_snapshot(own, options.today)
        if gated.folder != newest:
            progress.note(f"the newest snapshot, {newest.name}, has not passed; the one before it that did is sent")
        store = _vocabulary(options, gated, lake, progress)
        with _work_folder(own) as work:
            with start(options.engine) as running:
                made = _make(running, own, gated, store, profile, plan, keys, work, target.package, progress)
            return _deliver(options, own, gated, store, profile, target, keys, made, work, progress)


def _make(
    running: Engine,
    own: SiteLake,
    gated: Gated,
    store: VocabularyStore,
    profile: Profile,
    plan: dict[str, TableTreatment],
    keys: _Keys,
    work: Path,
    package: bool,
    progress: Progress,
) -> _Made:
    identifiers = read_identifiers(own.landing(gated.manifest.snapshot), profile.identifiers, profile.identifier_files)
    remembered = Remembered(own, keys.fingerprint)
    progress.stage("pseudonyms")
    rules = Rules(keys.source, profile.shifted, profile.oldest_age, gated.manifest.as_of, remembered.salts())
    known = remembered.persons()
    remembered.keep_salts(write_crosswalk(running.session, gated.folder, rules, work, known))
    progress.stage("codes")
    present = _present(plan, gated)
    rolled = rolled_up(running.session, gated.folder, present, store, profile.persons_a_code)
    rows = {name: content.rows for name, content in gated.manifest.tables.items()}
    copying = Copying(running.session, gated.folder, work, profile, present, rolled, named_of(store), rows)
    progress.stage("copy")
    copied = write_copy(copying, identifiers, work / "copy", lambda table, n: progress.table(table, n, 0.0))
    unchanged(gated)
    _refuse_findings(copied.findings)
    fewer = _fewer(copied, rows, present)
    _refuse_foreign_concepts(work / "copy")
    progress.stage("check")
    day = date.fromisoformat(gated.verdict["day"])
    again = rerun(running.session, work / "copy", store, gated.reports, day, profile, present, fewer)
    _refuse_differences(again)
    evidence = None
    if package:
        codes = code_evidence(read_code_records(gated.reports, own.site), shown_by(work / "copy", present), rolled)
        evidence, findings = write_evidence(work, again.counts, codes, identifiers)
        _refuse_findings(findings)
    return _Made(
        work / "copy",
        measure_tables(work / "copy"),
        again,
        uniqueness(work / "copy", profile.persons_alike),
        len(rolled),
        evidence,
    )


def _deliver(
    options: PublishOptions,
    own: SiteLake,
    gated: Gated,
    store: VocabularyStore,
    profile: Profile,
    target: Target,
    keys: _Keys,
    made: _Made,
    work: Path,
    progress: Progress,
) -> Published:
    progress.stage("deliver")
    remembered = Remembered(own, keys.fingerprint)
    # Before anything leaves: who is forgotten later must be found here.
    remembered.keep_persons(work / "crosswalk")
    sequence, place = 0, target.shown
    if target.package:
        withdrawn = remembered.withdrawn()
        sequence = give_sequence(publish_folder(own), _content(gated, made, profile, keys, withdrawn))
        place = str(_packed(own, gated, profile, target, keys, made, work, sequence, withdrawn))
    else:
        _load(target, made, store, options, progress)
    own.set_pointer("published", gated.manifest.snapshot)
    return Published(_lines(gated, made, place, sequence), place, sequence)


def _packed(
    own: SiteLake,
    gated: Gated,
    profile: Profile,
    target: Target,
    keys: _Keys,
    made: _Made,
    work: Path,
    sequence: int,
    withdrawn: list[int],
) -> Path:
    assert keys.signing is not None and made.evidence is not None
    signed = Signed(fingerprint(keys.signing.public_key()), keys.fingerprint)
    manifest = package_manifest(
        gated, made.tables, profile, sequence, signed, made.rerun, made.unique, withdrawn, made.evidence.listed()
    )
    package: Package = package_of(
        f"{own.site}-{sequence:06d}", as_bytes(manifest), keys.signing, made.copy, made.tables, made.evidence
    )
    if target.kind == "archive":
        return write_archive(package, target.path, work, keys.recipient)
    if keys.recipient is not None:
        return write_archive(package, target.path / f"{package.name}.dure", work, keys.recipient)
    return write_folder(package, target.path)


def _load(target: Target, made: _Made, store: VocabularyStore, options: PublishOptions, progress: Progress) -> None:
    folders = {name: made.copy / name for name in made.tables}
    if target.database is not None:
        from dure.publish.postgres import load_postgres

        load_postgres(
            target.database,
            target.schema,
            folders,
            store,
            strict_ddl=options.strict_ddl,
            missing_concepts="accept" if options.accept_missing_concepts else "refuse",
            progress=progress,
        )
    else:
        from dure.publish.duckdb_file import write_duckdb

        write_duckdb(target.path, folders, store, progress=progress)


def _keys(options: PublishOptions, target: Target) -> _Keys:
    """Every key, opened before any work is done; ConfigurationError for what is missing or has the wrong mode."""
    source = key_source(options.key)
    print_of = key_fingerprint(pseudonym_key(source))
    signing = signing_key(options.sign_key) if options.sign_key else None
    recipient = recipient_of(options.encrypt_to) if options.encrypt_to else None
    if target.package and signing is None:
        do = "name signing.key of `dure keygen`: the center takes no package without a signature"
        raise ConfigurationError(Problem("--sign-key", "not given", do))
    if recipient is not None and not target.package:
        raise ConfigurationError(Problem("--encrypt-to", "is for packages, not for a database", "leave it out"))
    return _Keys(source, print_of, signing, recipient)


def named_of(store: VocabularyStore) -> Named:
    """What the vocabulary calls the CDM's tables."""
    domain_of = domains()
    concepts = {row["domain_id"]: row["domain_concept_id"] for row in pq.read_table(store.path("DOMAIN")).to_pylist()}
    fields = pq.read_table(
        store.path("CONCEPT"), columns=["concept_id", "concept_name"], filters=[("vocabulary_id", "=", "CDM")]
    )
    by_name = dict(zip(fields["concept_name"].to_pylist(), fields["concept_id"].to_pylist(), strict=True))
    by_domain: dict[str, tuple[str, ...]] = {}
    for table, domain in domain_of.items():
        by_domain[domain] = (*by_domain.get(domain, ()), table)
    return Named(
        fields={by_name[field_name(table)]: table for table in domain_of if field_name(table) in by_name},
        domain_concepts={concepts[domain]: tables for domain, tables in by_domain.items() if concepts.get(domain)},
        domains=by_domain,
    )


def _present(plan: dict[str, TableTreatment], gated: Gated) -> dict[str, TableTreatment]:
    return {name: treated for name, treated in plan.items() if name in gated.manifest.tables}


def _vocabulary(options: PublishOptions, gated: Gated, lake: Lake, progress: Progress) -> VocabularyStore:
    folder = options.vocab or Path(gated.manifest.vocabulary.folder)
    if not folder.is_dir():
        found = "the vocabulary store that made the snapshot is not there"
        raise ConfigurationError(Problem(str(folder), found, "name it with --vocab"))
    return open_vocabulary(folder, lake.stores, progress)


@contextmanager
def _work_folder(own: SiteLake) -> Iterator[Path]:
    """An empty folder for this publication alone; what a dead one left, secrets of persons among it, goes first."""
    work = own.root / "work" / own.site / "publish"
    with lake_access(work):
        if work.exists():
            shutil.rmtree(work)
        make_folder(work)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _planned_evidence(target: Target, gated: Gated, plan: dict[str, TableTreatment]) -> list[str]:
    if not target.package:
        return ["evidence: none, a database gets the tables alone"]
    return lines_of_evidence(read_code_records(gated.reports, gated.manifest.site), plan)


def _refuse_findings(findings: Findings) -> None:
    if findings.rows:
        do = "take the column off the profile's texts, or mend it at its source"
        raise PublicationRefused(
            [
                Problem(f"{table}.{column}", f"{rows:,} rows show a {shape}", do)
                for (table, column, shape), rows in sorted(findings.rows.items())
            ]
        )


def _fewer(copied: Copied, rows: dict[str, int], plan: dict[str, TableTreatment]) -> dict[str, int]:
    """Rows left out by table; IntegrityError where a table lost rows that nothing takes out."""
    fewer = {name: rows[name] - n for name, n in copied.rows.items() if n != rows[name]}
    lost = [
        Problem(name, f"{n:,} rows are of persons whom PERSON lacks, or have become more", "mend the snapshot")
        for name, n in fewer.items()
        if n < 0 or not (plan[name].left_out or name in OWNED or name in _MAY_LOSE)
    ]
    if lost:
        raise PublicationRefused(lost)
    return fewer


def _refuse_foreign_concepts(copy: Path) -> None:
    """Licensed vocabulary never travels: only concepts of the site's own block are in the copy."""
    for file in (copy / "concept").glob("*.parquet"):
        ids = pq.read_table(file, columns=["concept_id"])["concept_id"].to_pylist()
        if any(concept < LOCAL_CONCEPTS for concept in ids):
            raise IntegrityError(Problem("concept", "holds concepts of a vocabulary release", "report this bug"))


def _refuse_differences(again: Rerun) -> None:
    if again.unexplained:
        do = "say why under `differs` of the profile if it is meant, else report this bug"
        raise PublicationRefused(
            [
                Problem(each.check, f"ended as {_shown(each.copy)} on the copy, {_shown(each.snapshot)} before", do)
                for each in again.unexplained[:_SHOWN]
            ]
        )


def _shown(counts: tuple[str, int | None, int | None]) -> str:
    status, violated, denominator = counts
    return status if violated is None else f"{status} ({violated} of {denominator})"


def _content(gated: Gated, made: _Made, profile: Profile, keys: _Keys, withdrawn: list[int]) -> str:
    """What makes two deliveries the same one."""
    parts = [gated.manifest.digest, snapshot_digest(made.tables), profile.digest, keys.fingerprint, str(withdrawn)]
    parts += [file.sha256 for file in made.evidence.files] if made.evidence else []
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _lines(gated: Gated, made: _Made, place: str, sequence: int) -> list[str]:
    rows = sum(content.rows for content in made.tables.values())
    unique = made.unique
    number = f", delivery {sequence}" if sequence else ""
    return [
        f"published: {gated.manifest.snapshot}{number} to {place}",
        f"rows: {rows:,} of {len(made.tables)} tables; rare codes rolled up: {made.rolled:,}",
        f"checks on the copy: {', '.join(f'{n:,} {end}' for end, n in made.rerun.ends.items())}; "
        f"{len(made.rerun.differences):,} differ, each for a reason that the profile gives",
        f"persons alone with their birth year, sex, province and year of death: {told(unique.unique)} of "
        f"{unique.persons:,}; with fewer than {unique.k}: {told(unique.fewer)}",
        *_lines_of_evidence(made.evidence),
    ]


def _lines_of_evidence(evidence: Evidence | None) -> list[str]:
    if evidence is None:
        return []
    return [
        f"evidence: {evidence.checks.rows:,} checks; {evidence.named:,} codes, "
        f"{evidence.codes.rows - evidence.named:,} sums without a code, {evidence.small:,} too small for one"
    ]
