"""Facts that wait beside a ledger that did not take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dure.ledger.facts import Outcome, RunFacts
from dure.ledger.pending import add_pending, enter_pending, read_pending
from dure.ledger.schema import LedgerError
from sample_run import sample_run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger-pending.jsonl"


def test_of_several_lines_of_a_run_the_last_counts(path: Path) -> None:
    add_pending(path, sample_run(1, outcome=None))
    add_pending(path, sample_run(2))
    add_pending(path, sample_run(1, outcome=Outcome.FAILED))
    assert read_pending(path).runs == (sample_run(1, outcome=Outcome.FAILED), sample_run(2))
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_entered_waits_no_more(path: Path) -> None:
    entered: list[RunFacts] = []
    add_pending(path, sample_run())
    assert enter_pending(path, entered.extend) is None
    assert entered == [sample_run()]
    assert not path.exists()
    assert enter_pending(path, entered.extend) is None
    assert len(entered) == 1


def test_what_cannot_be_entered_goes_on_waiting(path: Path) -> None:
    def refuse(runs: Sequence[RunFacts]) -> None:
        raise LedgerError("no")

    add_pending(path, sample_run())
    before = path.read_bytes()
    with pytest.raises(LedgerError):
        enter_pending(path, refuse)
    assert path.read_bytes() == before


def test_a_line_that_was_torn_is_kept_and_harms_no_other(path: Path) -> None:
    add_pending(path, sample_run(1))
    with path.open("ab") as file:
        file.write(b'{"id": "20260316T0230')
    add_pending(path, sample_run(2))
    entered: list[RunFacts] = []
    aside = enter_pending(path, entered.extend)
    assert entered == [sample_run(1), sample_run(2)]
    assert aside is not None
    assert aside.read_bytes() == b'{"id": "20260316T0230\n'
    assert aside.name.startswith("ledger-pending.jsonl.unread-")
    assert not path.exists()
