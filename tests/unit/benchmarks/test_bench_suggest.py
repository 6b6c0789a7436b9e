"""The evaluation of suggestions: which rows it asks about, and that no fold learns from what it is asked."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKBOOK = ROOT.parent / "shared/data/korea_edi_maps/procedure_guideline/Procedure_1-5009.xlsx"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    found = importlib.util.spec_from_file_location("bench_suggest", ROOT / "benchmarks" / "suggest.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["bench_suggest"] = module
    found.loader.exec_module(module)
    return module


def rows(*told: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(told, columns=["korean", "english", "target"])


def test_rows_alike_in_either_language_are_one_group(bench: ModuleType) -> None:
    told = rows(
        ("입원료 간호1등급", "Inpatient care grade", 0),
        ("입원료 간호2등급", "Nursing", 0),
        ("복부초음파", "Nursing", 0),
        ("심장수술", "Cardiac surgery", 0),
    )
    assert [int(number) for number in bench.groups(told, by_target=False)] == [0, 0, 0, 1]


def test_rows_of_one_target_are_one_group_where_asked(bench: ModuleType) -> None:
    told = rows(("간이식", "Liver transplant", 5), ("심장수술", "Cardiac surgery", 0), ("충수", "Appendix", 5))
    assert len(set(bench.groups(told, by_target=False))) == 3
    assert [int(number) for number in bench.groups(told, by_target=True)] == [0, 1, 0]


def test_figures_count_ranks_from_1(bench: ModuleType) -> None:
    found = bench.Figures.of(np.array([1, 2, 5, 6, 11, np.inf, 1, 10]))
    assert (found.top1, found.top5, found.top10, found.mrr) == (25.0, 50.0, 75.0, 0.382)


@pytest.mark.slow
@pytest.mark.skipif(not WORKBOOK.exists(), reason="the annotators' workbook is not beside the checkout")
def test_the_items_of_the_workbook(bench: ModuleType) -> None:
    data = bench.read(WORKBOOK)
    assert (len(data.items), len(data.candidates)) == (731, 830)
    items = data.rows.iloc[data.items]
    assert not (items["english"].str.lower() == items["name"].str.lower()).any()
    assert set(items["target"]) <= set(data.candidates.concept_id)
    trigrams = bench.Figures.of(bench.baseline(data, "Korean"))
    assert (trigrams.top1, trigrams.top5) == (0.8, 1.8)
    strict = bench.groups(data.rows, by_target=True)
    groups_of_target = pd.Series(strict).groupby(data.rows["target"]).nunique()
    assert groups_of_target[groups_of_target.index > 0].max() == 1
