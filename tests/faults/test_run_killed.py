"""A run killed with SIGKILL anywhere: readers keep what they had, and the next run goes on to the same outcome."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from killed_runs import POINTS, STAGES

Told = dict[str, Any]
# Where the next run goes on, by where the run was killed: after the last stage of which the checkpoint was on disk.
GOES_ON = {
    **{f"after {stage}": stage for stage in STAGES},
    "within land": None,
    "within prepare": "land",
    "within map": "prepare",
    "within tables": "map",
    "within derive": "tables",
    "before the checkpoint of land": None,
    "before the checkpoint of map": "prepare",
    "within commit": "account",
}
ALL = ("land", "compare", *STAGES[1:])
EARLIER = dict(zip(STAGES[1:], STAGES, strict=False))
# Two that stand for the others, where the whole matrix takes too long.
QUICK = ("after map", "within map")


def killed(repository: Path, folder: Path, night: str, points: tuple[str, ...]) -> tuple[Told, dict[str, Told]]:
    """The undisturbed run, and what became of each that was killed."""
    script = Path(__file__).with_name("killed_runs.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(repository / "tests/scenarios/vocabulary"), night, *points],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    undisturbed, *runs = [json.loads(line) for line in done.stdout.splitlines()]
    return undisturbed, {run["point"]: run for run in runs}


def gone_on_after(run: Told) -> str | None:
    """The stage after which the next run went on; None where it began anew."""
    found = [re.search(r"going on with the run .*, which was cut off after ([a-z]+)$", line) for line in run["said"]]
    return next((match[1] for match in found if match), None)


def check(undisturbed: Told, run: Told, stage: str | None) -> None:
    """The run was killed, and the next went on after this stage, or began anew, to the outcome of the undisturbed one.

    Killed within a stage, the checkpoint of the stage before may not have been on disk: then that one is done again.
    """
    assert run["signal"] == signal.SIGKILL
    assert run["whole"] and run["readers"] and not run["moved"]
    went_on = gone_on_after(run)
    may = {stage, EARLIER.get(stage)} if run["point"].startswith("within") else {stage}
    assert went_on in may, run["said"]
    assert run["stages"] == ["open", *ALL[ALL.index(went_on) + 1 if went_on else 0 :], "commit"]
    assert run["content"] == undisturbed["content"]
    for same in ("lines", "warnings", "manifest"):
        assert run[same] == undisturbed[same], same
    assert run["proved"] == [run["snapshot"]]
    assert run["left"] == run["work"] == []
    assert not run["waiting"]


@pytest.mark.xdist_group("killed runs")
def test_a_killed_run_is_gone_on_with(repository: Path, tmp_path: Path) -> None:
    undisturbed, runs = killed(repository, tmp_path, "full", QUICK)
    assert undisturbed["stages"] == ["open", *ALL, "commit"]
    assert tuple(runs) == QUICK
    for run in runs.values():
        check(undisturbed, run, GOES_ON[run["point"]])


@pytest.fixture(scope="module")
def matrix(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, dict[str, Told]]:
    points = tuple(point for point in POINTS if point not in QUICK)
    return killed(repository, tmp_path_factory.mktemp("killed"), "full", points)


@pytest.mark.slow
@pytest.mark.xdist_group("killed runs")
@pytest.mark.parametrize("point", [point for point in GOES_ON if point not in QUICK])
def test_killed_at_every_boundary_and_within_writes(matrix: tuple[Told, dict[str, Told]], point: str) -> None:
    undisturbed, runs = matrix
    check(undisturbed, runs[point], GOES_ON[point])


@pytest.mark.slow
@pytest.mark.xdist_group("killed runs")
def test_killed_between_the_commit_and_the_gate_only_the_gate_is_asked(matrix: tuple[Told, dict[str, Told]]) -> None:
    undisturbed, runs = matrix
    run = runs["before the gate"]
    assert run["signal"] == signal.SIGKILL
    # The snapshot stands and is the latest; readers get the one that passed until the gate has opened.
    assert run["moved"] and run["whole"] and run["readers"]
    assert run["stages"] == ["open"]
    assert run["said"] == [f"the snapshot {run['snapshot']} stands; going on with its gate"]
    assert run["proved"] == [run["snapshot"]]
    assert run["content"] == undisturbed["content"]
    assert run["lines"] == undisturbed["lines"]
    assert not run["waiting"]


# A delta is compared anew, so that it goes on after its landing, wherever it was killed.
OF_A_DELTA = ("within land", "after land", "within tables", "within commit", "before the gate")


@pytest.mark.slow
@pytest.mark.xdist_group("killed runs")
def test_a_killed_delta_is_gone_on_with(repository: Path, tmp_path: Path) -> None:
    undisturbed, runs = killed(repository, tmp_path, "delta", OF_A_DELTA)
    assert any("a delta from" in line for line in undisturbed["said"])
    for point in OF_A_DELTA[:-1]:
        check(undisturbed, runs[point], None if point == "within land" else "land")
        assert any("a delta from" in line for line in runs[point]["said"]), point
    assert runs["before the gate"]["stages"] == ["open"]
    assert runs["before the gate"]["content"] == undisturbed["content"]
