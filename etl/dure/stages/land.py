"""Lands every file source of a site."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dure.errors import ConfigurationError, Problem, SourceError
from dure.landing import Landed, land_source, read_exclusions
from dure.progress import Progress
from dure.site.columns import left_behind
from dure.site.loaded import Site
from dure.site.spec import FileSource
from dure.site.values import RefTo
from dure.stages.parallel import each
from dure.stages.rules import source_key
from dure.tables.rule import Rule

EXCLUSIONS = "exclusions.csv"


def land(
    site: Site,
    rules: list[Rule],
    extract: Path,
    out: Path,
    known: Mapping[str, tuple[str, ...]],
    progress: Progress,
    warn: Callable[[Problem], None],
    before: Callable[[], None],
    after: Callable[[str], None],
    forgotten: frozenset[str] = frozenset(),
) -> dict[str, Landed]:
    """Lands each source below `out`; `known` are the columns of the previous snapshot, to tell new and lost ones.

    `before` is called before each source and may raise, so that nothing lands in vain; `after` with the name of each
    that has landed.

    Persons in the site folder's `exclusions.csv`, and those whom the lake has `forgotten`, are left out of every source
    that has a person column.
    """
    opted_out = opted_out_of(site) | forgotten
    files = [(name, source) for name, source in site.spec.sources.items() if isinstance(source, FileSource)]
    persons = {name: person_columns(rules, name, site.headers.get(name)) for name, _ in files}

    if opted_out:
        _refuse_unknown_persons(site, rules, persons)

    def one(named: tuple[str, FileSource]) -> Landed:
        name, source = named
        before()
        started = time.monotonic()
        try:
            made = land_source(
                name,
                source,
                defaults=site.defaults,
                extract=extract,
                out=out,
                person=persons[name],
                opted_out=opted_out,
                left_behind=left_behind(site, name),
                known_columns=known.get(name),
            )
        except (SourceError, ConfigurationError) as error:
            raise type(error)(map(site.located, error.problems)) from error
        progress.table(name, made.rows_landed, time.monotonic() - started)
        after(name)
        return made

    landed = {made.name: made for made in each(one, files)}
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
    return landed


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
