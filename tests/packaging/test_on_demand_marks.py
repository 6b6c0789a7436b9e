"""Tests that want more than Python say so when they skip, and fail when everything is demanded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import pytest

@pytest.mark.{mark}
def test_that_wants_something():
    pass
"""


TOGETHER = """
import pytest

@pytest.mark.together
@pytest.mark.parametrize("number", range(6))
def test_that_shares_something(number):
    pass
"""


def run_probe(repository: Path, folder: Path, probe_text: str, *options: str, **environment: str) -> str:
    """What pytest printed for those tests, on a machine that has nothing but Python."""
    probe = folder / "tests"
    probe.mkdir()
    (probe / "conftest.py").write_text((repository / "tests/conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (probe / "test_probe.py").write_text(probe_text, encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        (repository / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    bare = {"PATH": str(folder), "HOME": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder, env=bare, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mark", "says"),
    [("spark", "Java 17 or later"), ("browser", "Chromium"), ("postgres", "PostgreSQL"), ("slow", "make test-all")],
)
def test_a_skip_says_what_is_wanted_and_how_to_run_it(repository: Path, tmp_path: Path, mark: str, says: str) -> None:
    printed = run_probe(repository, tmp_path, PROBE.format(mark=mark))
    assert "1 skipped" in printed
    assert says in printed
    assert "make test-all" in printed


@pytest.mark.parametrize(("mark", "says"), [("spark", "found no Java"), ("browser", "found no chromium")])
def test_demanding_everything_turns_a_missing_prerequisite_into_a_failure(
    repository: Path, tmp_path: Path, mark: str, says: str
) -> None:
    printed = run_probe(repository, tmp_path, PROBE.format(mark=mark), DURE_REQUIRE_ALL="1")
    assert "1 error" in printed or "1 failed" in printed
    assert says in printed


def test_naming_a_mark_runs_its_tests_and_skips_only_what_is_missing(repository: Path, tmp_path: Path) -> None:
    assert "1 passed" in run_probe(repository, tmp_path, PROBE.format(mark="slow"), "-m", "slow")


def test_a_named_mark_without_its_prerequisite_says_what_is_missing(repository: Path, tmp_path: Path) -> None:
    printed = run_probe(repository, tmp_path, PROBE.format(mark="spark"), "-m", "spark")
    assert "1 skipped" in printed
    assert "found no Java" in printed


def test_tests_that_belong_together_stay_on_one_process(repository: Path, tmp_path: Path) -> None:
    printed = run_probe(repository, tmp_path, TOGETHER, "-v", "-n", "2", "--dist", "loadgroup")
    assert "6 passed" in printed
    assert len(set(re.findall(r"\[(gw\d)\].*PASSED", printed))) == 1


def test_settings_of_whoever_runs_the_tests_do_not_reach_them() -> None:
    assert [name for name in os.environ if name.startswith("DURE_")] == []


def test_the_demand_reaches_every_test_process(repository: Path, tmp_path: Path) -> None:
    printed = run_probe(
        repository, tmp_path, PROBE.format(mark="spark"), "-n", "2", DURE_REQUIRE_ALL="1", DURE_LAKE="elsewhere"
    )
    assert "1 error" in printed
    assert "found no Java" in printed
