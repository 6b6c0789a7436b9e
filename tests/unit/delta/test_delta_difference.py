"""Which rows came and went between two landings, against counting them in plain Python."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dure.run.delta import difference as module
from dure.run.delta.difference import difference
from dure.run.delta.parts import Parts, Rows

hashes = st.lists(st.sampled_from([-(1 << 63), -5, 0, 1, 2, 3, (1 << 63) - 1]), max_size=12)


def landed(folder: Path, parts: list[list[int]], group: int = 3) -> Parts:
    """A landing of one source with these hashes, in row groups of a few rows."""
    folder.mkdir(parents=True)
    for number, values in enumerate(parts):
        table = pa.table({"_row_hash": pa.array(values, pa.int64())})
        pq.write_table(table, folder / f"part-{number:05d}.parquet", row_group_size=group)
    return Parts.of(folder)


def of(parts: Parts, rows: Rows) -> Counter[int]:
    return Counter(value for table in parts.take(rows) for value in table["_row_hash"].to_pylist())


@settings(max_examples=150, deadline=None)
@given(st.lists(hashes, min_size=1, max_size=3), st.lists(hashes, min_size=1, max_size=3), st.sampled_from([3, 1000]))
def test_rows_are_counted_whatever_their_order_and_parts(old: list[list[int]], new: list[list[int]], held: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "HELD", held)  # several turns, as where rows are many
        before, after = landed(Path(folder, "old"), old), landed(Path(folder, "new"), new)
        found = difference(before, after)
        one, two = (Counter(value for part in parts for value in part) for parts in (old, new))
        assert of(after, found.came) == two - one
        assert of(before, found.went) == one - two
        assert bool(found) == (one != two)


def test_a_part_that_is_one_file_under_two_names_is_not_read(tmp_path: Path) -> None:
    before = landed(tmp_path / "old", [[1, 2], [3, 4]])
    (tmp_path / "new").mkdir()
    os.link(before.files[0], tmp_path / "new/part-00000.parquet")
    pq.write_table(pa.table({"_row_hash": pa.array([4, 5], pa.int64())}), tmp_path / "new/part-00001.parquet")
    before.files[0].write_bytes(b"no Parquet any more")  # who read it would fail
    after = Parts.of(tmp_path / "new")
    object.__setattr__(before, "groups", ((1, 0, 2),))
    object.__setattr__(after, "groups", ((1, 0, 2),))
    found = difference(before, after)
    assert of(after, found.came) == Counter([5])
    assert of(before, found.went) == Counter([3])


def test_rows_added_at_the_end_are_the_only_ones_sorted(tmp_path: Path) -> None:
    before = landed(tmp_path / "old", [[5, 4, 3]])
    after = landed(tmp_path / "new", [[5, 4, 3, 9, 9]])
    found = difference(before, after)
    assert {place: rows.tolist() for place, rows in found.came.items()} == {(0, 1): [0, 1]}
    assert not found.went


def test_beginning_and_end_in_common() -> None:
    alike = module._alike
    assert alike(np.array([1, 2, 3]), np.array([1, 2, 3])) == (3, 0)
    assert alike(np.array([1, 2, 3]), np.array([1, 9, 3])) == (1, 1)
    assert alike(np.array([1, 1]), np.array([1, 1, 1])) == (2, 0)
    assert alike(np.array([], np.int64), np.array([7])) == (0, 0)
    assert alike(np.array([2, 3]), np.array([1, 2, 3])) == (0, 2)
