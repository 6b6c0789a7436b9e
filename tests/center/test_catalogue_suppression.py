"""No hidden count can be computed from a catalogue: held against a solver that knows all that is shown."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from dure.center.catalogue.counts import Block
from dure.center.catalogue.entries import Entry, entry
from dure.center.catalogue.suppress import hide, rounded, smallest_shown

THRESHOLD = 10

counts = st.one_of(st.just(0), st.integers(1, 9), st.integers(10, 60))
matrices = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=counts)
)


def block(persons: np.ndarray, records: np.ndarray | None = None) -> Block:
    places, years = persons.shape
    return Block(
        "condition_occurrence",
        100,
        tuple(range(places)),
        tuple(range(2015, 2015 + years)),
        persons,
        persons * 3 if records is None else records,
    )


def interval(value: int | None, step: int) -> tuple[float, float]:
    """What a rounded count may have been; anything where it is not told."""
    return (0.0, np.inf) if value is None else (value - step // 2, value + (step - 1) // 2)


def bounds(one: Entry, shape: tuple[int, int], step: int, records: bool) -> dict[tuple[int, int], tuple[float, float]]:
    """The least and the most that each hidden count can be, for somebody who solves all that is shown for it."""
    at = 3 if records else 2
    size = shape[0] * shape[1]
    cells = {(place, year - 2015): cell[at] for cell in one.cells for place, year in [cell[:2]]}
    limits = [(0.0, 0.0)] * size  # what is not listed is none
    for (place, year), value in cells.items():
        limits[place * shape[1] + year] = (1.0, np.inf) if value is None else interval(value, step)
    rows, tops = [], []

    def tie(members: list[int], value: int | None) -> None:
        if value is None:
            return
        low, high = interval(value, step)
        line = np.zeros(size)
        line[members] = 1
        rows.extend([line, -line])
        tops.extend([high, -low])

    for year, persons, counted, of_all in one.years:
        if of_all:
            members = [place * shape[1] + year - 2015 for place in range(shape[0])]
            tie(members, counted if records else persons)
    if records:
        for place, _, counted, of_all in one.places:
            if of_all:
                tie([place * shape[1] + year for year in range(shape[1])], counted)
        if one.of_all:
            tie(list(range(size)), one.records)
    found = {}
    for (place, year), value in cells.items():
        if value is not None:
            continue
        aim = np.zeros(size)
        aim[place * shape[1] + year] = 1
        ends = []
        for sign in (1, -1):
            solved = linprog(
                sign * aim,
                A_ub=np.array(rows) if rows else None,
                b_ub=np.array(tops) if rows else None,
                bounds=limits,
                method="highs",
            )
            ends.append(sign * solved.fun if solved.status == 0 else sign * -np.inf)
            assert solved.status in (0, 3)  # solved, or without an end
        found[place, year] = (ends[0], ends[1])
    return found


@settings(deadline=None, max_examples=150)
@given(matrices, st.sampled_from([1, 5, 10]))
def test_whoever_solves_all_that_is_shown_cannot_tell_a_hidden_count_from_a_large_one(
    persons: np.ndarray, step: int
) -> None:
    one = entry(block(persons), "", THRESHOLD, step)
    for records in (False, True):
        for low, high in bounds(one, persons.shape, step, records).values():
            assert high >= THRESHOLD
            assert high - low >= THRESHOLD


@settings(deadline=None, max_examples=300)
@given(matrices, st.sampled_from([1, 10]))
def test_nothing_under_the_threshold_is_shown_and_what_is_shown_is_rounded(persons: np.ndarray, step: int) -> None:
    one = entry(block(persons), "", THRESHOLD, step)
    listed = {(place, year - 2015): shown for place, year, shown, _ in one.cells}
    assert listed.keys() == {(int(place), int(year)) for place, year in np.argwhere(persons > 0)}
    for (place, year), shown in listed.items():
        true = int(persons[place, year])
        if true < THRESHOLD:
            assert shown is None
        if shown is not None:
            assert shown % step == 0
            assert abs(shown - true) <= step / 2
            assert shown >= THRESHOLD - step // 2
    told = [each for line in (*one.years, *one.places) for each in line[1:3]]
    assert all(each is None or each >= 5 for each in [*told, one.persons, one.records])


@settings(deadline=None, max_examples=300)
@given(matrices)
def test_whoever_knows_all_true_totals_too_cannot_tell_where_totals_are_those_of_all_counts(
    persons: np.ndarray,
) -> None:
    hidden = hide(persons, THRESHOLD)
    if hidden.places.any():
        return
    places, years = persons.shape
    shown = np.where(hidden.cells, 0, persons)
    for place, year in np.argwhere(hidden.cells):
        moved = [
            (other, then)
            for other, then in product(range(places), range(years))
            if other != place
            and then != year
            and hidden.cells[other, then]
            and hidden.cells[place, then]
            and hidden.cells[other, year]
            and another_table(persons, shown, hidden.cells, (place, year), (other, then))
        ]
        assert moved, (persons, place, year)


def another_table(
    persons: np.ndarray, shown: np.ndarray, hidden: np.ndarray, cell: tuple[int, int], corner: tuple[int, int]
) -> bool:
    """Whether a table with the same totals, the same shown counts and a threshold more (or less) in the cell can be."""
    (place, year), (other, then) = cell, corner
    for by in (THRESHOLD, -THRESHOLD):
        made = persons.copy()
        made[place, year] += by
        made[other, then] += by
        made[place, then] -= by
        made[other, year] -= by
        same = (made.sum(axis=0) == persons.sum(axis=0)).all() and (made.sum(axis=1) == persons.sum(axis=1)).all()
        if same and (made[hidden] > 0).all() and (np.where(hidden, 0, made) == shown).all():
            return True
    return False


def test_a_small_count_takes_the_cheapest_rectangle_with_it_and_totals_stay_those_of_all_counts() -> None:
    persons = np.array([[4, 20, 90], [30, 15, 80], [50, 60, 70]])
    hidden = hide(persons, THRESHOLD)
    assert not hidden.places.any() and not hidden.years.any()
    assert hidden.cells.tolist() == [[True, True, False], [True, True, False], [False, False, False]]
    one = entry(block(persons), "", THRESHOLD, 10)
    assert one.of_all
    assert one.years == ((2015, 80, 250, 1), (2016, 100, 290, 1), (2017, 240, 720, 1))
    assert one.cells[:3] == ((0, 2015, None, None), (0, 2016, None, None), (0, 2017, 90, 270))


def test_without_a_rectangle_totals_are_of_what_is_shown_and_another_count_of_the_line_goes() -> None:
    persons = np.array([[4, 20, 90]])
    one = entry(block(persons), "", THRESHOLD, 10)
    assert not one.of_all
    assert one.cells == ((0, 2015, None, None), (0, 2016, None, None), (0, 2017, 90, 270))
    assert one.years == ((2015, None, None, 0), (2016, None, None, 0), (2017, 90, 270, 1))
    assert one.places == ((0, 90, 270, 0),)
    assert (one.persons, one.records) == (90, 270)


def test_open_counts_that_hide_behind_each_other_leave_the_total_of_their_year() -> None:
    persons = np.array([[7, 3], [6, 2], [8, 0], [5, 0]])
    one = entry(block(persons), "", THRESHOLD, 10)
    assert {cell[2] for cell in one.cells} == {None}
    # 7 + 6 + 8 + 5 hide each other, 3 + 2 do not.
    assert one.years == ((2015, 30, 80, 1), (2016, None, None, 0))
    assert {line[3] for line in one.places} == {0}
    assert (one.persons, one.records, one.of_all) == (30, 80, 0)


def test_a_zero_is_no_secret() -> None:
    one = entry(block(np.array([[0, 20], [30, 40]])), "", THRESHOLD, 10)
    assert one.of_all
    assert [cell[2] for cell in one.cells] == [20, 30, 40]


@pytest.mark.parametrize(("threshold", "step", "least"), [(10, 10, 10), (10, 1, 10), (10, 100, 50), (20, 10, 20)])
def test_no_count_is_so_small_that_it_would_be_shown_as_none(threshold: int, step: int, least: int) -> None:
    assert smallest_shown(threshold, step) == least
    assert rounded(np.array([least]), step)[0] > 0
