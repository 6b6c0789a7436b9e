"""A backfill: the extracts of many days, each run in its turn as if it were that day's night.

It goes forward only, since a snapshot goes on from the one before: days up to the latest snapshot's are taken as done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from string import Formatter

from dure.errors import ConfigurationError, ExtractNotReadyError, Problem
from dure.run.extract import extract_files
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.site.spec import FileSource
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import Manifest, read_manifest

_SHOWN = 5


class Standing(StrEnum):
    """What is to be done for a day."""

    TO_RUN = "to run"
    BUILT = "built before"
    PASSED_OVER = "passed over"
    NO_EXTRACT = "no extract"


@dataclass(frozen=True)
class Day:
    """One day of a backfill, the folder of its extract, and the snapshot that was built of it before."""

    day: date
    folder: Path
    standing: Standing
    snapshot: str | None = None


def check_pattern(pattern: str) -> None:
    """Raises ConfigurationError where a folder's name does not tell the days apart."""
    do = "write {date} for 2026-03-15, or {date:%Y%m%d}, where the day stands: 'extracts/{date}'"
    try:
        fields = {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
        distinct = fields == {"date"} and len({_folder(pattern, date(2026, 1, n)) for n in (1, 2)}) == 2
    except (ValueError, KeyError, IndexError, AttributeError):
        distinct = False
    if not distinct:
        raise ConfigurationError(Problem(f"--source {pattern}", "does not name the folder of each day", do))


def days_of(
    site: str, sites: Sequence[Path], lake: Path, pattern: str, first: date, last: date, *, allow_gaps: bool = False
) -> list[Day]:
    """The days from `first` to `last` and what is to be done for each; those to run in their order.

    Raises ConfigurationError where nothing can be done, and ExtractNotReadyError for days without a folder, where the
    site's extracts may be changes, which are not complete without one.
    """
    check_pattern(pattern)
    if last < first:
        raise ConfigurationError(Problem("--to", f"{last} is before {first}", "--from is the first day, --to the last"))
    loaded = load_site(site, sites)
    own = Lake(lake).site(loaded.spec.site.id)
    latest, built = own.latest_manifest(), _built(own)
    days = []
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        folder = _folder(pattern, day)
        if latest and (day < latest.as_of or (day == latest.as_of and _same_files(latest, folder, loaded))):
            standing = Standing.BUILT if day in built else Standing.PASSED_OVER
        else:
            standing = Standing.TO_RUN if folder.is_dir() else Standing.NO_EXTRACT
        days.append(Day(day, folder, standing, built.get(day)))
    _refuse(days, latest, loaded, allow_gaps=allow_gaps)
    return days


def _folder(pattern: str, day: date) -> Path:
    return Path(pattern.format(date=day))


def _built(own: SiteLake) -> dict[date, str]:
    """The newest snapshot of each day."""
    return {read_manifest(own.snapshot(name)).as_of: name for name in own.snapshots()}


def _same_files(latest: Manifest, folder: Path, site: Site) -> bool:
    """Whether the latest snapshot was made of the files that are in the folder now, by name, size and time."""
    read = {(f.path, f.bytes, f.modified) for given in latest.inputs.values() for f in given.files}
    here = set()
    for path, size in extract_files(folder, site).items():
        modified = datetime.fromtimestamp(path.stat().st_mtime_ns // 1_000_000_000, UTC)
        here.add((path.relative_to(folder).as_posix(), size, modified))
    return read == here


def _refuse(days: Sequence[Day], latest: Manifest | None, site: Site, *, allow_gaps: bool) -> None:
    to_run = [each.day for each in days if each.standing is Standing.TO_RUN]
    over = [each.day for each in days if each.standing is Standing.PASSED_OVER]
    if not to_run:
        if over and latest:
            found = f"the latest snapshot is of {latest.as_of}: a backfill goes on from it, never behind it"
            raise ConfigurationError(Problem("--to", found, "give a later day, or a lake of its own (--lake)"))
        if any(each.standing is Standing.NO_EXTRACT for each in days):
            do = f"looked for {days[0].folder} and so on"
            raise ExtractNotReadyError(Problem("--source", "no day of these has a folder", do))
        return
    gaps = [each.day for each in days if each.standing is Standing.NO_EXTRACT and each.day < to_run[-1]]
    changing = [n for n, s in site.spec.sources.items() if isinstance(s, FileSource) and s.changes]
    if gaps and changing and not allow_gaps:
        found = f"{_listed(gaps)} have no folder, and {', '.join(changing)} may come as changes since the day before"
        do = "put the folders there; where no extract was made on those days: --allow-gaps"
        raise ExtractNotReadyError(Problem("--source", found, do))


def _listed(days: Sequence[date]) -> str:
    more = f" and {len(days) - _SHOWN} more days" if len(days) > _SHOWN else ""
    return ", ".join(map(str, days[:_SHOWN])) + more
