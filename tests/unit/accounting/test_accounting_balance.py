"""The reconciliation adds up, or the run stops and says where it does not."""

from __future__ import annotations

import pytest

from dure.accounting.reasons import Note, Reason
from dure.accounting.reconciliation import Reconciliation, RuleCount, SourceCount, TableCount
from dure.errors import IntegrityError


def balanced() -> Reconciliation:
    """Ten rows read, one unreadable, one opted out, one excluded, one duplicate; of six one rejected, five written."""
    return Reconciliation(
        site="bada",
        sources=[
            SourceCount(
                source="dx", read=10, unreadable={"undecodable": 1}, opted_out=1, landed=8, excluded={"ruled_out": 1},
                duplicate=1, goes_on=6, outcomes={"rejected": 1, "unmapped": 2, "mapped": 3},
            )
        ],
        rules=[
            RuleCount(
                rule="condition_occurrence[0] dx", table="condition_occurrence", source="dx", rows_in=6, not_selected=0,
                selected=6, written=5, merged=0, rejected={"bad_date": 1},
                rows_out={"condition_occurrence": 4, "observation": 2}, zero={"condition_occurrence": 2},
            )
        ],
        tables=[
            TableCount(table="condition_occurrence", rows=4, by_rule={"condition_occurrence[0] dx": 4}),
            TableCount(table="observation", rows=2, by_rule={"condition_occurrence[0] dx": 2}),
            TableCount(table="observation_period", rows=3, derived=True),
        ],
    )  # fmt: skip


def test_a_balanced_run_passes() -> None:
    balanced().balance()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda r: setattr(r.sources[0], "read", 11), "dx: rows read are 11, but landed, unreadable and opted out add up to 10"),
        (lambda r: setattr(r.sources[0], "duplicate", 0), "dx: rows landed are 8, but taken out and going on add up to 7"),
        (lambda r: r.sources[0].outcomes.update(mapped=2), "dx: rows going on are 6, but outcomes add up to 5"),
        (lambda r: setattr(r.rules[0], "written", 4), "rows selected are 6, but written, merged, rejected and excluded add up to 5"),
        (lambda r: setattr(r.rules[0], "rows_in", 7), "rows in are 7, but selected and not selected add up to 6"),
        (lambda r: setattr(r.rules[0], "rows_out", {"observation": 1}), "5 rows were written but gave 1 records"),
        (lambda r: setattr(r.tables[0], "rows", 3), "condition_occurrence: rows in its files are 3, but what the rules gave it add up to 4"),
    ],
)  # fmt: skip
def test_every_sum_that_does_not_hold_is_named(spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    spoiled = balanced()
    spoil(spoiled)
    with pytest.raises(IntegrityError) as caught:
        spoiled.balance()
    assert says in str(caught.value)


def test_every_count_is_a_line() -> None:
    lines = set(balanced().lines())
    assert ("source", "dx", "unreadable", "undecodable", 1) in lines
    assert ("source", "dx", "excluded", "opt_out", 1) in lines
    assert ("rule", "condition_occurrence[0] dx", "rows_out", "observation", 2) in lines
    assert ("table", "observation_period", "rows", "derived", 3) in lines


def test_every_reason_has_a_meaning() -> None:
    assert all(reason.meaning for reason in Reason)
    assert len(set(Note)) == len(Note)
