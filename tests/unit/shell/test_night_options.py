"""The deadline by the clocks on the wall, and which snapshots stay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dure.cli.night import next_occurrence
from dure.cli.retention import retention
from dure.errors import ConfigurationError
from dure.snapshot.pruning import Retention


@pytest.fixture(params=["Asia/Seoul", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """The zone of this machine's clocks."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("now", "given", "then"),
    [
        ("2026-03-15T01:00", "06:30", "2026-03-15T06:30"),
        ("2026-03-15T23:50", "06:30", "2026-03-16T06:30"),
        ("2026-03-15T06:30", "06:30", "2026-03-16T06:30"),
        ("2026-03-15T06:29", "6:30", "2026-03-15T06:30"),
        ("2026-12-31T23:59", "00:00", "2027-01-01T00:00"),
        # The night in which Berlin's clocks go on an hour: two o'clock is three o'clock.
        ("2026-03-28T22:00", "06:00", "2026-03-29T06:00"),
    ],
)
def test_the_next_time_that_clocks_show_it(zone: ZoneInfo, now: str, given: str, then: str) -> None:
    found = next_occurrence(given, datetime.fromisoformat(now).replace(tzinfo=zone))
    assert found == datetime.fromisoformat(then).replace(tzinfo=zone)


def test_no_deadline() -> None:
    assert next_occurrence(None, datetime(2026, 3, 15, tzinfo=ZoneInfo("UTC"))) is None


@pytest.mark.parametrize("given", ["24:00", "6", "06:60", "06:30:00", "morgen", "", "-1:00"])
def test_what_is_no_time_of_day(given: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time of day"):
        next_occurrence(given, datetime(2026, 3, 15, tzinfo=ZoneInfo("UTC")))


def test_without_keep_everything_stays() -> None:
    assert retention(None, 30, 60) is None
    assert retention(7, None, None) == Retention(7)
    assert retention(7, 30, 60) == Retention(7, 30, 60)
