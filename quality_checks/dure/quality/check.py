"""Checks one snapshot of a site: counts, decides, writes the evidence, and opens the gate where nothing closes it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from pyspark.sql import SparkSession

from dure.errors import ConfigurationError, IntegrityError, Problem
from dure.progress import Progress
from dure.quality.catalogue import Check
from dure.quality.counting.failing import failing_keys
from dure.quality.counting.profile import PROFILE
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.evidence.data_docs import build_data_docs, check_docs_folder
from dure.quality.evidence.dqd_viewer import FILE as DQD_RESULTS
from dure.quality.evidence.dqd_viewer import read_cdm_source, viewer_json
from dure.quality.evidence.junit import FILE as JUNIT
from dure.quality.evidence.junit import junit
from dure.quality.evidence.record import RESULTS, VERDICT, Checking, as_text, results_json, verdict_json
from dure.quality.evidence.report.gathered import gathered
from dure.quality.evidence.report.page import FILE as REPORT
from dure.quality.evidence.report.page import report_html
from dure.quality.evidence.report.words import Language
from dure.quality.gate.policy import Policy, Waiver
from dure.quality.gate.verdict import decide
from dure.quality.history import last_passed
from dure.quality.own_catalogue import catalogue
from dure.quality.results import Result, Status
from dure.quality.site_expectations import SiteExpectation
from dure.quality.validate import validate
from dure.snapshot.durable import lake_access, make_folder, replace_file
from dure.snapshot.lake import SiteLake
from dure.snapshot.manifest import Manifest, read_manifest
from dure.vocab import VocabularyStore

FAILURES = "failures"


@dataclass(frozen=True)
class Selection:
    """Which checks to run: those of `tables`, and those whose id or type fits a pattern of `checks`; all by default.

    The deprecated check types run only where a pattern names them.
    """

    tables: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        return bool(self.tables or self.checks)

    def of(self, catalogue: Sequence[Check]) -> list[Check]:
        """The chosen checks; raises ConfigurationError for a table or a pattern that fits none."""
        problems = [
            Problem(f"--tables {table}", "no check is about this table", "write a CDM table in small letters")
            for table in self.tables
            if all(check.table != table for check in catalogue)
        ]
        problems += [
            Problem(
                f"--checks {pattern}", "no check fits", "write an id, a type or a pattern such as 'field_isrequired_*'"
            )
            for pattern in self.checks
            if not any(_fits(check, pattern) for check in catalogue)
        ]
        if problems:
            raise ConfigurationError(problems)
        chosen = [check for check in catalogue if not self.tables or check.table in self.tables]
        if self.checks:
            return [check for check in chosen if any(_fits(check, pattern) for pattern in self.checks)]
        return [check for check in chosen if not check.type.deprecated]


WHOLE = Selection()


@dataclass(frozen=True)
class Pages:
    """What is written for people: the language of the report, and where Data Docs are wanted, if anywhere."""

    language: Language = "en"
    data_docs: Path | None = None


ENGLISH = Pages()


@dataclass(frozen=True)
class Gate:
    """What decides: the policy, the waivers, the day of the decision, and what the hospital expects besides."""

    policy: Policy
    waivers: tuple[Waiver, ...]
    today: date
    expectations: tuple[SiteExpectation, ...] = ()


def check_snapshot(
    session: SparkSession,
    lake: SiteLake,
    snapshot: Path,
    store: VocabularyStore,
    gate: Gate,
    progress: Progress,
    selection: Selection = WHOLE,
    pages: Pages = ENGLISH,
) -> Checking:
    """The checking of one snapshot. Writes its evidence beside the snapshot's other reports.

    A whole checking that opens the gate makes the snapshot the one that `passed`. One of chosen checks alone writes
    and moves nothing. Raises IntegrityError where the snapshot's files are not those that its manifest lists.
    """
    docs = pages.data_docs
    if docs:
        check_docs_folder(docs)
    manifest = read_manifest(snapshot)
    _unchanged(snapshot, manifest)
    started = datetime.now(UTC)
    reports = lake.reports(manifest.snapshot)
    before = last_passed(lake, manifest.snapshot)
    checked = CheckedSnapshot(session, snapshot, store, gate.today, reports, before)
    results = validate(
        checked,
        selection.of([*catalogue(), *(each.check for each in gate.expectations)]),
        lambda table, n: progress.table(table, n, 0.0),
        (lambda context: build_data_docs(context, docs)) if docs else None,
        gate.expectations,
    )
    rows = {table: content.rows for table, content in manifest.tables.items()}
    verdict = decide(results, rows, gate.policy, gate.waivers, manifest.site, gate.today)
    checking = Checking(manifest, results, verdict, rows, gate.today, started, datetime.now(UTC), selection.partial)
    if not selection.partial:
        write_failures(checked, results, reports)
        with lake_access(reports):
            replace_file(reports / PROFILE, checked.profile.as_json())
        write_evidence(checking, snapshot, reports, pages.language)
        if verdict.open:
            lake.set_pointer("passed", manifest.snapshot)
    return checking


def write_evidence(checking: Checking, snapshot: Path, folder: Path, language: Language) -> None:
    """Writes the files of a checking, each replaced whole; the verdict last, so that it never speaks of older results.

    `folder` is that of the snapshot's reports, in which failing rows and what the run left already lie.
    """
    found = gathered(folder)
    with lake_access(folder):
        replace_file(folder / RESULTS, as_text(results_json(checking)))
        replace_file(folder / JUNIT, junit(checking))
        replace_file(folder / DQD_RESULTS, as_text(viewer_json(checking, read_cdm_source(snapshot))))
        replace_file(folder / REPORT, report_html(checking, found, language))
        replace_file(folder / VERDICT, as_text(verdict_json(checking)))


def write_failures(checked: CheckedSnapshot, results: Sequence[Result], folder: Path) -> None:
    """Writes the keys of failing rows, capped, as `failures/TABLE/*.parquet` with (check, key): no other value."""
    beside, final = folder / ".failures.new", folder / FAILURES
    with lake_access(folder):
        shutil.rmtree(beside, ignore_errors=True)
        make_folder(beside)
    by_table: dict[str, list[Check]] = {}
    for result in results:
        if result.status is Status.FAILED and result.violated:
            by_table.setdefault(result.check.table, []).append(result.check)
    for table, failed in by_table.items():
        keys = failing_keys(checked, table, failed)
        if keys is not None:
            keys.coalesce(1).write.parquet(str(beside / table))
    with lake_access(folder):
        for mark in beside.glob("*/[._]*"):
            mark.unlink()
        shutil.rmtree(final, ignore_errors=True)
        beside.rename(final)


def _fits(check: Check, pattern: str) -> bool:
    return pattern in (check.id, check.type.name) or fnmatchcase(check.id, pattern)


def _unchanged(snapshot: Path, manifest: Manifest) -> None:
    problems = []
    for content in manifest.tables.values():
        for file in content.files:
            path = snapshot / file.path
            if not path.is_file():
                problems.append(Problem(str(path), "listed in the manifest but not there", "run the site again"))
            elif _sha256(path) != file.sha256:
                problems.append(Problem(str(path), "has changed since the run wrote it", "run the site again"))
    if problems:
        raise IntegrityError(problems)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
