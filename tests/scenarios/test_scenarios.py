"""Every scenario on the default engine: the rows that its folder says, the counts, and no broken link."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario import REPORTS, Scenario, broken_links, differences, scenarios

from dure.cdm.roles import spec_tables
from dure.cdm.schema import site_tables
from dure.engine import Engine
from dure.vocab import VocabularyStore

# Tables that Dure fills without an entry.
DERIVED = ("observation_period", "cdm_source")


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, sail: Engine, vocabulary_store: VocabularyStore, tmp_path: Path) -> None:
    outcome = scenario.run(sail, vocabulary_store, tmp_path)
    refusal = scenario.expected_error
    if refusal is not None:
        assert [text for text in refusal if text not in outcome.error] == [], outcome.error or "it was not refused"
        return
    assert outcome.error == ""
    warnings = "\n".join(outcome.warnings)
    assert [text for text in scenario.expected_warnings if text not in warnings] == [], warnings
    found = [line for of, path in scenario.expected.items() for line in differences(outcome, of, path)]
    assert found + broken_links(outcome) == [], "\n" + "\n".join(found)


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_scenario_says_what_it_pins(scenario: Scenario) -> None:
    first = (scenario.folder / "site.yaml").read_text(encoding="utf-8").split("\n")[0]
    assert first.startswith("# "), "the first line of site.yaml tells the rule that the scenario pins"
    assert scenario.table in site_tables()
    assert scenario.table in scenario.expected or scenario.expected_error, f"expects nothing of {scenario.table}"
    assert set(scenario.expected) <= {*site_tables(), *REPORTS}


@pytest.mark.parametrize("table", [*spec_tables(), *DERIVED])
def test_every_table_has_a_scenario(table: str) -> None:
    assert [scenario for scenario in scenarios() if scenario.table == table] != []
