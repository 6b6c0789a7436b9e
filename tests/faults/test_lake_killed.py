"""A run that is killed with SIGKILL at any step of its commit leaves a whole snapshot current, and no rubbish for long."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from filled_lake import FIRST, SECOND

# One process builds all the lakes, whichever test asks first.
pytestmark = pytest.mark.xdist_group("killed commits")

THIRD = "20260316T010000Z"


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    script = Path(__file__).with_name("killed_commits.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path_factory.mktemp("lakes"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_death_was_one(deaths: list[dict[str, object]]) -> None:
    assert {death["signal"] for death in deaths[:-1]} == {signal.SIGKILL}
    points = Counter(death["point"] for death in deaths)
    # The dead run's report goes back under a hidden name, three areas are renamed into place; the note of the id, the manifest and the pointer are replaced.
    assert points["before rename"] == points["after rename"] == 4
    assert points["before replace"] == points["after replace"] == 3
    assert points["before fsync"] > 8
    assert points["before unlink"] >= 3


def test_readers_always_get_a_whole_snapshot(deaths: list[dict[str, object]]) -> None:
    assert all(death["whole"] and death["first_is_whole"] for death in deaths)


def test_the_pointer_moves_once_and_only_with_its_last_replacement(deaths: list[dict[str, object]]) -> None:
    seen = [death["latest"] for death in deaths]
    moved = seen.index(SECOND)
    assert seen == [FIRST] * moved + [SECOND] * (len(seen) - moved)
    assert deaths[moved]["point"] == "after replace"
    assert [death["point"] for death in deaths[:moved]].count("after replace") == 2


def test_the_next_run_works_and_removes_what_the_dead_one_left(deaths: list[dict[str, object]]) -> None:
    for death in deaths:
        kept = [FIRST, *([SECOND] if death["latest"] == SECOND else []), THIRD]
        assert death["next"] == THIRD, death
        assert death["kept"] == kept, death
        assert death["evidence"] == death["landing"] == kept, death
        assert death["work"] == [], death
        assert death["site"] == ["latest", "lock"], death
