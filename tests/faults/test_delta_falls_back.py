"""Nights that are no delta, or begin as one and cannot be: the snapshot is right all the same, and the reason is said."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "property"))
from delta_hospital import Hospital, differences, run_night, was_delta  # noqa: E402

sys.path.pop(0)

from dure.engine import Engine, EngineOptions, engine  # noqa: E402
from dure.progress import SilentProgress  # noqa: E402
from dure.run import RunOptions, RunResult, run_site  # noqa: E402
from dure.run.delta.basis import FOLDER as BASIS  # noqa: E402
from dure.run.delta.basis import Mismatch  # noqa: E402
from dure.run.delta.night import Delta  # noqa: E402
from dure.snapshot.lake import Lake, SiteLake  # noqa: E402
from dure.vocab import load_athena  # noqa: E402

pytestmark = [pytest.mark.together, pytest.mark.slow]


@dataclass
class Night:
    """A hospital with one snapshot, and an engine that is up."""

    folder: Path
    hospital: Hospital
    engine: Engine
    vocabulary: Path

    @property
    def lake(self) -> SiteLake:
        return Lake(self.folder / "lake").site("night")

    def run(self, *, full: bool = False) -> RunResult:
        self.hospital.write(self.folder)
        return run_night(self.folder, self.hospital, self.engine, self.vocabulary, full=full)

    def asked(self, notes: list[str], **more: Any) -> RunResult:
        """A run that collects what it says in between."""

        class Noting(SilentProgress):
            def note(self, text: str) -> None:
                notes.append(text)

        options = RunOptions(
            "night", self.folder / "extract", self.vocabulary, self.folder / "lake", (self.folder / "sites",),
            as_of=self.hospital.as_of, check_disk=False, accept_small=True, **more,
        )  # fmt: skip
        return run_site(options, Noting(), lambda _: nullcontext(self.engine))

    def reason(self) -> str:
        """Why a run of tonight is a full one."""
        notes: list[str] = []
        made = self.asked(notes)
        assert not was_delta(made)
        return next(note for note in notes if note.startswith("a full run: "))


@pytest.fixture(scope="module")
def sail() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as running:
        yield running


@pytest.fixture(scope="module")
def first(sail: Engine, tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("first")
    store = load_athena(TESTS / "scenarios/vocabulary", tmp_path_factory.mktemp("stores")).folder
    night = Night(folder, Hospital.drawn(3, 8), sail, store)
    night.run()
    return night


@pytest.fixture
def night(first: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    """The same hospital and lake, in a folder of its own, before a night of one changed row."""
    monkeypatch.setattr("dure.run.delta.compared.MOST", 1.0)
    shutil.copytree(first.folder, tmp_path / "night")
    hospital = Hospital.drawn(3, 8)
    hospital.add_visit(busiest(hospital))
    return Night(tmp_path / "night", hospital, first.engine, first.vocabulary)


def busiest(hospital: Hospital) -> str:
    """The person of whom most is known, in rows that are written."""
    born = {row[0] for row in hospital.files["환자"] if row[1].isdigit()}
    rows = [row[1] for row in hospital.files["내원"] + hospital.files["처방"]] + [
        row[0] for row in hospital.files["검사1"]
    ]
    return max(sorted(born), key=rows.count)


def test_a_night_of_the_same_rows_is_a_delta(night: Night) -> None:
    assert was_delta(night.run())


def test_a_spec_that_says_something_else(night: Night) -> None:
    night.hospital.write(night.folder)
    site = night.folder / "sites/night/site.yaml"
    site.write_text(site.read_text("utf-8").replace("O: 9202", "O: 581476"), "utf-8")
    assert (
        night.reason()
        == "a full run: these differ from the snapshot before: the site's files (other than maps of codes)"
    )


def test_another_version_of_the_code(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.hospital.write(night.folder)
    monkeypatch.setattr("dure.run.delta.basis.code_digest", lambda: "another")
    assert night.reason() == "a full run: these differ from the snapshot before: the version of Dure"


def test_a_snapshot_that_left_no_basis(night: Night) -> None:
    shutil.rmtree(night.lake.landing(night.lake.latest().name) / BASIS)
    night.hospital.write(night.folder)
    assert "has no basis for one" in night.reason()


def test_too_much_that_changed(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.run.delta.compared.MOST", 0.0)
    night.hospital.write(night.folder)
    assert night.reason() == "a full run: more than 0% of the rows would be mapped anew"


@pytest.mark.parametrize("stage", ["prepare", "map", "tables", "derive", "account"])
def test_a_delta_that_does_not_add_up_becomes_a_full_run(
    night: Night, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise Mismatch("made up")

    with monkeypatch.context() as patch:
        patch.setattr(Delta, stage, fails)
        made = night.run()
    assert not was_delta(made)
    assert [str(w).split("\n")[0] for w in made.warnings if "does not add up" in str(w)] == [
        f"the delta from {night.lake.snapshots()[0]}: does not add up: made up"
    ]
    full = night.run(full=True)
    made.warnings[:] = full.warnings
    assert not differences(night.folder, made, full)


@pytest.mark.parametrize("area", ["tables", "landing", "basis", "reports"])
def test_bytes_that_a_disk_changed_are_not_handed_on(night: Night, area: str) -> None:
    snapshot, lake = night.lake.latest(), night.lake
    folder, pattern = {
        "landing": (lake.landing(snapshot.name), "diagnosis/*.parquet"),
        "basis": (lake.landing(snapshot.name) / BASIS, "code_records.parquet"),
        "reports": (lake.reports(snapshot.name), "rejects.parquet"),
    }.get(area, (snapshot, "measurement/*.parquet"))
    (file,) = folder.glob(pattern)
    pq.write_table(pq.read_table(file), file, compression="gzip")
    night.hospital.write(night.folder)
    assert "a full run: the snapshot before is not as it was written: " in night.reason()


def test_counts_that_do_not_fit_are_noticed(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken away must have been there."""
    monkeypatch.setattr("dure.run.delta.compared.damaged", lambda *_: ())
    file = night.lake.landing(night.lake.latest().name) / BASIS / "code_records.parquet"
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    made = night.run()
    assert not was_delta(made)
    assert any("fewer codes than were taken away" in str(warning) for warning in made.warnings)


def test_a_landing_that_cannot_be_read_any_more(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.run.delta.compared.damaged", lambda *_: ())
    (file,) = (night.lake.landing(night.lake.latest().name) / "diagnosis").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    made = night.run()
    assert not was_delta(made)
    full = night.run(full=True)
    made.warnings[:] = full.warnings
    assert not differences(night.folder, made, full)


def test_a_dry_run_says_what_changes_and_leaves_nothing(night: Night) -> None:
    night.hospital.write(night.folder)
    before = sorted(path for path in (night.folder / "lake").rglob("*") if path.is_dir())
    made = night.asked([], dry_run=True)
    assert sorted(path for path in (night.folder / "lake").rglob("*") if path.is_dir()) == before
    assert night.lake.latest().name == night.lake.snapshots()[-1]
    by_source = {
        line.split()[0]: [int(cell.replace(",", "")) for cell in line.split()[1:]] for line in made.lines[1:10]
    }
    rows = {name: len(found) for name, found in night.hospital.files.items()}
    assert by_source["visit"][:4] == [rows["내원"], 1, 0, 0]
    assert by_source["patient"][1:4] == [0, 0, 0]
    assert any(line.startswith("a delta from ") and "0 codes remapped" in line for line in made.lines)
    assert any(line.startswith("person ") for line in made.lines)
