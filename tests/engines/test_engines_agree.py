"""Every scenario on Apache Spark and on Sail: the same rows of every table, ids included, and the same evidence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
sys.path.insert(0, str(SCENARIOS))
from scenario import REPORTS, VOCABULARY, Outcome, Scenario, scenarios  # noqa: E402

sys.path.pop(0)

from dure.engine import Engine, EngineOptions, engine  # noqa: E402
from dure.vocab import VocabularyStore, load_athena  # noqa: E402

pytestmark = [pytest.mark.spark, pytest.mark.together]

FOR_LITTLE_DATA = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    """The scenarios' own vocabulary."""
    return load_athena(VOCABULARY, tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def on_sail(
    request: pytest.FixtureRequest, store: VocabularyStore, tmp_path_factory: pytest.TempPathFactory
) -> dict[Scenario, Outcome]:
    """What the chosen scenarios become on the default engine, which has stopped before Spark starts."""
    chosen = [item.callspec.params["scenario"] for item in request.session.items if item.path == request.path]
    with engine(EngineOptions(threads=2)) as running:
        return {scenario: scenario.run(running, store, tmp_path_factory.mktemp("sail")) for scenario in chosen}


@pytest.fixture(scope="module")
def spark(on_sail: dict[Scenario, Outcome]) -> Iterator[Engine]:
    """Apache Spark in one JVM for all scenarios, without the tasks and compiled code that pay only for much data."""
    with engine(EngineOptions(name="spark", threads=2)) as running:
        for name, value in FOR_LITTLE_DATA.items():
            running.session.conf.set(name, value)
        yield running


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_engines_agree(
    scenario: Scenario, on_sail: dict[Scenario, Outcome], spark: Engine, store: VocabularyStore, tmp_path: Path
) -> None:
    expected, found = on_sail[scenario], scenario.run(spark, store, tmp_path)
    assert found.error == expected.error
    assert found.warnings == expected.warnings
    if not expected.error:
        assert _tables(found) == _tables(expected)
        assert _evidence(found) == _evidence(expected)


def _tables(outcome: Outcome) -> dict[str, object]:
    """Types and rows of every table that has any; rows in an order of their own, since engines split files as they like."""
    return {
        name: ([(field.name, str(field.type)) for field in table.schema], sorted(map(repr, table.to_pylist())))
        for name, table in outcome.tables.items()
        if table.num_rows
    }


def _evidence(outcome: Outcome) -> dict[str, object]:
    assert outcome.reports is not None
    texts: dict[str, object] = {
        name: (outcome.reports / f"{name}.csv").read_text(encoding="utf-8-sig").splitlines()
        for name in REPORTS
        if name != "rejects"
    }
    rejects = outcome.reports / "rejects.parquet"
    return texts | {"rejects": sorted(map(repr, pq.read_table(rejects).to_pylist())) if rejects.exists() else []}
