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


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    """Apache Spark in one JVM for all scenarios, with as few tasks as so little data needs."""
    with engine(EngineOptions(name="spark", threads=2)) as running:
        running.session.conf.set("spark.sql.shuffle.partitions", "1")
        yield running


@pytest.fixture(scope="module")
def sail(spark: Engine) -> Iterator[Engine]:
    """The default engine; started after Spark, whose start takes over a session that is up."""
    with engine(EngineOptions(threads=2)) as running:
        assert running.session is not spark.session
        yield running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    """The scenarios' own vocabulary."""
    return load_athena(VOCABULARY, tmp_path_factory.mktemp("stores"))


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_engines_agree(scenario: Scenario, spark: Engine, sail: Engine, store: VocabularyStore, tmp_path: Path) -> None:
    on_spark = scenario.run(spark, store, tmp_path / "spark")
    on_sail = scenario.run(sail, store, tmp_path / "sail")
    assert on_spark.error.replace(str(tmp_path / "spark"), "") == on_sail.error.replace(str(tmp_path / "sail"), "")
    if on_sail.error:
        return
    assert _tables(on_spark) == _tables(on_sail)
    assert _evidence(on_spark) == _evidence(on_sail)


def _tables(outcome: Outcome) -> dict[str, object]:
    """Types and rows of every table that has any; rows in an order of their own, since engines split files as they like."""
    return {
        name: (table.schema.to_string(show_schema_metadata=False), sorted(map(repr, table.to_pylist())))
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
