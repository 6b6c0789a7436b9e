"""`dure center receive`: each package is opened, believed, unpacked, read, compared and filed, or kept out with a report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from pyspark.sql import SparkSession

from dure.center.receive.admitted import believed, check_policy, is_here, to_look_at
from dure.center.receive.claimed import Claimed
from dure.center.receive.content import read_content
from dure.center.receive.evidence import Counted, read_evidence
from dure.center.receive.limits import MANIFEST_BYTES, SIGNATURE_BYTES
from dure.center.receive.opened import Arrived, Contents, arrived, opened, room
from dure.center.receive.purge import purge_site, withdrawn_of
from dure.center.receive.quarantine import Refused, quarantine
from dure.center.receive.recompute import recompute
from dure.center.receive.refused import PackageRefused, refuse
from dure.center.receive.unpacked import unpack
from dure.center.registry import Hospital, Registry, read_registry
from dure.center.store import RECEIPT, REGISTRY, CenterStore
from dure.center.summary.made import counted, write_summary
from dure.center.summary.model import Recomputed, Summary
from dure.engine import Engine, EngineOptions, engine
from dure.errors import DureError, ExitCode, Problem
from dure.progress import Progress
from dure.publish.package import SIGNATURE
from dure.snapshot.durable import lake_access
from dure.snapshot.manifest import MANIFEST
from dure.vocab.store import VocabularyStore, open_store

StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]
Outcome = Literal["received", "already here", "refused", "failed"]


@dataclass(frozen=True)
class ReceiveOptions:
    """What `dure center receive` is asked to do; `seed` draws the checks that are counted again."""

    packages: tuple[Path, ...]
    store: Path
    now: datetime
    seed: int
    hospitals: Path | None = None
    identity: Path | None = None
    vocab: tuple[Path, ...] = ()
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True)
class Received:
    """What came of one package: where it lies, or the folder of its report, and why it was kept out."""

    package: Path
    outcome: Outcome
    site: str | None = None
    sequence: int | None = None
    rows: int = 0
    place: Path | None = None
    problems: tuple[Problem, ...] = ()
    exit_code: int = 0


def receive_packages(options: ReceiveOptions, progress: Progress, start: StartEngine = engine) -> list[Received]:
    """One result a package, in the order given; a package that is kept out, or fails, harms no other.

    ConfigurationError for the registry or a vocabulary, SiteLockedError where another command holds the store.
    """
    registry = read_registry(options.hospitals or options.store / REGISTRY)
    stores = [open_store(folder) for folder in options.vocab]
    if not stores:
        do = "name the vocabulary stores of your hospitals' releases with --vocab"
        progress.warn(Problem("--vocab", "not given, so no check is counted again on what comes in", do))
    store = CenterStore(options.store)
    with store.lock(), ExitStack() as ending:
        store.clear()
        for site in store.current():
            purge_site(store, site, progress)
        receiving = _Receiving(
            options, registry, {each.digest: each for each in stores}, store, progress, start, ending
        )
        results = [receiving.receive(path) for path in options.packages]
        if receiving.surprises:
            raise receiving.surprises[0]
        return results


@dataclass
class _Known:
    """What is known of a package so far, for the report in case it is kept out."""

    package: Arrived | None = None
    manifest: bytes = b""
    site: str | None = None
    sequence: int | None = None


@dataclass
class _Receiving:
    """One call: what all its packages share. The engine starts with the first package that needs it."""

    options: ReceiveOptions
    registry: Registry
    vocabularies: Mapping[str, VocabularyStore]
    store: CenterStore
    progress: Progress
    start: StartEngine
    ending: ExitStack
    surprises: list[Exception] = field(default_factory=list)
    _session: SparkSession | None = None

    @property
    def today(self) -> date:
        return self.options.now.date()

    def receive(self, path: Path) -> Received:
        self.progress.stage(path.name)
        known = _Known()
        try:
            return self._received(path, known)
        except PackageRefused as error:
            refused = Refused(known.package, known.manifest, known.site, known.sequence, error.findings)
            report = quarantine(self.store.root / "quarantine", refused, self.options.now)
            return self._kept_out(path, "refused", known, error, report)
        except DureError as error:
            return self._kept_out(path, "failed", known, error, None)
        except Exception as error:  # a bug, raised when the other packages have had their turn
            self.surprises.append(error)
            return Received(path, "failed", known.site, known.sequence, exit_code=int(ExitCode.BUG))

    def _kept_out(self, path: Path, outcome: Outcome, known: _Known, error: DureError, place: Path | None) -> Received:
        return Received(
            path,
            outcome,
            known.site,
            known.sequence,
            place=place,
            problems=tuple(error.problems),
            exit_code=int(error.exit_code),
        )

    def _received(self, path: Path, known: _Known) -> Received:
        known.package = arrived(path, self._largest)
        with self.store.incoming() as work, opened(known.package, self.options.identity, work) as contents:
            hospital, claimed, signature = self._believed(contents, known)
            if is_here(self.store, claimed, known.manifest):
                place = self.store.delivery(claimed.site, claimed.sequence)
                return Received(path, "already here", claimed.site, claimed.sequence, place=place)
            check_policy(claimed, self.registry.policy, self.today)
            for problem in to_look_at(self.store, claimed):
                self.progress.warn(problem)
            delivery, summary = work / "delivery", work / "summary"
            with lake_access(work):
                delivery.mkdir()
                summary.mkdir()
            self._unpack(contents, claimed, delivery)
            with lake_access(work):
                (delivery / MANIFEST).write_bytes(known.manifest)
                (delivery / SIGNATURE).write_bytes(signature)
                said = self._read(hospital, claimed, delivery, summary)
                (delivery / RECEIPT).write_bytes(self._receipt(known.package, known.manifest, said))
            self.store.file(claimed.site, claimed.sequence, delivery, summary)
        purge_site(self.store, claimed.site, self.progress)
        rows = sum(table.rows for table in claimed.tables.values())
        place = self.store.delivery(claimed.site, claimed.sequence)
        return Received(path, "received", claimed.site, claimed.sequence, rows, place)

    @property
    def _largest(self) -> int:
        return self.registry.policy.largest_gib << 30

    def _believed(self, contents: Contents, known: _Known) -> tuple[Hospital, Claimed, bytes]:
        known.manifest = contents.first(MANIFEST, MANIFEST_BYTES)
        signature = contents.first(SIGNATURE, SIGNATURE_BYTES)
        signer = self.registry.signer(signature, known.manifest)
        known.site = signer[0].site if signer else None
        hospital, claimed = believed(self.registry, known.manifest, signature, self.today)
        known.sequence = claimed.sequence
        return hospital, claimed, signature

    def _unpack(self, contents: Contents, claimed: Claimed, delivery: Path) -> None:
        if claimed.bytes > self._largest:
            raise refuse("too_large", MANIFEST, size=claimed.bytes, most=self._largest)
        room(delivery, claimed.bytes)
        unpack(contents, claimed, delivery)

    def _read(self, hospital: Hospital, claimed: Claimed, delivery: Path, summary: Path) -> Summary:
        before = withdrawn_of(self.store, claimed.site)
        withdrawn = np.union1d(before, np.array(claimed.withdrawn, np.int64))
        summing = read_content(delivery, claimed, hospital.blocks, self.registry.shared, withdrawn, self.progress)
        said = read_evidence(delivery, claimed, (*hospital.blocks, *self.registry.shared))
        again = self._recomputed(claimed, delivery, said)
        made = counted(_summary(hospital, claimed, self.options.now, again), summing)
        write_summary(made, summing, delivery / claimed.evidence.codes.path, summary)
        return made

    def _recomputed(self, claimed: Claimed, delivery: Path, said: Mapping[str, Counted]) -> Recomputed:
        used = claimed.versions.vocabulary
        vocabulary = self.vocabularies.get(used.digest)
        if vocabulary is None:
            if self.vocabularies:
                found = "no --vocab is the release that the hospital mapped to, so no check was counted again"
                self.progress.warn(Problem(claimed.site, found, "load that release and name it with --vocab"))
            return Recomputed(checks=0, differ=0, seed=self.options.seed)
        if self._session is None:
            self._session = self.ending.enter_context(self.start(self.options.engine)).session
        most = self.registry.policy.recomputed_checks
        return recompute(self._session, delivery, vocabulary, claimed, said, most, self.options.seed)

    def _receipt(self, package: Arrived, manifest: bytes, said: Summary) -> bytes:
        """When and how it came in: what the manifest cannot say."""
        receipt = {
            "receipt_version": 1,
            "received": said.received.isoformat(timespec="seconds"),
            "form": package.form,
            "package_sha256": package.sha256 or None,
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            "recomputed": said.recomputed.model_dump(),
        }
        return json.dumps(receipt, indent=1).encode() + b"\n"


def _summary(hospital: Hospital, claimed: Claimed, now: datetime, recomputed: Recomputed) -> Summary:
    profile = claimed.copied.profile
    return Summary.model_validate(
        {
            "site": claimed.site,
            "consortium": hospital.consortium.id if hospital.consortium else None,
            "name": hospital.name,
            "sequence": claimed.sequence,
            "received": now.isoformat(timespec="seconds"),
            "as_of": claimed.as_of,
            "persons": 0,
            "observed_from": None,
            "observed_to": None,
            "vocabulary": claimed.versions.vocabulary.model_dump(),
            "tables": {},
            "gate": claimed.gated.gate,
            "score": claimed.gated.score,
            "waived": claimed.gated.waived,
            "profile": profile.name,
            "checks": dict(claimed.checks.rerun),
            "coverage": [item.model_dump() for item in claimed.coverage],
            "dure": claimed.versions.dure,
            "engine": claimed.versions.engine,
            "shifted": profile.dates == "shifted" if profile.dates else profile.name != "unshifted",
            "recomputed": recomputed.model_dump(),
        }
    )


def worst(results: Sequence[Received]) -> int:
    """The exit code of a call."""
    return max((each.exit_code for each in results), default=0)
