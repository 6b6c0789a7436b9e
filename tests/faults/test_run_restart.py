"""When a run goes on where another was cut off, when it begins anew, and what either says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from running_hospital import Hospital, Stopped
from small_hospital import SITE, Content, Notes, Proves, is_whole, site_of, until, write_hospital

import dure.run.checkpoints as checkpoints
from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, DeadlineError, ExitCode, SourceError
from dure.run import RunOptions
from dure.run.fingerprint import _NOT_OF_THE_OUTCOME
from dure.run.handed import Handed
from dure.run.state import RunState
from dure.snapshot.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from dure.vocab import load_athena

pytestmark = pytest.mark.together
STAGES = ["land", "compare", "prepare", "map", "tables", "derive", "account"]


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as started:
        yield started


@pytest.fixture(scope="module")
def store(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores")).folder


@pytest.fixture
def hospital(running: Engine, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hospital:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    write_hospital(tmp_path, persons=6)
    return Hospital(running, tmp_path, store)


# ---------------------------------------------------------------- what is gone on with


@pytest.mark.parametrize("error", [Stopped(), KeyboardInterrupt()])
def test_a_broken_engine_and_ctrl_c_leave_a_checkpoint(hospital: Hospital, error: BaseException) -> None:
    hospital.cut_off("tables", error)
    notes = Notes()
    made = hospital.run(notes)
    assert notes.stages == ["open", "tables", "derive", "account", "commit"]
    assert notes.said == [f"going on with the run {made.snapshot.name}, which was cut off after map"]
    assert hospital.staged() == []


def test_a_mistake_to_be_corrected_gives_its_space_back(hospital: Hospital) -> None:
    hospital.run(options=until(hospital.options, "land"))
    hospital.rewrite("sites/바다병원/coded.sql", lambda sql: "SELECT *, cast('x' AS int) AS `이름` FROM diagnoses")
    with pytest.raises(ConfigurationError, match="the engine refuses the view"):
        hospital.run()
    assert hospital.staged() == []
    with pytest.raises(ConfigurationError, match="no snapshot"):
        hospital.own.latest()


def test_a_run_until_a_stage_is_gone_on_with(hospital: Hospital) -> None:
    stopped = hospital.run(options=until(hospital.options, "prepare"))
    assert stopped.lines == [
        "stopped after prepare; the latest snapshot is unchanged and the next run goes on from there"
    ]
    again = Notes()
    assert hospital.run(again, until(hospital.options, "land")).lines[0].startswith("stopped after land")
    assert again.stages == ["open"]
    notes = Notes()
    made = hospital.run(notes)
    assert notes.stages == ["open", *STAGES[3:], "commit"]
    assert made.tables["condition_occurrence"] == 7
    other = Hospital(hospital._running, hospital.folder, hospital.options.vocab)
    other.options = replace(other.options, lake=hospital.folder / "undisturbed")
    assert Content.of(hospital.own, made.snapshot.name) == Content.of(
        site_of(other.options.lake), other.run().snapshot.name
    )


def test_what_only_decides_how_fast_a_run_is_may_change(hospital: Hospital) -> None:
    hospital.cut_off("map")
    notes = Notes()
    faster = replace(hospital.options, engine=EngineOptions(threads=1, memory=4 << 30))
    hospital.run(notes, faster)
    assert notes.stages[1] == "map"


# ---------------------------------------------------------------- what is begun anew


def _touch(hospital: Hospital) -> RunOptions:
    path = hospital.folder / "extract/환자.csv"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))  # the change time goes on all the same
    return hospital.options


def _map(hospital: Hospital) -> RunOptions:
    hospital.rewrite("sites/바다병원/names.csv", lambda text: text.replace("320128", "0"))
    return hospital.options


def _leave_out(hospital: Hospital) -> RunOptions:
    (hospital.folder / "sites/바다병원/exclusions.csv").write_text(
        "환자번호,date,reason\nP1,2024-01-02,원함\n", "utf-8"
    )
    return hospital.options


def _other_day(hospital: Hospital) -> RunOptions:
    return replace(hospital.options, as_of=date(2024, 12, 30))


def _other_code(hospital: Hospital) -> RunOptions:
    return hospital.options


CHANGES = {
    "the extract": _touch,
    "the site's files": _map,
    "the persons left out": _leave_out,
    "the day of the extract (as of)": _other_day,
    "the version of Dure": _other_code,
}


@pytest.mark.parametrize("what", list(CHANGES))
def test_a_change_of_what_the_outcome_depends_on_begins_anew(
    hospital: Hospital, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.cut_off("map")
    (dead,) = {path.name.removeprefix(".staging-") for path in hospital.lake.rglob(".staging-*")}
    options = CHANGES[what](hospital)
    if what == "the version of Dure":
        monkeypatch.setattr("dure.run.fingerprint.code_digest", lambda: "another")
    notes = Notes()
    made = hospital.run(notes, options)
    assert notes.stages == ["open", *STAGES, "commit"]
    assert notes.said[0] == (f"the run {dead} was cut off after prepare; beginning anew, as these differ now: {what}")
    assert is_whole(hospital.own, made.snapshot.name)
    assert hospital.staged() == []


@pytest.mark.parametrize("option", ["full", "restart"])
def test_who_asks_for_it_begins_anew(hospital: Hospital, option: str) -> None:
    hospital.cut_off("map")
    notes = Notes()
    hospital.run(notes, replace(hospital.options, **{option: True}))
    assert notes.stages == ["open", *STAGES, "commit"]


def test_a_lost_file_a_torn_checkpoint_and_one_of_another_version_begin_anew(hospital: Hospital) -> None:
    for damage in ("lost", "short", "torn", "newer"):
        hospital.cut_off("map")
        path = hospital.work / CHECKPOINT
        landed = next((hospital.lake / "landing" / SITE).glob(".staging-*/patients/*.parquet"))
        if damage == "lost":
            landed.unlink()
        elif damage == "short":
            os.truncate(landed, landed.stat().st_size - 1)
        elif damage == "torn":
            os.truncate(path, path.stat().st_size // 2)
        else:
            path.write_text(
                path.read_text("utf-8").replace('"checkpoint_version":1', '"checkpoint_version":2'), "utf-8"
            )
        notes = Notes()
        hospital.run(notes)
        assert notes.stages == ["open", *STAGES, "commit"], damage
        if damage in ("lost", "short"):
            assert notes.said[0].endswith("was cut off after prepare; beginning anew, as it lost 1 files")
        shutil.rmtree(hospital.lake / "cdm")
        (hospital.own.folder / "latest").unlink()


def test_a_checkpoint_from_which_two_runs_got_no_further_is_given_up(hospital: Hospital) -> None:
    for _ in range(1 + checkpoints.ATTEMPTS):
        hospital.cut_off("tables")
    notes = Notes()
    hospital.run(notes)
    assert notes.said[0].endswith("was cut off after map; beginning anew, as 2 runs got no further from there")
    assert notes.stages == ["open", *STAGES, "commit"]


def test_what_was_read_of_a_database_long_ago_is_not_gone_on_with(hospital: Hospital) -> None:
    hospital.cut_off("map")
    known = read_checkpoint(hospital.work, Checkpoint[Handed])
    assert known is not None
    own = hospital.own
    with own.lock():
        notes = Notes()
        later = known.started + timedelta(seconds=1)
        assert checkpoints.cut_off_run(own, known.inputs, STAGES, notes, later) is None
        assert notes.said[0].endswith("beginning anew, as what it read of a database is too old")
        again = checkpoints.cut_off_run(own, known.inputs, STAGES, notes, known.started)
        assert again is not None
        assert again.finished == ("land", "compare", "prepare")
        again.__exit__(None, None, None)


def test_a_file_outside_the_run_is_no_part_of_a_checkpoint(hospital: Hospital) -> None:
    hospital.cut_off("map")
    path = hospital.work / CHECKPOINT
    known = read_checkpoint(hospital.work, Checkpoint[Handed])
    assert known is not None
    name = next(iter(known.files))
    path.write_text(path.read_text("utf-8").replace(f'"{name}"', '"landing/../../../etc/passwd"'), "utf-8")
    assert read_checkpoint(hospital.work, Checkpoint[Handed]) is None


def test_every_part_of_the_state_is_handed_on_or_given() -> None:
    given = {
        "options", "site", "as_of", "store", "starting", "early", "lake", "staging", "progress", "rules", "reading",
    }  # fmt: skip
    made_of_others = {"shared", "resolution", "mapped_in", "rows"}
    handed = set(Handed.model_fields)
    # A run that has one writes no checkpoint: RunState.resumable.
    given |= {"delta"}
    unknown = {field.name for field in fields(RunState)} - given - made_of_others - handed
    assert unknown == set(), "a part of RunState that a run which goes on would lack: add it to Handed"


def test_every_option_is_of_the_outcome_unless_somebody_says_not() -> None:
    assert {field.name for field in fields(RunOptions)} >= _NOT_OF_THE_OUTCOME


# ---------------------------------------------------------------- the deadline


class Clock:
    """A clock that goes on by an hour whenever it is read."""

    def __init__(self, hour: int = 0) -> None:
        self.read = hour - 1

    def __call__(self) -> datetime:
        self.read += 1
        return datetime(2026, 3, 15, self.read, tzinfo=UTC)


def test_a_run_stops_between_two_stages_when_its_time_is_up(hospital: Hospital) -> None:
    hospital.run(prove=Proves())
    before = hospital.own.current()
    hospital.rewrite("extract/환자.csv", lambda text: text + "P99,19800301,남\n")
    hospital.rewrite("sites/바다병원/site.yaml", lambda text: text + "# 오늘부터\n")  # so that the run is a full one
    late = replace(hospital.options, deadline=datetime(2026, 3, 15, 5, 30, tzinfo=UTC))
    notes = Notes()
    with pytest.raises(
        DeadlineError, match=r"--deadline 05:30: stopped after [a-z]+\n    the next run goes on"
    ) as raised:
        hospital.run(notes, late, clock=Clock(), prove=Proves())
    assert raised.value.exit_code is ExitCode.DEADLINE
    stopped_after = notes.stages[-1]
    assert stopped_after in STAGES[2:-1]
    assert hospital.own.current() == hospital.own.latest() == before
    assert is_whole(hospital.own, before.name)

    again = Notes()
    made = hospital.run(again, prove=Proves())
    assert again.stages[1] == STAGES[STAGES.index(stopped_after) + 1]
    assert made.tables["person"] == 7
    assert hospital.own.current() == made.snapshot


def test_a_deadline_between_commit_and_gate_leaves_the_gate_to_the_next_run(hospital: Hospital) -> None:
    hospital.run(prove=Proves())
    before = hospital.own.current()
    hospital.rewrite("extract/환자.csv", lambda text: text + "P99,19800301,남\n")
    clock = Clock()

    def ticking() -> datetime:
        return datetime(2026, 3, 15, 9 if hospital.own.latest() != before else 1, tzinfo=UTC)

    late = replace(hospital.options, deadline=datetime(2026, 3, 15, 8, tzinfo=UTC))
    with pytest.raises(DeadlineError, match="stopped after commit"):
        hospital.run(None, late, clock=ticking, prove=Proves())
    assert clock.read == -1
    assert hospital.own.current() == before
    prove, notes = Proves(), Notes()
    made = hospital.run(notes, prove=prove)
    assert notes.stages == ["open"]
    assert prove.asked == [made.snapshot.name] == [hospital.own.latest().name]
    assert made.gate_open is True
    assert asdict(Content.of(hospital.own, made.snapshot.name))["tables"]["person"]


# ---------------------------------------------------------------- clocks, and what waits for its gate


def test_ids_rise_although_the_clock_was_set_back(hospital: Hospital) -> None:
    times = ["2026-03-15T02:30", "2026-03-15T02:30", "2020-01-01T00:00", "2020-01-01T00:00"]
    made = [
        hospital.run(clock=lambda time=time: datetime.fromisoformat(time).replace(tzinfo=UTC)).snapshot.name
        for time in times
    ]
    assert made == ["20260315T023000Z", "20260315T023000Z-2", "20260315T023001Z", "20260315T023002Z"]
    assert hospital.own.snapshots() == tuple(sorted(made))
    assert hospital.own.latest().name == made[-1]


def test_a_waiting_snapshot_is_left_where_the_extract_is_another(hospital: Hospital) -> None:
    def breaks(done: object) -> Any:
        raise Stopped

    with pytest.raises(Stopped):
        hospital.run(prove=breaks)
    waited = hospital.own.latest().name
    hospital.rewrite("extract/환자.csv", lambda text: text + "P99,19800301,남\n")
    prove, notes = Proves(), Notes()
    made = hospital.run(notes, prove=prove)
    assert notes.stages == ["open", *STAGES, "commit"]
    assert prove.asked == [made.snapshot.name]
    assert hospital.own.snapshots() == (waited, made.snapshot.name)


def test_a_source_that_cannot_be_read_leaves_nothing_behind(hospital: Hospital) -> None:
    (hospital.folder / "extract/진단.csv").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(SourceError):
        hospital.run()
    assert hospital.staged() == []
