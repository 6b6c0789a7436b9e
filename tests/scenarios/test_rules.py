"""Each rule is pinned by something that exists, each scenario pins a rule, and the page of the rules is up to date."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from scenario import HERE, scenarios

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """docs/generate_semantics.py, which is a script and on no path."""
    spec = importlib.util.spec_from_file_location("generate_semantics", REPOSITORY / "docs" / "generate_semantics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_rule_has_a_scenario_or_a_test_that_exists(generator: ModuleType) -> None:
    folders = {scenario.name for scenario in scenarios()}
    wrong = []
    for rule in generator.rules():
        if not rule.pinned_by:
            wrong.append(f"{rule.rule}: nothing pins it")
        wrong += [f"{rule.rule}: no scenario {name}" for name in rule.scenarios if name not in folders]
        wrong += [f"{rule.rule}: no test {name}" for name in rule.tests if not _is_there(name)]
    assert wrong == [], "correct tests/scenarios/rules.csv or add the scenario"


def test_every_scenario_pins_a_rule(generator: ModuleType) -> None:
    pinned = {name for rule in generator.rules() for name in rule.scenarios}
    strangers = sorted({scenario.name for scenario in scenarios()} - pinned)
    assert strangers == [], "add them to pinned_by of a rule in tests/scenarios/rules.csv, or add their rule"


def test_what_the_page_shows_is_there(generator: ModuleType) -> None:
    lost = [
        f"{rule.rule}: {file}"
        for rule in generator.rules()
        for file in (re.split("[:#]", show)[0] for show in rule.shows)
        if not rule.scenarios or not (HERE / rule.scenarios[0] / file).is_file()
    ]
    assert lost == [], "correct `shows` in tests/scenarios/rules.csv: its files are those of the first scenario"


def test_rules_are_well_formed(generator: ModuleType) -> None:
    rules = generator.rules()
    assert [name for name, n in Counter(rule.rule for rule in rules).items() if n > 1] == []
    assert [rule.rule for rule in rules if not re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", rule.rule)] == []
    assert [rule.rule for rule in rules if not rule.section or not rule.statement.endswith(".")] == []
    sections = [rule.section for rule in rules]
    together = [section for n, section in enumerate(sections) if n == 0 or sections[n - 1] != section]
    assert together == list(dict.fromkeys(sections)), "rules of one section stand together"


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    written = generator.PAGE.read_text(encoding="utf-8") if generator.PAGE.exists() else ""
    stale = written != generator.page(generator.rules())
    assert not stale, f"docs/guide/semantics.md is stale: run `{generator.COMMAND}`"


def _is_there(test: str) -> bool:
    """Whether `tests/….py::test_…` names a test function."""
    path, _, name = test.partition("::")
    file = REPOSITORY / path
    return (
        file.is_file() and re.search(rf"^def {re.escape(name)}\(", file.read_text(encoding="utf-8"), re.M) is not None
    )
