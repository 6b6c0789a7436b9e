"""Spans of rows, without an engine: against sets of days, in any order, and for a person with very many rows."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_eras import DAY, Row, days, plain_eras

from dure.derive import era_spans
from dure.derive.era_spans import eras_of, partitions_for

KEYS = ("person_id", "concept")
SCHEMA = pa.schema([("person_id", pa.int64()), ("concept", pa.int32()), ("start", pa.date32()), ("end", pa.date32())])

rows = st.lists(
    st.tuples(st.sampled_from([(1, 5), (1, 9), (2, 5), (2**52, 2**31 - 1)]), days, st.integers(0, 60)).map(
        lambda row: (row[0], row[1], row[1] + DAY * row[2])
    ),
    max_size=40,
)


def table(of: list[Row], pieces: int = 1) -> pa.Table:
    """The rows in Arrow, as so many chunks."""
    listed = [dict(zip(SCHEMA.names, (*key, start, end), strict=True)) for key, start, end in of]  # type: ignore[misc]
    whole = pa.Table.from_pylist(listed, SCHEMA)
    size = max(1, -(-len(listed) // pieces))
    parts = [whole.slice(at, size) for at in range(0, len(listed), size)]
    return pa.concat_tables(parts) if parts else whole


def tuples(eras: pa.Table) -> list[tuple[object, ...]]:
    return sorted(
        (
            ((row["person_id"], row["concept"]), row["era_start"], row["era_end"], row["exposures"], row["gap_days"])
            for row in eras.to_pylist()
        ),
        key=repr,
    )


@settings(deadline=None)
@given(rows, st.integers(1, 5))
def test_spans_are_those_of_the_covered_days(of: list[Row], pieces: int) -> None:
    assert tuples(eras_of(table(of, pieces), KEYS)) == plain_eras(of)


@settings(deadline=None)
@given(rows)
def test_keys_that_do_not_fit_one_number_are_renumbered(of: list[Row]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(era_spans, "ROOM", 3)
        assert tuples(eras_of(table(of), KEYS)) == plain_eras(of)


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_order_of_rows_is_irrelevant(of: list[Row], random: object) -> None:
    shuffled = list(of)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert tuples(eras_of(table(shuffled), KEYS)) == tuples(eras_of(table(of), KEYS))


def test_thirty_days_are_bridged_and_thirty_one_are_not() -> None:
    first = (date(2024, 1, 1), date(2024, 1, 10))
    bridged, apart = date(2024, 2, 9), date(2024, 2, 10)
    assert tuples(eras_of(table([((1, 5), *first), ((1, 5), bridged, bridged)]), KEYS)) == [
        ((1, 5), first[0], bridged, 2, 29)
    ]
    assert tuples(eras_of(table([((1, 5), *first), ((1, 5), apart, apart)]), KEYS)) == [
        ((1, 5), *first, 1, 0),
        ((1, 5), apart, apart, 1, 0),
    ]


def test_dates_at_the_ends_of_the_calendar() -> None:
    ends = [((1, 5), date(1, 1, 1), date(1, 1, 1)), ((1, 5), date(9999, 12, 31), date(9999, 12, 31))]
    whole = [((2, 5), date(1, 1, 1), date(9999, 12, 31))]
    assert tuples(eras_of(table([*whole, *ends]), KEYS)) == [
        ((1, 5), date(1, 1, 1), date(1, 1, 1), 1, 0),
        ((1, 5), date(9999, 12, 31), date(9999, 12, 31), 1, 0),
        ((2, 5), date(1, 1, 1), date(9999, 12, 31), 1, 0),
    ]


def test_one_person_with_a_hundred_thousand_rows() -> None:
    """Every second day in one of two blocks 31 days apart, from the last to the first."""
    start = np.concatenate([np.arange(0, 100_000, 2), 99_998 + 31 + np.arange(0, 100_000, 2)])[::-1].astype(np.int32)
    days_of = pa.array(start).cast(pa.date32())
    same = np.ones(len(start))
    eras = eras_of(
        pa.table(
            {
                "person_id": same.astype(np.int64),
                "concept": same.astype(np.int32),
                "start": days_of,
                "end": days_of,
            }
        ),
        KEYS,
    )
    assert eras["exposures"].to_pylist() == [50_000, 50_000]
    assert eras["gap_days"].to_pylist() == [49_999, 49_999]
    assert eras["era_end"].cast(pa.int32()).to_pylist() == [99_998, 99_998 + 31 + 99_998]


@pytest.mark.parametrize(
    ("rows", "cores", "partitions"),
    [
        (0, 8, 1),
        (10, 8, 1),
        (50_001, 8, 2),
        (3_000_000, 2, 2),
        (10_000_000, 2, 5),
        (10_000_000, 64, 64),
        (1_000_000_000, 64, 500),
    ],
)
def test_partitions_keep_cores_busy_and_memory_small(rows: int, cores: int, partitions: int) -> None:
    assert partitions_for(rows, cores) == partitions
