"""The snapshot that a new one is compared with: the newest before it whose gate opened and whose profile is there."""

from __future__ import annotations

from dure.quality.counting.profile import Before, read_profile
from dure.quality.evidence.record import read_verdict
from dure.snapshot.lake import SiteLake
from dure.snapshot.rollbacks import withdrawn


def last_passed(lake: SiteLake, snapshot: str) -> Before | None:
    """The last snapshot before `snapshot` that passed the gate and was not rolled back; None for a first one."""
    gone = withdrawn(lake)
    for earlier in sorted((name for name in lake.snapshots() if name < snapshot and name not in gone), reverse=True):
        reports = lake.reports(earlier)
        verdict = read_verdict(reports)
        if verdict is None or verdict["gate"] != "open":
            continue
        if (profile := read_profile(reports)) is not None:
            return Before(earlier, lake.snapshot(earlier), reports, profile)
    return None
