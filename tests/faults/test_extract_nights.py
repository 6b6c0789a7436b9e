"""Nights of a whole site: changes, files that did not change, and extracts that are not ready; the balance holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, ExitCode, ExtractNotReadyError
from dure.landing.opened import HashedFile
from dure.progress import SilentProgress
from dure.run import RunOptions, RunResult, run_site
from dure.run.backfill import Standing, check_pattern, days_of
from dure.snapshot.lake import Lake
from dure.snapshot.manifest import Manifest, read_manifest

pytestmark = pytest.mark.together

SITE = """spec_version: 1
site: {id: haneul, name: 하늘병원, holder: 하늘의료재단, timezone: Asia/Seoul}
defaults: {encoding: cp949, formats: [yyyyMMdd]}
sources:
  patient: {path: 환자.csv, key: 환자번호}
  visit: {path: 내원.csv, key: 내원번호}
  diagnosis:
    path: 진단.csv
    key: [내원번호, 순번]
    changes: {path: 진단_변경.csv, marker: 구분, insert: I, update: U, delete: D}
tables:
  person:
    - {from: patient, birth: 생년월일, gender: {column: 성별, map: {남: 8507, 여: 8532}}}
  visit_occurrence:
    - {from: visit, person: 환자번호, code: {column: 구분, map: {외래: 9202}}, start: 내원일}
  condition_occurrence:
    - {from: diagnosis, visit: 내원번호, code: {column: 상병코드, vocabulary: KCD7}, start: 진단일}
"""
PATIENTS = "환자번호,생년월일,성별\n1,19800101,남\n2,19900101,여\n"
FEW_VISITS = "내원번호,환자번호,구분,내원일\n10,1,외래,20260301\n20,2,외래,20260302\n"
VISITS = FEW_VISITS + "".join(f"{n},1,외래,20260301\n" for n in range(100, 300))
DIAGNOSES = "내원번호,순번,상병코드,진단일\n10,1,A00,20260301\n10,2,B00,20260301\n20,1,C00,20260302\n"
CHANGES = "구분,내원번호,순번,상병코드,진단일\nU,10,1,A09,20260301\nD,10,2,,\nI,20,2,D00,20260302\nD,99,9,,\n"
FULL = {"환자.csv": PATIENTS, "내원.csv": VISITS, "진단.csv": DIAGNOSES}
CHANGED = {"환자.csv": PATIENTS, "내원.csv": VISITS, "진단_변경.csv": CHANGES}


D1, D2, D3, D4 = (date(2026, 3, 14) + timedelta(days=n) for n in range(4))


class Hospital:
    """A site folder, an extract a day, and a lake."""

    def __init__(self, root: Path, repository: Path, running: Engine) -> None:
        self.root, self._running = root, running
        self.vocab = repository / "tests/data/vocabulary"
        self.lake = Lake(root / "lake")
        self.own = self.lake.site("haneul")
        (root / "sites" / "haneul").mkdir(parents=True, exist_ok=True)
        self.spec(SITE)

    def spec(self, text: str) -> None:
        (self.root / "sites" / "haneul" / "site.yaml").write_text(text, "utf-8")

    def extract(self, day: date, files: dict[str, str]) -> Path:
        folder = self.root / "자료" / str(day)
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_bytes(text.encode("cp949"))
        return folder

    def run(self, day: date, folder: Path | None = None, **options: Any) -> RunResult:
        @contextmanager
        def shared(_: EngineOptions) -> Iterator[Engine]:
            yield self._running

        source = folder or self.root / "자료" / str(day)
        asked = RunOptions("haneul", source, self.vocab, self.lake.root, (self.root / "sites",), as_of=day)
        return run_site(replace(asked, **options), SilentProgress(), start=shared)

    def codes(self) -> list[str]:
        table = self.own.latest() / "condition_occurrence"
        return sorted(pq.read_table(table)["condition_source_value"].to_pylist())

    def manifest(self) -> Manifest:
        return read_manifest(self.own.latest())


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions()) as started:
        yield started


@pytest.fixture(scope="module")
def first_night(repository: Path, running: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital whose full extract of D1 has made a snapshot."""
    made = Hospital(tmp_path_factory.mktemp("hospital"), repository, running)
    made.extract(D1, FULL)
    made.run(D1)
    return made.root


