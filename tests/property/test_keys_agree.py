"""The key text of landing (Python), of the engine, and what a record id makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dure import landing
from dure.engine import EngineOptions, engine
from dure.tables.keys import identity, key_hash, key_text, key_text_of, record_id

PARTS = st.lists(st.none() | st.text(st.sampled_from("a|\\N 가나1"), max_size=6), min_size=2, max_size=2)


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    with engine(EngineOptions()) as running:
        yield running.session


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(PARTS, min_size=1, max_size=20))
def test_one_key_text_wherever_it_is_made(session: SparkSession, rows: list[list[str | None]]) -> None:
    frame = session.createDataFrame([tuple(row) for row in rows], "a string, b string")
    made = [row[0] for row in frame.select(key_text([F.col("a"), F.col("b")])).collect()]
    assert made == [None if row == [None, None] else key_text_of(row) for row in rows]
    assert made == [landing.key_text_of(row) for row in rows]


@given(one=PARTS, other=PARTS)
def test_two_keys_never_share_a_text(one: list[str | None], other: list[str | None]) -> None:
    assert (key_text_of(one) == key_text_of(other)) == (one == other)


def test_ids_are_pinned(session: SparkSession) -> None:
    """A change of these numbers changes the ids of every hospital."""
    frame = session.createDataFrame([("환자|1",), ("P-2",)], "k string")
    text = identity("bada", "patient", "person", "", F.col("k"), F.lit("0"))
    assert [row[0] for row in frame.select(record_id(text, 53)).collect()] == PINNED
    assert [row[0] for row in frame.select(key_hash(F.col("k"))).collect()] == PINNED_HASHES


def test_a_salt_moves_only_the_record_it_names(session: SparkSession) -> None:
    frame = session.createDataFrame([("a",), ("b",)], "k string")
    text = identity("s", "t", "person", "", F.col("k"), F.lit("0"))
    sha = frame.select(F.sha2(text, 256)).collect()[0][0]
    before = [row[0] for row in frame.select(record_id(text, 53)).collect()]
    after = [row[0] for row in frame.select(record_id(text, 53, {sha: 1})).collect()]
    assert after[0] != before[0]
    assert after[1] == before[1]
    assert all(0 < number < 2**53 for number in [*before, *after])


PINNED = [1452862188624803, 469786435654892]
PINNED_HASHES = [1771673461131605960, -8246058262330358662]
