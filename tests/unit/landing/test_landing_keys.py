"""Key text and row hash: equal to their definition, the same everywhere."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landing_extract import Extract

from dure.landing.keys import joined, key_text, key_text_of, row_hash

parts = st.one_of(st.none(), st.text(alphabet="a|\\N가 ", max_size=4))


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[parts] * width), min_size=1, max_size=8)))
def test_key_text_is_its_definition(rows: list[tuple[str | None, ...]]) -> None:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    assert key_text(columns).to_pylist() == [key_text_of(row) for row in rows]


@given(st.lists(parts, min_size=2, max_size=2), st.lists(parts, min_size=2, max_size=2))
def test_different_keys_have_different_texts(one: list[str | None], other: list[str | None]) -> None:
    assert (key_text_of(one) == key_text_of(other)) == (one == other)


def test_key_text_by_example() -> None:
    assert key_text_of(["가|나", None, "\\N"]) == "가\\|나|\\N|\\\\N"
    assert key_text_of([None, None]) is None


def test_slices_are_seen_as_slices() -> None:
    column = pa.array(["x|", "a", None, "나\\"])
    assert key_text([column[1:3]]).to_pylist() == ["a", None]
    assert key_text([column[3:]]).to_pylist() == ["나\\\\"]
    assert key_text([column[:0]]).to_pylist() == []


def test_row_hashes_are_pinned() -> None:
    """These values are in lakes: a change makes every row look changed on the next delta run."""
    rows = joined([pa.array(["0001", "환자|1", None]), pa.array(["고혈압", "\\", None])])
    assert rows.to_pylist() == ["0001|고혈압", "환자\\|1|\\\\", "\\N|\\N"]
    assert row_hash(rows).to_pylist() == [7899942100717953790, -1878777368930841340, -5299061904247610068]


def test_row_hash_and_whole_row_key_do_not_depend_on_the_order_of_columns(extract: Extract) -> None:
    extract.write("1.csv", "번호,값,비고\n1,가,\n2,|,나\n")
    extract.write("2.csv", "비고,번호,값\n,1,가\n나,2,|\n")
    extract.land()
    rows = extract.rows()
    assert [r["_row_hash"] for r in rows[:2]] == [r["_row_hash"] for r in rows[2:]]
    assert rows[0]["_row_hash"] != rows[1]["_row_hash"]
    # names in order: 값, 번호, 비고
    assert [r["_key"] for r in rows] == ["가|1|\\N", "\\||2|나"] * 2


def test_a_row_of_nothing_has_no_key(extract: Extract) -> None:
    extract.write("1.csv", "a,b\n,\n1,\n")
    extract.land()
    assert [r["_key"] for r in extract.rows()] == [None, "1|\\N"]
    extract.land(key=["b"])
    assert [r["_key"] for r in extract.rows()] == [None, None]


@pytest.mark.parametrize("changed", ["1,나", "2,가", "1,가 가", ",1", "가,1"])
def test_a_changed_row_has_another_hash(extract: Extract, changed: str) -> None:
    extract.write("1.csv", f"a,b\n1,가\n{changed}\n")
    extract.land()
    assert len({r["_row_hash"] for r in extract.rows()}) == 2
