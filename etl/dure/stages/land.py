"""Lands every source of a site that is no view."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypeVar

from dure.errors import ConfigurationError, ExtractNotReadyError, Problem, SourceError
from dure.landing import Base, Landed, land_source, read_exclusions, source_files
from dure.landing.readiness import refuse_changed_since, refuse_small
from dure.progress import Progress
from dure.site.columns import left_behind
from dure.site.loaded import Site
from dure.site.spec import DatabaseSource, FileSource, LandedSource
from dure.site.values import RefTo
from dure.snapshot.manifest import Manifest
from dure.stages.parallel import each
from dure.stages.rules import source_key
from dure.tables.rule import Rule

EXCLUSIONS = "exclusions.csv"
Made = TypeVar("Made")


@dataclass(frozen=True)
class Previous:
    """The snapshot before: its landing, and of each source its columns and rows (those left out among them).

    `newer` are snapshots that were made after it, as the latest was set back since.
    """

    base: Base
    columns: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, int]
    newer: tuple[str, ...] = ()


def previous_of(
    manifest: Manifest | None, landing: Callable[[str], Path], snapshots: Sequence[str] = ()
) -> Previous | None:
    """What a run needs of the snapshot that a manifest is of."""
    if manifest is None:
        return None
    inputs = manifest.inputs
    rows = {n: given.rows_landed + sum(given.rejected.values()) + given.opted_out for n, given in inputs.items()}
    base = Base(manifest.snapshot, landing(manifest.snapshot))
    newer = tuple(name for name in snapshots if name > manifest.snapshot)
    return Previous(base, {name: given.columns for name, given in inputs.items()}, rows, newer)


@dataclass(frozen=True)
class LandOptions:
    """What a landing is asked: `read_all` uses no part of the landing before again, `accept_small` takes few rows."""

    read_all: bool = False
    accept_small: bool = False


def land(
    site: Site,
    rules: list[Rule],
    extract: Path,
    out: Path,
    previous: Previous | None,
    progress: Progress,
    warn: Callable[[Problem], None],
    before: Callable[[], None],
    after: Callable[[str], None],
    forgotten: frozenset[str] = frozenset(),
    options: LandOptions = LandOptions(),
) -> dict[str, Landed]:
    """Lands each source below `out`; `previous` tells new and lost columns, and what can be gone on from.

    `before` is called before each source and may raise, so that nothing lands in vain; `after` with the name of each
    that has landed.

    Persons in the site folder's `exclusions.csv`, and those whom the lake has `forgotten`, are left out of every source
    that has a person column.
    """
    opted_out = opted_out_of(site) | forgotten
    sources = {name: source for name, source in site.spec.sources.items() if isinstance(source, LandedSource)}
    files = {name: source for name, source in sources.items() if isinstance(source, FileSource)}
    known = previous.columns if previous else {}
    persons = {name: person_columns(rules, name, site.headers.get(name) or known.get(name)) for name in sources}

    if opted_out:
        _refuse_unknown_persons(site, rules, persons)

    stop = Event()

    def rows_of(name: str, source: LandedSource) -> Landed:
        if isinstance(source, DatabaseSource):
            from dure.landing.database import land_database  # here, as most sites have no database

            return land_database(
                name,
                source,
                defaults=site.defaults,
                out=out,
                person=persons[name],
                opted_out=opted_out,
                left_behind=left_behind(site, name),
                known_columns=known.get(name),
                base=previous.base if previous and not options.read_all else None,
                progress=progress,
                wait=stop.wait,
                stopped=stop.is_set,
            )
        return land_source(
            name,
            files[name],
            defaults=site.defaults,
            extract=extract,
            out=out,
            person=persons[name],
            opted_out=opted_out,
            left_behind=left_behind(site, name),
            known_columns=known.get(name),
            base=previous.base if previous else None,
            read_all=options.read_all,
            progress=progress,
        )

    def of_source(name: str) -> Landed:
        made = rows_of(name, sources[name])
        if previous and not options.accept_small:
            refuse_small(made, sources[name], site.spec.extract, previous.rows.get(name, 0))
        return made

    def one(name: str) -> Landed:
        before()
        started = time.monotonic()
        made = _located(site, lambda: of_source(name))
        progress.table(name, made.rows_landed, time.monotonic() - started)
        after(name)
        return made

    found = _located(site, lambda: {name: source_files(name, source, extract) for name, source in files.items()})
    landed = {made.name: made for made in each(one, sources, stop.set)}
    _located(site, lambda: refuse_changed_since(found, files, extract))
    for name, made in landed.items():
        if opted_out and not persons[name]:
            warn(
                Problem(
                    site.where("sources", name),
                    "has no column that names the person, so its rows of persons who opted out stay in the landing",
                    "they are left out of the CDM through the visit or the person they name",
                )
            )
        for problem in made.warnings:
            warn(site.located(problem))
        if previous and previous.newer and made.rows_before:
            newest = previous.newer[-1]
            lacking = f"changes were applied to snapshot {previous.base.snapshot}, which lacks those that made {newest}"
            do = "send the change files of the nights between again, or a full extract"
            warn(Problem(site.where("sources", name), lacking, do))
    return landed


def _located(site: Site, do: Callable[[], Made]) -> Made:
    """What `do` gives; its errors name the file and line of the spec."""
    try:
        return do()
    except (SourceError, ConfigurationError, ExtractNotReadyError) as error:
        raise type(error)(map(site.located, error.problems)) from error


def opted_out_of(site: Site) -> frozenset[str]:
    """The keys of the persons in the site folder's exclusions.csv; none without that file."""
    path = site.folder / EXCLUSIONS
    keys = [entry.key or source_key(site, entry.from_) for table, _, entry in site.spec.entries() if table == "person"]
    return read_exclusions(path, {len(key) for key in keys if key}) if path.exists() else frozenset()


def _refuse_unknown_persons(site: Site, rules: list[Rule], persons: Mapping[str, tuple[str, ...] | None]) -> None:
    """Raises ConfigurationError where an entry makes persons of rows that no column tells as the list does."""
    unknown = [rule for rule in rules if rule.table == "person" and not persons.get(rule.root)]
    if unknown:
        raise ConfigurationError(
            [
                Problem(
                    site.where("tables", "person", rule.index),
                    f"persons are left out by {EXCLUSIONS}, but {rule.root} has no columns that are a person's key",
                    "make the key of persons of columns of that source alone",
                )
                for rule in unknown
            ]
        )


def person_columns(rules: list[Rule], source: str, header: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The columns of a source that name the person: as an entry's `person`, or as the key of the persons themselves.

    An entry that reads a view counts for the source that drives the view, where the source has those columns itself.
    """
    for rule in rules:
        if rule.root != source:
            continue
        key = rule.entry.given("person") if rule.table != "person" else (rule.entry.key or rule.source_key)
        parts = key.key if isinstance(key, RefTo) else key
        if parts and all(isinstance(part, str) and (header is None or part in header) for part in parts):
            return tuple(parts)
    return None
