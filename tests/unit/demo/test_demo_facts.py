"""Facts as numbers: equal where the facts are, counted as often as they occur, and in some part whatever the parts."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from dure.demo.content import cell_hashes, row_hashes
from dure.demo.facts import Facts, facts_of

Given = tuple[str, int | None, date, float | None, int | None, int | None, int | None]
A: Given = ("김", 3004410, date(2020, 1, 2), 7.2, None, None, 8554)
B: Given = ("김", 3004410, date(2020, 1, 3), 7.2, None, None, 8554)


def facts(*given: Given, part: int = 0, parts: int = 1) -> Facts:
    person, *cells = zip(*given, strict=True) if given else ((), (), (), (), (), (), ())
    types = (pa.int32(), pa.date32(), pa.float64(), pa.int32(), pa.int32(), pa.int32())
    arrays = [pa.array(column, kind) for column, kind in zip(cells, types, strict=True)]
    return Facts.of([facts_of(cell_hashes(pa.array(person, pa.string())), arrays, part, parts)])


def test_the_same_fact_is_found() -> None:
    assert facts(A, B).without(facts(B, A)).tolist() == []


def test_each_part_of_a_fact_counts() -> None:
    others: list[Given] = [
        ("이", *A[1:]),
        (A[0], 3004501, *A[2:]),
        (*A[:2], date(2020, 1, 4), *A[3:]),
        (*A[:3], 7.3, *A[4:]),
        (*A[:4], 4171756, *A[5:]),
        (*A[:5], 9191, A[6]),
        (*A[:6], 8840),
        (*A[:3], None, *A[4:]),
    ]
    for other in others:
        assert facts(A).without(facts(other)).tolist() == [3004410]


def test_a_fact_that_is_there_twice_must_be_found_twice() -> None:
    assert facts(A, A, B).without(facts(A, B)).tolist() == [3004410]
    assert facts(A, B).without(facts(A, A, B)).tolist() == []
    assert facts(A, A).without(facts()).tolist() == [3004410, 3004410]


def test_no_concept_and_concept_0_are_the_same() -> None:
    none: Given = ("김", None, date(2020, 1, 2), 1.0, None, None, None)
    zero: Given = ("김", 0, date(2020, 1, 2), 1.0, 0, 0, 0)
    assert facts(none).without(facts(zero)).tolist() == []


def test_numbers_of_other_libraries_are_equal_to_six_decimals() -> None:
    sum_of_tenths: Given = (*A[:3], 0.1 + 0.2, *A[4:])
    three_tenths: Given = (*A[:3], 0.3, *A[4:])
    assert facts(sum_of_tenths).without(facts(three_tenths)).tolist() == []


def test_the_parts_of_the_persons_are_all_of_them() -> None:
    persons: list[Given] = [(f"환자{n}", *A[1:]) for n in range(50)]
    whole = facts(*persons)
    parts = [facts(*persons, part=part, parts=3) for part in range(3)]
    assert all(len(part.hashes) for part in parts)
    assert np.sort(np.concatenate([part.hashes for part in parts])).tolist() == whole.hashes.tolist()


def test_cells_of_two_widths_are_equal_and_empty_is_not_nothing() -> None:
    assert cell_hashes(pa.array([5], pa.int32())).tolist() == cell_hashes(pa.array([5], pa.int64())).tolist()
    assert cell_hashes(pa.array(["가"])).tolist() == cell_hashes(pa.array(["가"], pa.large_string())).tolist()
    assert cell_hashes(pa.array([0.0])).tolist() == cell_hashes(pa.array([-0.0])).tolist()
    assert len(set(cell_hashes(pa.array(["", None, "가"])).tolist())) == 3
    assert len(set(cell_hashes(pa.array([0, None, 1])).tolist())) == 3


def test_columns_do_not_change_places() -> None:
    one, two = cell_hashes(pa.array([1])), cell_hashes(pa.array([2]))
    assert row_hashes([one, two], 1).tolist() != row_hashes([two, one], 1).tolist()
