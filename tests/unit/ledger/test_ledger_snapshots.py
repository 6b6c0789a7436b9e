"""What a snapshot tells of its run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dure.accounting import summary
from dure.accounting.reconciliation import SourceCount
from dure.ledger import snapshots


def test_rows_end_as_the_summary_of_a_run_says() -> None:
    """The ledger reads the evidence and cannot ask the accounting; the two must agree."""
    count = SourceCount(
        source="진단",
        read=1000,
        before=500,
        by_changes={"replaced": 30, "deleted": 20},
        unreadable={"wrong_number_of_fields": 7},
        opted_out=11,
        landed=1432,
        excluded={"ruled_out": 13},
        duplicate=17,
        merged=19,
        rejected={"no_key": 23},
        goes_on=1360,
        outcomes={"mapped": 1000, "unmapped": 100, "rejected": 50, "excluded": 40},
        not_claimed=60,
        dropped_by_view=30,
        left_by_view={"not_last": 40},
        folded=29,
        no_parent=11,
    )
    told = json.loads(count.model_dump_json())
    in_manifest = {"read": count.read, "landed": count.landed, "goes_on": count.goes_on, **count.outcomes}
    found = snapshots._source("진단", in_manifest, told)
    assert found.model_dump() == {"name": "진단", **summary._ends(count)}


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"sources": 1}', '{"sources": [{}]}'])
def test_evidence_that_is_none_tells_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "reconciliation.json"
    path.write_text(text)
    assert snapshots._document(path).get("gate") is None
