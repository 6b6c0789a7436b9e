"""Lands every file source of a site."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dure.errors import Problem
from dure.landing import Landed, land_source, read_exclusions
from dure.progress import Progress
from dure.site.loaded import Site
from dure.site.spec import FileSource
from dure.site.values import RefTo
from dure.stages.parallel import each
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
) -> dict[str, Landed]:
    """Lands each source below `out`; `known` are the columns of the previous snapshot, to tell new and lost ones.

    Persons in the site folder's `exclusions.csv` are left out of every source that has a person column.
    """
    exclusions = site.folder / EXCLUSIONS
    opted_out = read_exclusions(exclusions) if exclusions.exists() else frozenset()
    files = [(name, source) for name, source in site.spec.sources.items() if isinstance(source, FileSource)]
    persons = {name: person_columns(rules, name, site.headers.get(name)) for name, _ in files}

    def one(named: tuple[str, FileSource]) -> Landed:
        name, source = named
        started = time.monotonic()
        made = land_source(
            name,
            source,
            defaults=site.defaults,
            extract=extract,
            out=out,
            person=persons[name],
            opted_out=opted_out,
            known_columns=known.get(name),
        )
        progress.table(name, made.rows_landed, time.monotonic() - started)
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
            warn(problem)
    return landed


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
