"""From landed sources to the frames that rules read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from dure.site.loaded import Site
from dure.site.spec import LandedSource
from dure.stages.early import Early
from dure.stages.parallel import each
from dure.stages.source_rows import Counted, rows_going_on, source_rows
from dure.stages.view_rows import view_rows, written_view
from dure.tables.cells import Reading
from dure.tables.rule import Rule


@dataclass(frozen=True)
class Prepared:
    """The frames of all sources and views by name, and what was counted.

    `rejected_keys` and `opted_out` hold `_key` of the rows that sources rejected and that landing left out because the
    person opted out, for the sources that have any.
    """

    frames: Mapping[str, DataFrame]
    rejected_keys: Mapping[str, DataFrame]
    counted: Mapping[str, Counted]
    opted_out: Mapping[str, DataFrame] = field(default_factory=dict)

    def lost_some(self, source: str) -> bool:
        """Whether keys of this source are known that have no row going on."""
        return source in self.rejected_keys or source in self.opted_out


def prepare(
    session: SparkSession,
    site: Site,
    rules: list[Rule],
    reading: Reading,
    landed: Mapping[str, Path],
    work: Path,
    early: Early,
    views: Collection[str] | None = None,
) -> Prepared:
    """Frames for every landed source and view, with one or two aggregates each; fates and views are written to `work`.

    `early` may have begun with a source, under its name, when it was landed. With `views` only those are made.
    """
    files = [
        (name, source)
        for name, source in site.spec.sources.items()
        if isinstance(source, LandedSource) and name in landed
    ]

    def read(named: tuple[str, LandedSource]) -> tuple[DataFrame, Counted, DataFrame | None]:
        name, source = named
        own = [rule for rule in rules if rule.source == name]
        return early.result(name, lambda: source_rows(session, name, source, own, reading, landed[name], work))

    opted_out = _opted_out(session, landed)
    frames: dict[str, DataFrame] = {}
    rejected: dict[str, DataFrame] = {}
    counted: dict[str, Counted] = {}
    for (name, _), (frame, count, lost) in zip(files, each(read, files), strict=True):
        frames[name], counted[name] = frame, count
        if lost is not None:
            rejected[name] = lost
    for name in site.views:
        if views is not None and name not in views:
            continue
        frames[name], counted[name] = view_rows(session, site, name, rules, reading, frames, counted, opted_out, work)
    return Prepared(frames, rejected, counted, opted_out)


def restored(
    session: SparkSession,
    site: Site,
    reading: Reading,
    landed: Mapping[str, Path],
    work: Path,
    counted: Mapping[str, Counted],
) -> Prepared:
    """What `prepare` gave in another process, from the files that it left; the engine is asked for no count."""
    frames: dict[str, DataFrame] = {}
    rejected: dict[str, DataFrame] = {}
    for name, source in site.spec.sources.items():
        if isinstance(source, LandedSource):
            frames[name], lost = rows_going_on(session, name, source, reading, landed[name], work)
            if lost is not None:
                rejected[name] = lost
    for name in site.views:
        frames[name] = written_view(session, name, work)
    return Prepared(frames, rejected, counted, _opted_out(session, landed))


def _opted_out(session: SparkSession, landed: Mapping[str, Path]) -> dict[str, DataFrame]:
    """The rows of persons who opted out, as landing wrote them down: `_file`, `_row`, `_key`."""
    files = {name: folder.parent / "_opted_out" / f"{name}.parquet" for name, folder in landed.items()}
    return {name: session.read.parquet(str(file)) for name, file in files.items() if file.exists()}
