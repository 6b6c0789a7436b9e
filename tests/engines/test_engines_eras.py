"""Eras on Apache Spark and on Sail: the same rows, ids and counts, from files that split persons and keep no order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame

from dure.derive import condition_era, dose_era, drug_era
from dure.derive.drugs import INGREDIENTS, STRENGTHS, Drugs, used_drugs
from dure.engine import Engine, EngineOptions, engine

pytestmark = [pytest.mark.spark, pytest.mark.together]

SITE = "바다"
PARTITIONS = 3
ROWS = 30_000
# One person has more rows than Spark puts into ten batches.
BUSY_PERSON, BUSY_ROWS = 7_205_759_403_792_793, 100_000
MG = 8576
DRUGS = Drugs(
    pa.table([[201, 202, 202, 203], [101, 101, 102, 103]], INGREDIENTS),
    pa.table(
        [
            [201, 201, 202, 202, 203],
            ["", "정", "", "", "㎖"],
            [101, 101, 101, 102, 103],
            [MG] * 5,
            [500.0, 500.0, 0.1, 15.0, 24 / 7],
        ],
        STRENGTHS,
    ),
    {},
    {},
)
NO_DRUGS = Drugs(INGREDIENTS.empty_table(), STRENGTHS.empty_table(), {}, {})


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Conditions and drug exposures in one frame: each table's builder takes the columns it knows."""
    random = np.random.default_rng(20240229)
    n = ROWS + BUSY_ROWS
    person = random.integers(1, 400, n)
    person[ROWS:] = BUSY_PERSON
    start = random.integers(18_000, 22_000, n).astype(np.int32)
    end = pa.array(start + random.integers(-2, 45, n).astype(np.int32), mask=random.random(n) < 0.3)
    order = random.permutation(n)
    table = pa.table(
        {
            "person_id": person,
            "condition_concept_id": random.choice([0, 255848, 317009, 2_147_483_647], n).astype(np.int32),
            "drug_concept_id": random.choice([0, 201, 202, 203, 204], n).astype(np.int32),
            "quantity": pa.array(random.choice([0.3, 1.0, 7.0, 30.0, 0.0, np.nan], n), mask=random.random(n) < 0.2),
            "days_supply": pa.array(random.choice([0, 1, 3, 7], n).astype(np.int32), mask=random.random(n) < 0.5),
            "dose_unit_source_value": pa.array(random.choice(["정", " ㎖ ", "정 " * 20, ""], n), mask=_some(random, n)),
            "start": pa.array(start).cast(pa.date32()),
            "end": end.cast(pa.date32()),
        }
    ).take(pa.array(order))
    folder = tmp_path_factory.mktemp("events")
    for part in range(3):
        pq.write_table(table.slice(part * n // 3, (part + 1) * n // 3 - part * n // 3), folder / f"{part}.parquet")
    return folder


def _some(random: np.random.Generator, n: int) -> npt.NDArray[np.bool_]:
    return random.random(n) < 0.5


def conditions(engine: Engine, events: Path) -> DataFrame:
    return _renamed(engine, events, "condition")


def exposures(engine: Engine, events: Path) -> DataFrame:
    return _renamed(engine, events, "drug_exposure")


def _renamed(engine: Engine, events: Path, table: str) -> DataFrame:
    frame = engine.session.read.parquet(str(events))
    return frame.withColumnsRenamed({"start": f"{table}_start_date", "end": f"{table}_end_date"})


def condition_rows(engine: Engine, events: Path) -> DataFrame:
    return condition_era.build(conditions(engine, events), SITE, PARTITIONS)


def drug_rows(engine: Engine, events: Path) -> DataFrame:
    return drug_era.build(exposures(engine, events), DRUGS, SITE, PARTITIONS)


def dose_rows(engine: Engine, events: Path) -> DataFrame:
    return dose_era.build(exposures(engine, events), DRUGS, SITE, PARTITIONS)


def no_condition_rows(engine: Engine, events: Path) -> DataFrame:
    return condition_era.build(conditions(engine, events).where("person_id < 0"), SITE, PARTITIONS)


def no_drug_rows(engine: Engine, events: Path) -> DataFrame:
    return drug_era.build(exposures(engine, events), NO_DRUGS, SITE, PARTITIONS)


def no_dose_rows(engine: Engine, events: Path) -> DataFrame:
    return dose_era.build(exposures(engine, events), NO_DRUGS, SITE, PARTITIONS)


def used_drug_rows(engine: Engine, events: Path) -> DataFrame:
    return used_drugs(exposures(engine, events)).orderBy("drug_concept_id", "counted_in", "has_quantity")


ERAS = (condition_rows, drug_rows, dose_rows)
NOTHING = (no_condition_rows, no_drug_rows, no_dose_rows)

Built = Mapping[str, pa.Table]


def built(options: EngineOptions, events: Path) -> Built:
    """What every builder gives on one engine, which is down again before the other starts."""
    with engine(options) as running:
        return {build.__name__: build(running, events).toArrow() for build in (*ERAS, *NOTHING, used_drug_rows)}


@pytest.fixture(scope="module")
def sail(events: Path) -> Built:
    return built(EngineOptions(threads=2), events)


@pytest.fixture(scope="module")
def spark(sail: Built, events: Path) -> Built:
    return built(EngineOptions(name="spark", threads=2), events)


@pytest.mark.parametrize("build", [build.__name__ for build in ERAS])
def test_engines_give_the_same_eras(build: str, sail: Built, spark: Built) -> None:
    on_sail, on_spark = sail[build], spark[build]
    assert on_sail.num_rows > 1000
    assert on_sail.column_names == on_spark.column_names
    assert on_sail.to_pylist() == on_spark.to_pylist()
    ids = on_sail.column(0).to_pylist()
    assert len(set(ids)) == len(ids)


def test_engines_count_the_same_drugs(sail: Built, spark: Built) -> None:
    on_sail = sail[used_drug_rows.__name__].to_pylist()
    assert on_sail == spark[used_drug_rows.__name__].to_pylist()
    assert sum(row["exposures"] for row in on_sail) == ROWS + BUSY_ROWS


@pytest.mark.parametrize("build", [build.__name__ for build in NOTHING])
def test_engines_give_no_eras_of_nothing(build: str, sail: Built, spark: Built) -> None:
    assert (sail[build].num_rows, spark[build].num_rows) == (0, 0)
