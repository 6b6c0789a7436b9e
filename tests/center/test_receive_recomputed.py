"""Checks counted again on what came in: the same numbers, or the package stays out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sent_packages import NOW, Center, Sender, kept, rows, said, write_evidence, write_tables

from dure.center.receive.receive import Received, ReceiveOptions, receive_packages
from dure.center.store import CenterStore
from dure.engine import Engine, EngineOptions, engine
from dure.progress import SilentProgress
from dure.publish.package import write_folder
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.own_catalogue import catalogue
from dure.quality.validate import validate
from dure.vocab import VocabularyStore, load_athena

pytestmark = pytest.mark.together

CHECKS = (
    "field_isforeignkey_measurement_person_id",
    "field_isprimarykey_person_person_id",
    "field_isrequired_condition_occurrence_condition_concept_id",
    "field_measurevaluecompleteness_measurement_value_as_number",
    "field_isstandardvalidconcept_condition_occurrence_condition_concept_id",
    "field_plausiblevaluelow_person_year_of_birth",
    "table_measurepersoncompleteness_death",
    "table_cdmtable_person",
)
Counted = tuple[str, str, int | None, int | None]


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as up:
        yield up


@pytest.fixture(scope="module")
def vocabulary(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    return load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def counted(
    running: Engine, vocabulary: VocabularyStore, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Counted]]:
    """Tables, and what a hospital counts of them."""
    folder = tmp_path_factory.mktemp("tables")
    write_tables(folder, rows())
    by_id = {check.id: check for check in catalogue()}
    snapshot = CheckedSnapshot(running.session, folder, vocabulary, date(2025, 3, 2))
    results = validate(snapshot, [by_id[name] for name in CHECKS])
    return folder, [(r.check.id, r.status.value, r.violated, r.denominator) for r in results]


def package(
    sender: Sender, tables: Path, checks: list[Counted], store: VocabularyStore, folder: Path, **others: Any
) -> Path:
    copied = folder / "copy"
    shutil.copytree(tables, copied)
    write_evidence(copied, sorted(checks))

    def of_the_release(manifest: dict[str, Any]) -> None:
        manifest["versions"]["vocabulary"] = {"release": store.release, "digest": store.digest} | others

    return write_folder(sender.package(copied, change=of_the_release), folder / "in")


def receive(center: Center, running: Engine, store: VocabularyStore, sent: Path) -> tuple[Received, SilentProgress]:
    progress = SilentProgress()
    options = ReceiveOptions((sent,), center.store, NOW, 7, center.folder / "hospitals.yaml", vocab=(store.folder,))
    [result] = receive_packages(options, progress, lambda _: nullcontext(running))
    return result, progress


def test_checks_that_agree_are_counted_in_the_summary(
    center: Center,
    bada: Sender,
    running: Engine,
    vocabulary: VocabularyStore,
    counted: tuple[Path, list[Counted]],
    tmp_path: Path,
) -> None:
    tables, checks = counted
    numbers = {name: (violated, of) for name, _, violated, of in checks}
    assert numbers["field_measurevaluecompleteness_measurement_value_as_number"] == (24, 72)
    result, _ = receive(center, running, vocabulary, package(bada, tables, checks, vocabulary, tmp_path))
    assert result.outcome == "received", said(result)
    [summary] = CenterStore(center.store).summaries()
    assert summary.recomputed.model_dump() == {"checks": len(CHECKS), "differ": 0, "seed": 7}


def test_a_check_that_was_said_to_have_passed(
    center: Center,
    bada: Sender,
    running: Engine,
    vocabulary: VocabularyStore,
    counted: tuple[Path, list[Counted]],
    tmp_path: Path,
) -> None:
    tables, checks = counted
    name = "field_measurevaluecompleteness_measurement_value_as_number"
    forged: list[Counted] = [(n, "passed", 0, of) if n == name else (n, s, v, of) for n, s, v, of in checks]
    result, _ = receive(center, running, vocabulary, package(bada, tables, forged, vocabulary, tmp_path))
    assert result.outcome == "refused"
    assert f"evidence/checks.parquet {name}: said passed (0 of 72), counted here" in said(result)
    assert "(24 of 72); expected: the same numbers from the same rows" in said(result)
    assert kept(center.store) == {}


def test_another_release_is_said_and_counts_nothing(
    center: Center,
    bada: Sender,
    running: Engine,
    vocabulary: VocabularyStore,
    counted: tuple[Path, list[Counted]],
    tmp_path: Path,
) -> None:
    tables, checks = counted
    sent = package(bada, tables, checks, vocabulary, tmp_path, digest="0" * 64)
    result, progress = receive(center, running, vocabulary, sent)
    assert result.outcome == "received"
    assert [problem.found for problem in progress.warned] == [
        "no --vocab is the release that the hospital mapped to, so no check was counted again"
    ]
    assert CenterStore(center.store).summaries()[0].recomputed.checks == 0
