"""How much room a run needs, by the snapshot before or by what was measured, and what is said when it is not there."""

from __future__ import annotations

import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dure.engine import EngineOptions
from dure.errors import ConfigurationError, ExitCode
from dure.snapshot import room
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.room import KEPT, LEAST, check_room, room_needed, spilled

MIB = 1 << 20
Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture
def own(tmp_path: Path) -> SiteLake:
    return Lake(tmp_path / "호수").site("바다병원")


class Read:
    """A manifest of which only the sizes of the files read count."""

    def __init__(self, size: int) -> None:
        file = type("File", (), {"bytes": size})
        self.inputs = {"patients": type("Input", (), {"files": (file,)})}


@pytest.fixture
def snapshot(own: SiteLake, monkeypatch: pytest.MonkeyPatch) -> int:
    """A snapshot of an extract of 100 MiB, of which the lake keeps so many bytes."""
    folder = own.snapshot("20260315T010000Z")
    for place in (folder / "person", own.landing(folder.name) / "patients", own.reports(folder.name)):
        place.mkdir(parents=True)
    pq.write_table(pa.table({"id": list(range(1000))}), folder / "person" / "part-0.parquet")
    (own.landing(folder.name) / "patients" / "part-0.parquet").write_bytes(b"x" * 10 * MIB)
    monkeypatch.setattr(SiteLake, "pointer", lambda self, name: folder)
    monkeypatch.setattr(room, "read_manifest", lambda folder: Read(100 * MIB))
    return sum(path.stat().st_size for path in own.root.rglob("*") if path.is_file())


def test_a_first_run_by_the_bytes_of_its_files(own: SiteLake) -> None:
    assert room_needed(own, {}) == LEAST
    assert room_needed(own, {Path("환자.csv"): 10 * MIB, Path("진단.txt"): 5 * MIB}) == LEAST + 60 * MIB
    assert room_needed(own, {Path("환자.csv.gz"): MIB, Path("검사.PARQUET"): MIB}) == LEAST + 52 * MIB


@pytest.mark.parametrize(("size", "grown"), [(100, 1.0), (150, 1.5), (200, 2.0), (60, 1.0)])
def test_by_the_snapshot_before_in_proportion(own: SiteLake, snapshot: int, size: int, grown: float) -> None:
    assert room_needed(own, {Path("환자.csv"): size * MIB}) == LEAST + int(KEPT * snapshot * grown)


def test_changes_after_a_full_extract_and_a_full_extract_after_changes(own: SiteLake, snapshot: int) -> None:
    assert room_needed(own, {Path("변경.csv"): MIB}) == LEAST + int(KEPT * snapshot)
    assert room_needed(own, {Path("환자.csv"): 1000 * MIB}) == LEAST + 4000 * MIB


def test_too_little_room_is_said_with_what_to_do(own: SiteLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100 * MIB, 50 * MIB, 50 * MIB))
    check_room(own, {Path("환자.csv"): 4 * MIB}, 0)
    with pytest.raises(ConfigurationError) as raised:
        check_room(own, {Path("환자.csv"): 5 * MIB}, 0)
    assert raised.value.exit_code is ExitCode.CONFIGURATION
    (problem,) = raised.value.problems
    assert problem.found == "the run may need 52 MiB and 50 MiB are free"
    assert problem.do == (
        "remove old snapshots with `dure prune 바다병원 --keep 2`, or make room; --no-disk-check runs all the same"
    )
    assert not own.root.exists(), "nothing was made"


def test_what_an_engine_spills_counts_on_the_disk_of_temporary_files(
    own: SiteLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spilled(EngineOptions("sail")) == 0
    assert spilled(EngineOptions("spark")) == 1
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))  # the disk of the lake
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100 * MIB, 50 * MIB, 50 * MIB))
    with pytest.raises(ConfigurationError, match="the run may need 53 MiB"):
        check_room(own, {Path("환자.csv"): int(4.2 * MIB)}, 1)
