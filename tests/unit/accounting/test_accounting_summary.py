"""The printed summary: each row that was read stands in one column."""

from __future__ import annotations

from dure.accounting.reconciliation import Reconciliation, RuleCount, SourceCount, TableCount
from dure.accounting.summary import summary

CLAIMS = SourceCount(
    source="claims", read=12, unreadable={"undecodable": 1}, opted_out=1, landed=10, excluded={"cancelled": 1},
    duplicate=1, merged=1, rejected={"duplicate_key": 1}, goes_on=6,
    outcomes={"rejected": 1, "unmapped": 1, "mapped": 2, "excluded": 1}, not_claimed=1,
)  # fmt: skip
LINES = SourceCount(
    source="lines", read=2_000, landed=2_000, goes_on=2_000, folded=1_990, no_parent=7, left_by_view={"opt_out": 3}
)
CODES = SourceCount(source="codes", role="lookup", read=40, landed=40, goes_on=40)


def columns(line: str) -> list[str]:
    return line.split()


def test_folded_rows_have_a_column_of_their_own() -> None:
    lines = summary(Reconciliation(site="bada", sources=[CLAIMS, LINES, CODES]))
    assert columns(lines[0]) == ["source", "read", "mapped", "unmapped", "rejected", "excluded", "folded"]
    assert columns(lines[1]) == ["claims", "12", "2", "1", "4", "5", "0"]
    assert columns(lines[2]) == ["lines", "2,000", "0", "0", "7", "3", "1,990"]
    assert columns(lines[3]) == ["codes", "40", "a", "lookup"]
    for source in (CLAIMS, LINES):
        [line] = [line for line in lines if line.startswith(source.source)]
        read, *ends = [int(cell.replace(",", "")) for cell in columns(line)[1:]]
        assert read == sum(ends)


def test_without_folds_there_is_no_such_column() -> None:
    made = Reconciliation(site="bada", sources=[CLAIMS])
    made.rules = [
        RuleCount(
            rule="cost[0] claims", table="cost", source="claims", rows_in=6, not_selected=0, selected=6, written=6,
            merged=0, zero={"cost": 2},
        )
    ]  # fmt: skip
    made.tables = [TableCount(table="cost", rows=6), TableCount(table="death", rows=0)]
    assert [columns(line) for line in summary(made)] == [
        ["source", "read", "mapped", "unmapped", "rejected", "excluded"],
        ["claims", "12", "2", "1", "4", "5"],
        [],
        ["table", "rows", "concept", "0"],
        ["cost", "6", "2"],
    ]
