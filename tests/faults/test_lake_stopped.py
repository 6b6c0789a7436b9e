"""A run that is asked to end, or is interrupted, through the real command line."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filled_lake import FIRST, SITE, lake_with_first

from dure.snapshot.lake import Lake

# The command line with a stand-in for `dure.run` that has begun a snapshot and then waits for the signal.
RUN = """
import signal, sys
from dataclasses import dataclass, field
from types import ModuleType
from dure.snapshot.lake import Lake

class Options:
    def __init__(self, **given):
        self.__dict__ |= given

def run_site(options, progress, prove):
    site = Lake(options.lake).site(options.site)
    with site.lock():
        staging = site.begin("20260315T010000Z")
        progress.stage("map")
        try:
            print("begun", flush=True)
            signal.pause()
        finally:
            print("engine stopped", flush=True)

module = ModuleType("dure.run")
module.RunOptions, module.run_site = Options, run_site
module.proving = lambda today, progress: None
sys.modules["dure.run"] = module
from dure.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "stopped by Ctrl-C"),
        (signal.SIGTERM, 143, "stopped on request"),
        (signal.SIGHUP, 143, "stopped on request"),
    ],
)
def test_a_stopped_run_ends_cleanly_and_leaves_the_snapshot_before(
    tmp_path: Path, number: int, code: int, said: str
) -> None:
    site = lake_with_first(tmp_path / "lake")
    arguments = ["run", SITE, "--source", str(tmp_path), "--vocab", str(tmp_path), "--lake", str(tmp_path / "lake")]
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == code
    assert out == "engine stopped\n"
    assert (
        f"Error: {said}\n    the snapshot before is unchanged; the next run goes on after the last stage that ended\n"
        in err
    )
    assert "Traceback" not in err
    assert site.latest().name == FIRST
    with Lake(tmp_path / "lake").site(SITE).lock():
        pass  # free again
