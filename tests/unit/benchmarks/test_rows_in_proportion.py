"""The benchmark holds the rows of a scaled extract against those of the extract itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"

pytest.importorskip("duckdb", reason="the floor is DuckDB SQL: pip install 'dure[duckdb]'")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module("run")
    finally:
        sys.path.remove(str(BENCHMARKS))


def rows_of(bench: ModuleType, size: int) -> dict[str, int]:
    rows = dict.fromkeys(bench.floor.TABLES, 7 * size)
    return {**rows, "location": 90, "care_site": 63, "provider": 166}


def test_every_table_but_those_of_places_grows_with_the_patients(bench: ModuleType) -> None:
    of_one = rows_of(bench, 1)
    assert bench.not_in_proportion(100, rows_of(bench, 100), of_one) == []
    grown = {**rows_of(bench, 100), "drug_era": 699, "location": 9_000}
    assert bench.not_in_proportion(100, grown, of_one) == [
        "location: 9,000, not 90",
        "drug_era: 699, not 700",
    ]


def test_it_says_so_or_ends_the_benchmark(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def figures(rows: dict[str, int]) -> object:
        return bench.Figures(1.0, 1.0, 1, None, 1, rows)

    of_one = rows_of(bench, 1)
    bench.require_proportion(4, {"floor": figures(rows_of(bench, 4)), "sail": figures(rows_of(bench, 4))}, of_one)
    assert (
        "x4: floor, sail wrote exactly 4 times the rows of x1 in all 15 clinical and era tables"
        in capsys.readouterr().out
    )
    with pytest.raises(SystemExit) as ended:
        bench.require_proportion(4, {"floor": figures(rows_of(bench, 4)), "sail": figures(rows_of(bench, 3))}, of_one)
    assert "sail: person: 21, not 28" in str(ended.value.code)
