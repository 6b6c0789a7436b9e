"""Bytes of the snapshot before, or of its landing, that have changed: no run builds on them without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from running_hospital import Hospital
from small_hospital import SITE, Notes, is_whole, write_hospital

from dure.engine import Engine, EngineOptions, engine
from dure.vocab import load_athena

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as started:
        yield started


@pytest.fixture(scope="module")
def store(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores")).folder


@pytest.fixture
def hospital(running: Engine, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hospital:
    """A hospital with a snapshot, and one more diagnosis since then."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    write_hospital(tmp_path)
    found = Hospital(running, tmp_path, store)
    found.run()
    found.rewrite("extract/진단.csv", lambda text: text + "904,P3,V3,고혈압,20240313\n")
    return found


def flip(file: Path) -> None:
    """Changes a byte in the middle of a file; its size and its footer stay."""
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    file.write_bytes(content)


def one_of(folder: Path) -> Path:
    return sorted(folder.glob("*.parquet"))[0]


PLACES = {
    "a table that is copied": lambda own, before: one_of(own.snapshot(before) / "visit_occurrence"),
    "a table that changes": lambda own, before: one_of(own.snapshot(before) / "condition_occurrence"),
    "a landed file that is compared": lambda own, before: one_of(own.landing(before) / "diagnoses"),
    "a landed file that is used again": lambda own, before: one_of(own.landing(before) / "patients"),
}


@pytest.mark.parametrize("place", list(PLACES))
def test_changed_bytes_do_not_get_into_the_next_snapshot(hospital: Hospital, place: str) -> None:
    before = hospital.own.latest().name
    flip(PLACES[place](hospital.own, before))
    notes = Notes()
    made = hospital.run(notes).snapshot.name
    assert is_whole(hospital.own, made)
    undisturbed = replace(hospital.options, lake=hospital.folder / "undisturbed")
    right = hospital.run(None, undisturbed).snapshot
    assert rows_of(hospital.own.snapshot(made)) == rows_of(right)
    assert any("a full run: " in line for line in notes.said) or place == "a landed file that is used again", notes.said


def rows_of(snapshot: Path) -> dict[str, list[str]]:
    """The rows of every table: a delta gives the same as a full run, in other files."""
    return {
        table.name: sorted(map(repr, pq.read_table(table).to_pylist()))
        for table in snapshot.iterdir()
        if table.is_dir()
    }


def test_without_a_fault_the_run_is_a_delta(hospital: Hospital) -> None:
    notes = Notes()
    hospital.run(notes)
    assert any("a delta from" in line for line in notes.said)
    assert [path.name for path in (hospital.lake / "cdm" / SITE).iterdir()] != []