@pytest.fixture
def new(tmp_path: Path, repository: Path, running: Engine) -> Hospital:
    """A hospital without any snapshot."""
    return Hospital(tmp_path / "new", repository, running)


@pytest.fixture
def hospital(first_night: Path, tmp_path: Path, repository: Path, running: Engine) -> Hospital:
    """A hospital after its first night."""
    shutil.copytree(first_night, tmp_path / "hospital")
    return Hospital(tmp_path / "hospital", repository, running)


def test_a_night_with_a_change_file_and_one_without(hospital: Hospital) -> None:
    hospital.extract(D2, CHANGED)
    result = hospital.run(D2)
    assert hospital.codes() == ["A09", "C00", "D00"]
    lines = (result.reports / "reconciliation.csv").read_text("utf-8-sig").splitlines()
    found = [line.split(",", 2)[2] for line in lines if line.startswith("source,diagnosis,")]
    assert found[:8] == [
        "read,,4", "before,,3", "by_changes,replaced,1", "by_changes,deleted,1", "by_changes,deletes,1",
        "by_changes,deletes_of_unknown_key,1", "landed,,3", "goes_on,,3",
    ]  # fmt: skip
    given = hospital.manifest().inputs["diagnosis"]
    assert (given.base, given.rows_before) == (hospital.own.snapshots()[0], 3)
    warned = [warning.found for warning in result.warnings if "diagnosis.changes" in warning.where]
    assert warned == ["1 deletes of keys that are not there"]
    hospital.extract(D3, {"환자.csv": PATIENTS, "내원.csv": VISITS})
    (hospital.root / "sites" / "haneul" / "exclusions.csv").write_text(
        "환자번호,date,reason\n1,20260316,거부\n", "utf-8"
    )
    result = hospital.run(D3)
    assert hospital.codes() == ["C00", "D00"], "an opt-out reaches rows that stay"
    assert any("no file came; the rows are those of snapshot" in warning.found for warning in result.warnings)


def test_a_night_on_changes_equals_a_night_on_the_whole(hospital: Hospital) -> None:
    hospital.extract(D2, CHANGED)
    hospital.run(D2)
    changed = hospital.manifest()
    whole = "내원번호,순번,상병코드,진단일\n10,1,A09,20260301\n20,1,C00,20260302\n20,2,D00,20260302\n"
    hospital.run(D2, hospital.extract(D3, FULL | {"진단.csv": whole}), full=True)
    rows = []
    for manifest in (changed, hospital.manifest()):
        table = pq.read_table(hospital.own.snapshot(manifest.snapshot) / "condition_occurrence")
        rows.append(sorted(map(str, table.to_pylist())))
    assert rows[0] == rows[1]


def test_files_that_did_not_change_are_not_read_but_with_full_they_are(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    drain = HashedFile.drain
    monkeypatch.setattr(HashedFile, "drain", lambda self: (read.append(1), drain(self))[1])
    hospital.run(D1)
    assert (read, hospital.codes()) == ([], ["A00", "B00", "C00"])
    hospital.run(D1, full=True, until="land")
    assert len(read) == 3


def test_half_an_extract_is_refused_unless_it_is_accepted(hospital: Hospital) -> None:
    before = hospital.own.latest()
    hospital.extract(D2, FULL | {"내원.csv": FEW_VISITS})
    with pytest.raises(ExtractNotReadyError) as error:
        hospital.run(D2)
    assert error.value.exit_code == ExitCode.EXTRACT_NOT_READY
    assert "site.yaml:6 sources.visit: 2 rows, 1% of the 202 of the snapshot before; at least 50%" in str(error.value)
    assert hospital.own.latest() == before
    assert not list(hospital.lake.root.rglob(".staging-*"))
    hospital.run(D2, accept_small=True)
    assert hospital.manifest().inputs["visit"].rows_read == 2


def test_an_extract_without_its_marker_is_refused_before_a_file_is_opened(hospital: Hospital) -> None:
    hospital.spec(SITE.replace("sources:\n", "extract: {ready: _DONE, max_age: 1d}\nsources:\n"))
    folder = hospital.extract(D2, FULL | {"진단.csv": ""})
    with pytest.raises(ExtractNotReadyError, match=r"site.yaml:4 extract.ready: there is no _DONE"):
        hospital.run(D2)
    (folder / "진단.csv").write_bytes(DIAGNOSES.encode("cp949"))
    (folder / "_DONE").touch()
    long_ago = (datetime.now(UTC) - timedelta(days=3)).timestamp()
    for path in folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    with pytest.raises(ExtractNotReadyError, match="older than 1d"):
        hospital.run(D2)


def test_changes_before_any_full_extract(new: Hospital) -> None:
    folder = new.extract(D1, CHANGED)
    with pytest.raises(ExtractNotReadyError, match=r"site.yaml:7 sources.diagnosis: no full extract of it is there"):
        new.run(D1)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ExtractNotReadyError, match="is empty"):
        new.run(D1)


