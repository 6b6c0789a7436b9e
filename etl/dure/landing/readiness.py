"""Whether an extract is tonight's: all there, finished, new enough, and not far smaller than the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from dure.errors import DureError, ExtractNotReadyError, Problem
from dure.landing.find import Found, FoundFile, find_files
from dure.landing.landed import Landed
from dure.site.spec import Arrival, FileSource, LandedSource

# Of a source that had fewer rows than this a part of them is no sign of anything.
FEW_ROWS = 100


def source_files(name: str, source: FileSource, extract: Path) -> Found:
    """All files of a source, of changes too, the full ones first; raises as `find_files` does."""
    changes = source.changes
    full = find_files(f"sources.{name}", source.path, extract, "all" if changes else "none")
    if changes is None:
        return full
    more = find_files(f"sources.{name}.changes", changes.path, extract, "any")
    return Found((*full.files, *more.files), (*full.warnings, *more.warnings))


def refuse_unready(arrival: Arrival, sources: Mapping[str, FileSource], extract: Path, now: datetime) -> None:
    """Raises ExtractNotReadyError where the extract is not there, not finished or too old; no file is opened."""
    if not sources:
        return
    if not extract.is_dir():
        do = "give the folder of the extract, or wait for it"
        raise ExtractNotReadyError(Problem("--source", f"there is no folder {extract}", do))
    names = (path.relative_to(extract).parts for path in extract.rglob("*") if path.is_file())
    if all(part.startswith(".") for parts in names for part in parts[-1:]):
        raise ExtractNotReadyError(
            Problem("--source", f"the folder {extract} is empty", "wait for the export, or look at it")
        )
    problems = list(_of_marker(arrival, sources, extract))
    for name, source in sources.items():
        problems += _of_source(arrival, name, source, extract, now)
    if problems:
        raise ExtractNotReadyError(problems)


def _of_marker(arrival: Arrival, sources: Mapping[str, FileSource], extract: Path) -> Iterator[Problem]:
    """The marker is the last file that an export writes: one that is older than a file of a source is another night's."""
    if arrival.ready is None:
        return
    where, marker = "extract.ready", extract / arrival.ready
    try:
        written = marker.stat().st_mtime_ns
    except OSError:
        do = "wait for the export to write it when it is done"
        yield Problem(where, f"there is no {arrival.ready} in {extract}", do)
        return
    every = [(name, file) for name, source in sources.items() for file in _there(name, source, extract)]
    if later := [f"sources.{name} {file.shown}" for name, file in every if file.state.modified_ns > written]:
        shown = ", ".join(later[:3]) + (f" and {len(later) - 3} more" if len(later) > 3 else "")
        do = "wait for the export to write it anew when it is done"
        yield Problem(where, f"{arrival.ready} is older than {shown}", do)


def _of_source(arrival: Arrival, name: str, source: FileSource, extract: Path, now: datetime) -> Iterator[Problem]:
    files = _there(name, source, extract)
    if not files:
        return
    where = f"sources.{name}"
    newest = max(files, key=lambda file: file.state.modified_ns)
    age = now - datetime.fromtimestamp(newest.state.modified_ns / 1e9, UTC)
    most = source.max_age or (arrival.max_age if source.role == "rows" else None)
    if most is not None and age > most.span:
        when = f"{datetime.fromtimestamp(newest.state.modified_ns // 10**9, UTC):%Y-%m-%d %H:%M} UTC"
        do = "wait for the export, or look at it; for a source that seldom changes: max_age of its own"
        yield Problem(where, f"its newest file {newest.shown} is of {when}, older than {most.text}", do)
    if arrival.settled is not None and age < arrival.settled.span:
        do = "wait for the export to end, and run again"
        yield Problem(where, f"{newest.shown} was written less than {arrival.settled.text} ago", do)


def refuse_changed_since(found: Mapping[str, Found], sources: Mapping[str, FileSource], extract: Path) -> None:
    """Raises ExtractNotReadyError where files came, went or changed since they were found: half of two exports."""
    problems = []
    for name, before in found.items():
        try:
            now = source_files(name, sources[name], extract)
        except DureError as error:
            problems += error.problems
            continue
        known, here = {file.shown: file for file in before.files}, {file.shown: file for file in now.files}
        for shown in sorted(known.keys() | here.keys()):
            if known.get(shown) != here.get(shown):
                how = "came" if shown not in known else "went" if shown not in here else "changed"
                do = "let the export finish first, and run again"
                problems.append(Problem(f"sources.{name} {shown}", f"the file {how} while the extract was read", do))
    if problems:
        raise ExtractNotReadyError(problems)


def refuse_small(landed: Landed, source: LandedSource, arrival: Arrival, before: int) -> None:
    """Raises ExtractNotReadyError where a full extract has far fewer rows than the source had `before`."""
    share = arrival.at_least if source.at_least is None else source.at_least
    if landed.rows_before or (source.at_least is None and before < FEW_ROWS):
        return
    now = landed.rows_read - sum(landed.by_changes.values())
    if now < share * before:
        found = f"{now:,} rows, {now / before:.0%} of the {before:,} of the snapshot before; at least {share:.0%} are expected"
        do = "is the export complete? if it is: --accept-small-extract, or at_least of the source"
        raise ExtractNotReadyError(Problem(f"sources.{landed.name}", found, do))


def _there(name: str, source: FileSource, extract: Path) -> tuple[FoundFile, ...]:
    """The files of a source that can be found; what is wrong with the others is said where they are read."""
    try:
        return source_files(name, source, extract).files
    except DureError:
        return ()
