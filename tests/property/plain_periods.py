"""Observation periods once more, by another way: sets of days in plain Python, and what Hypothesis draws for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from hypothesis import strategies as st
from plain_eras import DAY, FIRST_DAY

# (person, days from the first day to the start, days from the start to the end)
Covered = tuple[int, int, int]
Period = tuple[int, date, date]

enrolments = st.lists(
    st.tuples(st.sampled_from([1, 1, 2, 3]), st.integers(0, 120), st.sampled_from([0, 1, 3, 9, 30])), max_size=14
)
# Person -> days from the first day to the birth.
persons = st.fixed_dictionaries({1: st.integers(-900, 60), 2: st.integers(-900, 60), 3: st.just(-9000)})


def observed_rows(table: str, of: Iterable[Covered]) -> list[dict[str, Any]]:
    """Rows of `payer_plan_period` or `visit_occurrence` that cover these days."""
    prefix = "visit" if table == "visit_occurrence" else table
    return [
        {
            "person_id": person,
            f"{prefix}_start_date": FIRST_DAY + DAY * start,
            f"{prefix}_end_date": FIRST_DAY + DAY * (start + length),
        }
        for person, start, length in of
    ]


def _days(of: Iterable[Covered], births: dict[int, Any], as_of: date) -> dict[int, set[date]]:
    """The days of each person, none before the birth and none after the as-of date."""
    found: dict[int, set[date]] = defaultdict(set)
    for person, start, length in of:
        born = births[person]
        birth = date(born["year_of_birth"], born["month_of_birth"], born["day_of_birth"])
        days = {FIRST_DAY + DAY * (start + n) for n in range(length + 1)}
        found[person] |= {day for day in days if birth <= day <= as_of}
    return found


def periods_of_enrolment(of: Iterable[Covered], births: dict[int, Any], as_of: date) -> list[Period]:
    """Runs of days without a gap."""
    periods = []
    for person, days in _days(of, births, as_of).items():
        for day in days:
            if day - DAY not in days:
                last = day
                while last + DAY in days:
                    last += DAY
                periods.append((person, day, last))
    return sorted(periods)


def periods_of_events(of: Iterable[Covered], births: dict[int, Any], as_of: date) -> list[Period]:
    """From the first to the last event; a span that begins before and ends after what counts is cut, not left out."""
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for person, start, length in of:
        spans[person].append((start, start + length))
    found = []
    for person, own in spans.items():
        born = births[person]
        birth = date(born["year_of_birth"], born["month_of_birth"], born["day_of_birth"])
        first = max(FIRST_DAY + DAY * min(start for start, _ in own), birth)
        last = min(FIRST_DAY + DAY * max(end for _, end in own), as_of)
        if first <= last:
            found.append((person, first, last))
    return sorted(found)
