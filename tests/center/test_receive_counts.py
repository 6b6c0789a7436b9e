"""What a summary counts while rows go by in blocks, against the same counted of all rows at once."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dure.center.summary.counted import SAMPLE, Counts, Values

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 40), max_size=6))
def test_records_and_persons_whatever_the_blocks(rows: list[tuple[int, int]], cuts: list[int]) -> None:
    rows.sort(key=lambda row: row[0])
    counts = Counts()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True):
        block = rows[start:end]
        counts.add(np.array([key for _, key in block], np.int64), np.array([p for p, _ in block], np.int64))
    expected: dict[int, list[int]] = defaultdict(list)
    for person, key in rows:
        expected[key].append(person)
    found = [part.tolist() for part in counts.totals()]
    assert found == [
        sorted(expected),
        [len(expected[key]) for key in sorted(expected)],
        [len(set(expected[key])) for key in sorted(expected)],
    ]


def test_percentiles_are_exact_for_few_values_and_close_for_many() -> None:
    values = Values(seed=1)
    few = np.arange(101, dtype=np.float64)
    values.add(np.full(101, 7, np.int64), few)
    assert values.percentiles(7, (0.05, 0.5, 0.95)) == [5.0, 50.0, 95.0]
    many = np.random.default_rng(2).permutation(np.arange(50 * SAMPLE, dtype=np.float64))
    for block in np.array_split(many, 23):
        values.add(np.full(block.size, 8, np.int64), block)
    assert values.numeric(8) == 50 * SAMPLE
    assert values.mean(8) == pytest.approx((50 * SAMPLE - 1) / 2)
    for share, found in zip(
        (0.05, 0.25, 0.5, 0.75, 0.95), values.percentiles(8, (0.05, 0.25, 0.5, 0.75, 0.95)), strict=True
    ):
        assert found is not None and abs(found / (50 * SAMPLE) - share) < 0.03


def test_what_is_no_number_counts_for_nothing() -> None:
    values = Values(seed=1)
    values.add(np.array([1, 1, 1, 2], np.int64), np.array([np.nan, np.inf, 3.0, -np.inf]))
    assert (values.numeric(1), values.mean(1), values.percentiles(1, (0.5,))) == (1, 3.0, [3.0])
    assert (values.numeric(2), values.mean(2), values.percentiles(2, (0.5,))) == (0, None, [None])
