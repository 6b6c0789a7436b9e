"""The current deliveries of all hospitals and those before them, as the summaries of the store tell them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from dure.center.registry.hospitals import read_registry
from dure.center.store import REGISTRY, CenterStore
from dure.center.summary.model import Summary
from dure.snapshot.durable import lake_access

_RECORDS_MAPPED = "dure_coveragerecords_"
_STAMP = "%Y%m%dT%H%M%SZ"
DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Hospital:
    """One hospital: its current summary, the folder that it lies in, and all its summaries, the oldest first."""

    folder: Path
    summary: Summary
    history: tuple[Summary, ...]

    @property
    def site(self) -> str:
        return self.summary.site

    @property
    def consortium(self) -> str:
        return self.summary.consortium or ""

    @property
    def persons(self) -> int:
        return self.summary.persons

    @property
    def years(self) -> float | None:
        """The years that the hospital's observations span, one at least."""
        first, last = self.summary.observed_from, self.summary.observed_to
        if first is None or last is None:
            return None
        return max(1.0, ((last - first).days + 1) / DAYS_A_YEAR)


def hospitals(store: CenterStore) -> list[Hospital]:
    """The hospitals that have a current delivery, by consortium and site."""
    return [
        Hospital(store.summary(each.site, each.sequence), each, tuple(store.history(each.site)))
        for each in store.summaries()
    ]


def waiting(store: CenterStore, registry: Path | None) -> list[dict[str, str | None]]:
    """The hospitals of the registry that have no delivery: site, name, consortium."""
    file = registry or store.root / REGISTRY
    if registry is None and not file.is_file():
        return []
    delivered = store.current()
    return [
        {"site": site, "name": each.name, "consortium": each.consortium.id if each.consortium else None}
        for site, each in sorted(read_registry(file).hospitals.items())
        if site not in delivered
    ]


def kept_out(store: CenterStore) -> dict[str, int]:
    """How many packages of each site are in quarantine that came after its current delivery; `unknown` of nobody's."""
    since = {each.site: each.received.astimezone(UTC).strftime(_STAMP) for each in store.summaries()}
    found: dict[str, int] = {}
    folder = store.root / "quarantine"
    with lake_access(folder):
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    for name in names:
        site, stamp, *_ = [*name.rsplit("-", 2), "", ""]
        if stamp > since.get(site, "") and not name.startswith("."):
            found[site] = found.get(site, 0) + 1
    return found


@dataclass(frozen=True)
class Outside:
    """What is not in the store as a delivery: hospitals that never delivered, and packages kept out by site."""

    waiting: list[dict[str, str | None]]
    kept_out: dict[str, int]


def mapped_share(summary: Summary) -> float | None:
    """The share of records with a standard concept, as the gate counted it before the delivery left."""
    counted = [
        (item.without_concept, item.of)
        for item in summary.coverage
        if item.check.startswith(_RECORDS_MAPPED) and item.without_concept is not None
    ]
    of = sum(number for _, number in counted)
    return round(1 - sum(without for without, _ in counted) / of, 4) if of else None
