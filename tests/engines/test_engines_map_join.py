"""The join with the resolved map sends no event from one partition to another: the map goes to the events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dure.engine import Engine, EngineOptions, engine
from dure.tables.codes import ResolvedMap

# Sail's planner compares sizes and passes over the hint; a map of more rows than 131,072 it would meet half way, by an
# exchange between threads that costs less than joining the map in pieces (docs/guide/mapping-desk.md).
CODES, EVENTS, FILES = 100_000, 50_000, 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of many codes, and events in several files."""
    folder = tmp_path_factory.mktemp("map_join")
    (folder / "events").mkdir()
    keys = [f"LAB|코드{n}" for n in range(CODES)]
    for part in range(FILES):
        table = pa.table({"key": keys[part * EVENTS // FILES :][: EVENTS // FILES] * FILES})
        pq.write_table(table.append_column("day", pa.nulls(EVENTS, pa.date32())), folder / f"events/{part}.parquet")
    numbers, dates = pa.array(range(CODES), pa.int32()), pa.nulls(CODES, pa.date32())
    columns = {
        "request_key": pa.array(keys),
        "valid_start": dates,
        "valid_end": dates,
        "rank": pa.array([0] * CODES, pa.int32()),
        "source_concept_id": numbers,
        "target_concept_id": numbers,
        "target_domain_id": pa.array(["Measurement"] * CODES),
        "value_concept_id": pa.nulls(CODES, pa.int32()),
        "equivalence": pa.array(["equal"] * CODES),
        "resolved_row": numbers,
    }
    pq.write_table(pa.table(columns), folder / "map.parquet")
    return folder


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with engine(EngineOptions(name=request.param, threads=2)) as started:
        yield started


def plan(running: Engine, data: Path, dated: bool, capsys: pytest.CaptureFixture[str]) -> str:
    resolved = ResolvedMap(running.session.read.parquet(str(data / "map.parquet")), dated)
    events = running.session.read.parquet(str(data / "events"))
    joined = resolved.join(resolved.join(events, "key", "day", "code__0", False), "key", "day", "unit__0", True)
    capsys.readouterr()
    joined.explain()
    return capsys.readouterr().out


@pytest.mark.parametrize("running", ["sail"], indirect=True)
@pytest.mark.parametrize("dated", [False, True])
def test_sail_joins_the_whole_map_to_each_part_of_the_events(
    running: Engine, data: Path, dated: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    said = plan(running, data, dated, capsys)
    assert said.count("HashJoinExec: mode=CollectLeft") == 2
    assert "partitioning=Hash" not in said


@pytest.mark.spark
@pytest.mark.parametrize("running", ["spark"], indirect=True)
@pytest.mark.parametrize("dated", [False, True])
def test_spark_broadcasts_the_map(running: Engine, data: Path, dated: bool, capsys: pytest.CaptureFixture[str]) -> None:
    said = plan(running, data, dated, capsys)
    assert said.count("BroadcastHashJoin") == 2
    assert "hashpartitioning" not in said
    assert "SortMergeJoin" not in said