def test_a_damaged_landing_stops_changes_and_a_full_extract_heals_it(hospital: Hospital) -> None:
    part = hospital.own.landing(hospital.own.latest().name) / "diagnosis" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    hospital.extract(D2, CHANGED)
    with pytest.raises(ExtractNotReadyError, match="is not what was landed: damaged, or changed by hand"):
        hospital.run(D2)
    hospital.run(D3, hospital.extract(D3, CHANGED | {"진단.csv": DIAGNOSES}))
    assert hospital.codes() == ["A09", "C00", "D00"]


# ---------------------------------------------------------------- backfill


def plan(hospital: Hospital, first: date, last: date, **given: Any) -> list[tuple[date, str]]:
    pattern = str(hospital.root / "자료" / "{date}")
    days = days_of("haneul", [hospital.root / "sites"], hospital.lake.root, pattern, first, last, **given)
    return [(each.day, each.standing.value) for each in days]


def test_a_backfill_goes_on_where_it_stopped(hospital: Hospital) -> None:
    for day in (D2, D3):
        hospital.extract(day, CHANGED)
    run, built = Standing.TO_RUN.value, Standing.BUILT.value
    assert plan(hospital, D1, D3) == [(D1, built), (D2, run), (D3, run)]
    hospital.run(D2)
    assert plan(hospital, D1, D3) == [(D1, built), (D2, built), (D3, run)]
    assert plan(hospital, D1, D2) == [(D1, built), (D2, built)], "nothing left to do"
    (hospital.root / "자료" / str(D2) / "진단_변경.csv").write_bytes((CHANGES + "D,20,1,,\n").encode("cp949"))
    assert plan(hospital, D1, D3) == [(D1, built), (D2, run), (D3, run)], "the last day came again"


def test_a_backfill_never_goes_behind_the_latest_snapshot(hospital: Hospital) -> None:
    before = D1 - timedelta(days=1)
    for day in (before, D2):
        hospital.extract(day, FULL)
    with pytest.raises(ConfigurationError, match="the latest snapshot is of 2026-03-14: a backfill goes on from it"):
        plan(hospital, before, before)
    assert plan(hospital, before, D2)[0] == (before, Standing.PASSED_OVER.value)


def test_days_without_a_folder(new: Hospital) -> None:
    new.extract(D1, FULL)
    new.extract(D4, CHANGED)
    with pytest.raises(ExtractNotReadyError, match="2026-03-15, 2026-03-16 have no folder, and diagnosis may come as"):
        plan(new, D1, D4)
    none, run = Standing.NO_EXTRACT.value, Standing.TO_RUN.value
    assert plan(new, D1, D4, allow_gaps=True) == [(D1, run), (D2, none), (D3, none), (D4, run)]
    with pytest.raises(ExtractNotReadyError, match="no day of these has a folder"):
        plan(new, date(2027, 1, 1), date(2027, 1, 2))
    with pytest.raises(ConfigurationError, match="2026-03-14 is before 2026-03-17"):
        plan(new, D4, D1)


@pytest.mark.parametrize("pattern", ["자료", "자료/{site}", "자료/{date", "자료/{date:%Y}", "자료/{}", "{date.x}"])
def test_a_pattern_that_does_not_tell_days_apart(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="does not name the folder of each day"):
        check_pattern(pattern)
