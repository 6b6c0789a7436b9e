"""A receive that is killed with SIGKILL at any step leaves the store whole, and the next one finishes its work."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("killed receives")


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    script = Path(__file__).with_name("killed_receives.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path_factory.mktemp("centers"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_death_was_one(deaths: list[dict[str, object]]) -> None:
    assert {death["signal"] for death in deaths} == {signal.SIGKILL}
    points = [death["point"] for death in deaths]
    # The delivery and its summary are renamed into place; the number, files of the purge and its record are replaced.
    assert points.count("before rename") == points.count("after rename") == 2
    assert points.count("after replace") >= 6
    assert points.count("before fsync") == 3


def test_every_delivery_that_counts_is_whole(deaths: list[dict[str, object]]) -> None:
    assert [death for death in deaths if not death["whole"]] == []


def test_the_number_moves_once(deaths: list[dict[str, object]]) -> None:
    seen = [death["current"] for death in deaths]
    moved = seen.index(2)
    assert seen == [1] * moved + [2] * (len(seen) - moved)
    assert deaths[moved]["point"] == "after replace"
    assert [death["point"] for death in deaths[:moved]].count("after replace") == 0


def test_the_next_receive_makes_it_as_if_nobody_had_killed_it(deaths: list[dict[str, object]]) -> None:
    assert [death for death in deaths if not death["healed"]] == []
