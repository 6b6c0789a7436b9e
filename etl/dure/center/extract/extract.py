"""`dure center extract`: one request answered, or refused; on record before anything of it appears."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.center.extract.allowed import ExtractRefused, reasons_against
from dure.center.extract.audit import AuditLog, Event, Happened, Line
from dure.center.extract.concept_sets import write_sets
from dure.center.extract.frames import Extracting, chosen_persons, extracted, with_sites
from dure.center.extract.given import PERSON
from dure.center.extract.manifest import Sealed, extract_manifest
from dure.center.extract.pseudonyms import SITE, Project, write_crosswalk
from dure.center.extract.request import Request, RequestFile
from dure.center.extract.sources import Sources, local_concepts, sources_of
from dure.center.extract.writing import PART_ROWS, write_table
from dure.center.store import CenterStore
from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, DureError, Problem
from dure.progress import Progress
from dure.publish.package import Package, write_archive, write_folder
from dure.publish.package_manifest import as_bytes, told
from dure.publish.private_keys import key_fingerprint, key_source, pseudonym_key
from dure.publish.signing import fingerprint, recipient_of, signing_key
from dure.snapshot.durable import lake_access, make_folder
from dure.snapshot.manifest import measure_tables
from dure.vocab.store import VocabularyStore

StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]
Counts = dict[str, int | str]


@dataclass(frozen=True)
class ExtractOptions:
    """What `dure center extract` is asked to do; `now` and `user` go on record."""

    request: Path
    store: Path
    vocabulary: VocabularyStore
    to: Path
    now: datetime
    user: str
    key: Path | None = None
    sign_key: Path | None = None
    encrypt_to: Path | None = None
    dry_run: bool = False
    engine: EngineOptions = field(default_factory=EngineOptions)
    part_rows: int = PART_ROWS


@dataclass(frozen=True)
class Extracted:
    """The lines to print, and where the extract lies (nowhere after a dry run)."""

    lines: list[str]
    place: Path | None


@dataclass(frozen=True)
class _Recorder:
    """Writes what happens to one request into the log."""

    log: AuditLog
    options: ExtractOptions
    key: Ed25519PrivateKey | None
    digest: str
    request: Request | None

    def record(
        self,
        event: Event,
        run: int = 0,
        *,
        output: str = "",
        counts: Counts | None = None,
        reasons: tuple[str, ...] = (),
    ) -> Line:
        project = self.request.project if self.request else ""
        approvals = tuple(each.reference for each in self.request.approvals) if self.request else ()
        happened = Happened(event, self.digest, project, approvals, run, output, counts, reasons)
        return self.log.append(happened, self.options.now, self.options.user, self.key)


def extract(options: ExtractOptions, progress: Progress, start: StartEngine = engine) -> Extracted:
    """Answers one request; ExtractRefused or ConfigurationError with every reason where it may not be."""
    signing = signing_key(options.sign_key) if options.sign_key else None
    recipient = recipient_of(options.encrypt_to) if options.encrypt_to else None
    if signing is None and not options.dry_run:
        do = "name the center's signing key: an extract and its line of the log are signed"
        raise ConfigurationError(Problem("--sign-key", "not given", do))
    store = CenterStore(options.store)
    if not store.current():
        raise ConfigurationError(Problem(str(options.store), "holds no delivery", "receive one first"))
    with store.lock():
        log = AuditLog(store.root)
        log.verify()
        file = RequestFile(options.request)
        request, wrong = _read(file)
        recorder = _Recorder(log, options, signing, file.digest, request)
        attempt = recorder.record("attempted")
        if request is None or wrong is not None:
            recorder.record("refused", attempt.number, reasons=_reasons(wrong))
            raise wrong or ConfigurationError(Problem(str(options.request), "is no request"))
        try:
            sources = _allowed(options, store, file, request)
        except DureError as error:
            recorder.record("refused", attempt.number, reasons=_reasons(error))
            raise
        try:
            with _work_folder(store.root) as work:
                return _answer(options, recorder, attempt, request, sources, signing, recipient, work, progress, start)
        except ExtractRefused as error:
            recorder.record("refused", attempt.number, reasons=_reasons(error))
            raise
        except BaseException as error:
            # Whatever stopped it belongs on record, by its kind alone: a message may show more than the log should.
            recorder.record("failed", attempt.number, reasons=(type(error).__name__,))
            raise


def _read(file: RequestFile) -> tuple[Request | None, ConfigurationError | None]:
    try:
        return file.read(), None
    except ConfigurationError as error:
        return None, error


def _allowed(options: ExtractOptions, store: CenterStore, file: RequestFile, request: Request) -> Sources:
    """The deliveries to read; ExtractRefused with every reason against it."""
    key = key_fingerprint(pseudonym_key(key_source(options.key)))
    current = store.current()
    sources = sources_of(store, [site for site in request.sites if site in current])
    today = options.now.date()
    local = local_concepts(sources)
    reasons = reasons_against(request, file, today, current, key, options.vocabulary, local)
    if reasons:
        raise ExtractRefused(reasons)
    return sources


def _answer(
    options: ExtractOptions,
    recorder: _Recorder,
    attempt: Line,
    request: Request,
    sources: Sources,
    signing: Ed25519PrivateKey | None,
    recipient: pyrage.x25519.Recipient | None,
    work: Path,
    progress: Progress,
    start: StartEngine,
) -> Extracted:
    progress.stage("persons")
    sets = write_sets(request, options.vocabulary, work / "sets")
    if empty := [name for name, concepts in sets.items() if not concepts]:
        raise ExtractRefused([Problem(f"concepts.{name}", "is empty: all of it is excluded") for name in empty])
    with start(options.engine) as running:
        extracting = Extracting(running.session, request, [each for each, _ in sources], work / "sets")
        project = Project(key_source(options.key), request.project, {})
        crosswalk = write_crosswalk(with_sites(chosen_persons(extracting), extracting), project, work)
        persons, last = _limited(crosswalk, len(sources), request.persons.at_most)
        if persons < request.smallest:
            do = "widen the concepts, the period or the hospitals; fewer persons are given to nobody"
            raise ExtractRefused(Problem("persons", f"fewer than {request.smallest} qualify", do))
        people = running.session.read.parquet(str(crosswalk))
        if last is not None:
            people = people.where((F.col("new_id") <= F.lit(last)) | (F.col(PERSON) == SITE))
        if options.dry_run:
            counts: Counts = {"persons": persons}
            for name in request.tables:
                counts[name] = _counted(extracting, name, people)
            recorder.record("counted", attempt.number, counts=counts)
            return Extracted(_lines_of_dry_run(request, counts), None)
        progress.stage("tables")
        rows = {}
        for name in request.tables:
            most = sum(source.rows.get(name, 0) for source, _ in sources)
            frame = extracted(extracting, name, people)
            columns = request.columns(name)
            rows[name] = write_table(frame, name, columns, most, work, work / "copy", options.part_rows)
            progress.table(name, rows[name], 0.0)
        used = f"{running.name} {running.version}"
    assert signing is not None
    package = _package(options, request, sources, sets, persons, attempt, signing, used, recorder.digest, work)
    progress.stage("deliver")
    # On record before it appears: after a power cut the log may tell of an extract that is not there, never the reverse.
    output = hashlib.sha256(package.manifest).hexdigest()
    recorder.record("completed", attempt.number, output=output, counts={"persons": persons, **rows})
    place = (
        write_folder(package, options.to)
        if recipient is None
        else write_archive(package, options.to / f"{package.name}.dure", work, recipient)
    )
    shown = ", ".join(f"{name} {n:,}" for name, n in rows.items())
    lines = [
        f"extract: {place}",
        f"persons: {persons:,}; rows: {shown}",
        f"on record: line {attempt.number} of the log",
    ]
    return Extracted(lines, place)


def _package(
    options: ExtractOptions,
    request: Request,
    sources: Sources,
    sets: dict[str, int],
    persons: int,
    attempt: Line,
    signing: Ed25519PrivateKey,
    used: str,
    digest: str,
    work: Path,
) -> Package:
    tables = measure_tables(work / "copy")
    sealed = Sealed(
        request_digest=digest,
        key=request.key,
        signing_key=fingerprint(signing.public_key()),
        day=options.now.date(),
        attempt=attempt,
        engine=used,
        vocabulary=(options.vocabulary.release, options.vocabulary.digest),
        sets=sets,
        deliveries=[delivered for _, delivered in sources],
    )
    manifest = as_bytes(extract_manifest(request, persons, tables, sealed))
    name = f"{request.project}-{hashlib.sha256(manifest).hexdigest()[:12]}"
    files = {file.path: work / "copy" / file.path for content in tables.values() for file in content.files}
    return Package(name, manifest, signing.sign(manifest), dict(sorted(files.items())))


def _limited(crosswalk: Path, sites: int, at_most: int | None) -> tuple[int, int | None]:
    """How many persons, and the last new id that is among them where only some may be.

    The new ids are as good as drawn by lot, so the first of them are a sample, and the same one every time.
    """
    rows = sum(pq.read_metadata(file).num_rows for file in crosswalk.glob("*.parquet")) - sites
    if at_most is None or rows <= at_most:
        return rows, None
    table = pq.read_table(crosswalk, columns=["person_id", "new_id"], partitioning=None)
    ids = table["new_id"].to_numpy()[table["person_id"].to_numpy() != SITE]
    return at_most, int(np.partition(ids, at_most - 1)[at_most - 1])


def _counted(extracting: Extracting, name: str, people: DataFrame) -> int | str:
    """Rows of a table as a dry run may tell them: not where few persons have any."""
    frame = extracted(extracting, name, people)
    if frame is None:
        return 0
    row = frame.agg(F.count(F.lit(1)).alias("rows"), F.countDistinct(PERSON).alias("persons")).collect()[0]
    return int(row["rows"]) if told(int(row["persons"])) == row["persons"] else str(told(int(row["persons"])))


def _lines_of_dry_run(request: Request, counts: Counts) -> list[str]:
    lines = [f"would extract for {request.project}; nothing was written but a line of the log"]
    lines.append(f"persons: {counts['persons']:,}")
    for name in request.tables:
        n = counts[name]
        lines.append(f"{name}: {n:,} rows" if isinstance(n, int) else f"{name}: of {n} persons")
        lines.append(f"  columns: {', '.join(request.columns(name))}")
    return lines


def _reasons(error: DureError | None) -> tuple[str, ...]:
    return tuple(f"{problem.where}: {problem.found}" for problem in error.problems) if error else ()


@contextmanager
def _work_folder(root: Path) -> Iterator[Path]:
    """An empty folder for this extract alone; what a dead one left, secrets of persons among it, goes first."""
    work = root / ".extracting"
    with lake_access(work):
        if work.exists():
            shutil.rmtree(work)
        make_folder(work)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
