"""What the benchmark says of a command: it belongs to all processes of the command, and failures are shown."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the benchmark reads Linux's /proc")


@pytest.fixture(scope="module")
def process() -> ModuleType:
    found = importlib.util.spec_from_file_location("measured_process", BENCHMARKS / "process.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["measured_process"] = module
    found.loader.exec_module(module)
    return module


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_memory_of_a_grandchild_counts(process: ModuleType, tmp_path: Path) -> None:
    script = "block = bytearray(80_000_000); import time\nwhile time.process_time() < 0.4: pass"
    usage = process.measure(
        python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"), cwd=tmp_path
    )
    assert usage.peak_rss > 80_000_000
    assert usage.cpu > 0.2  # the grandchild's loop, whoever waits for it
    assert usage.first_event is None


def test_only_the_wanted_event_is_the_first(process: ModuleType, tmp_path: Path) -> None:
    lines = [
        "no json",
        "{broken",
        json.dumps({"event": "table", "table": "환자"}),
        json.dumps({"event": "table", "table": "person"}),
    ]
    script = f"import sys\nfor line in {lines!r}: print(line, file=sys.stderr)"
    for wanted, seen in (("person", True), ("measurement", False)):
        until = {"event": frozenset({"table"}), "table": frozenset({wanted})}
        usage = process.measure(python(script), cwd=tmp_path, until=until)
        assert (usage.first_event is not None) is seen
        assert usage.first_event is None or usage.first_event <= usage.wall


def test_a_command_that_fails_says_what_it_said(process: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(process.CommandFailed, match=r"ended with 3:\n두레"):
        process.measure(python("import sys; print('두레', file=sys.stderr); sys.exit(3)"), cwd=tmp_path)
