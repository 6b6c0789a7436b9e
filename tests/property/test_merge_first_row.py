"""Which of the rows of one key is written, on the default engine, against sorting them in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cmp_to_key
from hashlib import md5
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from dure.engine import EngineOptions, engine
from dure.site.entries import entry_model
from dure.site.values import Keep
from dure.tables.merge import merged
from dure.tables.rule import Rule

pytestmark = pytest.mark.together

# Texts that begin one another, in one to three bytes a letter.
TEXTS = st.none() | st.sampled_from(["a", "ab", "b", "!", "~", "가", "가나", "각", "2024", "20240", "é"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from([1, 1, 1, 2, 3]),
            "name": TEXTS,
            "keep": st.tuples(TEXTS, TEXTS),
            "person": st.sampled_from([7, 7, 7, 8]),
            "says": st.sampled_from(["x", "y"]),
            "file": st.sampled_from(["나.csv", "b.csv"]),
            "outcome": st.sampled_from(["written", "written", "written", "rejected"]),
            "targets": st.sampled_from([1, 1, 2]),
        }
    ),
    min_size=1,
    max_size=14,
)
SCHEMA = (
    "_file string, _row bigint, _key string, _n string, _key_hash bigint, _rank int, _reason string, _outcome string, "
    "person__id bigint, text__value string, _keep_0 string, _keep_1 string"
)
KEEPS = {"first": Keep(first=["a", "b"]), "last": Keep(last=["a", "b"]), "nothing": None}


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    with engine(EngineOptions(threads=2)) as running:
        yield running.session


def rule_of(table: str, keep: str) -> Rule:
    return Rule(table, 0, entry_model(table).model_construct(keep=KEEPS[keep]), "source", "")


def frame_rows(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            r["file"],
            n,
            r["name"],
            "0",
            r["key"],
            rank,
            None,
            r["outcome"],
            r["person"],
            f"{r['says']}{rank}",
            *r["keep"],
        )
        for n, r in enumerate(rows)
        for rank in range(r["targets"])
    ]


def expected(rows: list[dict[str, Any]], keep: str) -> dict[int, str]:
    """The outcome of each row, by its number."""
    found = {n: row["outcome"] for n, row in enumerate(rows)}
    written = [(n, row) for n, row in enumerate(rows) if row["outcome"] == "written"]
    for _, own in groupby(sorted(written, key=lambda named: named[1]["key"]), key=lambda named: named[1]["key"]):
        (first, winner), *others = sorted(own, key=cmp_to_key(lambda a, b: compared(a, b, keep)))
        found[first] = "written"
        for n, row in others:
            found[n] = "merged" if row["person"] == winner["person"] else "rejected"
    return found


def compared(one: tuple[int, dict[str, Any]], other: tuple[int, dict[str, Any]], keep: str) -> int:
    """By the declared columns, what is absent last; then by natural key, what is absent first; content; place."""
    (n, a), (m, b) = one, other
    if keep != "nothing":
        for left, right in zip(a["keep"], b["keep"], strict=True):
            if left == right:
                continue
            if left is None or right is None:
                return 1 if left is None else -1
            return (1 if left.encode() > right.encode() else -1) * (1 if keep == "first" else -1)
    left_key, right_key = [(row["name"] or "").encode() for row in (a, b)]
    left_rest, right_rest = [
        (md5(f"{row['person']}|{row['says']}0".encode()).hexdigest(), row["file"].encode(), at)
        for row, at in ((a, n), (b, m))
    ]
    return 1 if (left_key, left_rest) > (right_key, right_rest) else -1


@pytest.mark.parametrize("keep", list(KEEPS))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, reverse=st.booleans())
def test_the_row_that_counts_is_the_first_by_the_declared_order(
    session: SparkSession, keep: str, rows: list[dict[str, Any]], reverse: bool
) -> None:
    given_rows = frame_rows(rows)
    frame = session.createDataFrame(given_rows[::-1] if reverse else given_rows, SCHEMA)
    made = merged(rule_of("visit_occurrence", keep), frame, None).select("_row", "_rank", "_outcome").collect()
    outcomes = expected(rows, keep)
    assert {row["_row"]: row["_outcome"] for row in made} == outcomes
    # A row that is written has all of its targets, any other is one row.
    of_row = {n: rows[n]["targets"] if outcome == "written" else 1 for n, outcome in outcomes.items()}
    assert sorted((row["_row"], row["_rank"]) for row in made) == [
        (n, k) for n in sorted(of_row) for k in range(of_row[n])
    ]


def test_a_key_that_an_earlier_entry_wrote_is_merged_or_belongs_to_another_person(session: SparkSession) -> None:
    rows = [
        {
            "key": key,
            "name": "가",
            "keep": (None, None),
            "person": 7,
            "says": "x",
            "file": "b.csv",
            "outcome": "written",
        }
        for key in (1, 2, 3)
    ]
    frame = session.createDataFrame(frame_rows([row | {"targets": 1} for row in rows]), SCHEMA)
    taken = session.createDataFrame([(1, 7), (2, 8)], "key_hash bigint, person_id bigint")
    made = merged(rule_of("visit_occurrence", "nothing"), frame, taken).collect()
    assert {row["_row"]: (row["_outcome"], row["_reason"]) for row in made} == {
        0: ("merged", None),
        1: ("rejected", "duplicate_key"),
        2: ("written", None),
    }


def test_persons_of_one_key_described_differently_are_all_rejected(session: SparkSession) -> None:
    said = [(1, "x"), (1, "y"), (2, "x"), (2, "x"), (3, "x")]
    frame = session.createDataFrame(
        [("b.csv", n, "k", str(n), key, 0, None, "written", says) for n, (key, says) in enumerate(said)],
        "_file string, _row bigint, _key string, _n string, _key_hash bigint, _rank int, _reason string, "
        "_outcome string, text__value string",
    )
    made = merged(rule_of("person", "nothing"), frame, None).collect()
    assert {row["_row"]: row["_outcome"] for row in made} == {
        0: "rejected",
        1: "rejected",
        2: "written",
        3: "merged",
        4: "written",
    }
