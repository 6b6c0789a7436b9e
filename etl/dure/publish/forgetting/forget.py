"""`dure forget`: persons out of landing, rejects, failures, crosswalks and every retained snapshot, and withdrawn.

What is to be done is remembered before it is begun, each step can be done again, and so a forgetting that was cut off
is finished by the next: `dure forget SITE` without new keys, or with any.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, Problem
from dure.landing import read_exclusions
from dure.progress import Progress
from dure.publish.forgetting.landed import Removed, remove_landed, sources_without_a_way
from dure.publish.forgetting.snapshots import remove_from_snapshot
from dure.publish.publish import named_of
from dure.publish.remembered import all_remembered
from dure.quality.evidence.record import read_verdict
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.snapshot.durable import lake_access
from dure.snapshot.forgotten import forgotten, remember_forgotten
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import read_manifest
from dure.stages.rules import rules_of
from dure.tables.keys import id_bits, identity, record_id
from dure.tables.rule import Rule
from dure.tables.sources import FIRST
from dure.vocab import open_vocabulary

StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]


@dataclass(frozen=True)
class ForgetOptions:
    """What `dure forget` is asked to do; `keys` is a file in the form of exclusions.csv."""

    site: str
    keys: Path
    lake: Path
    sites: tuple[Path, ...]
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True)
class Forgotten:
    """What came of it, as lines to print, and what somebody must still do."""

    lines: list[str]
    warnings: list[Problem]


def forget_site(options: ForgetOptions, progress: Progress, start: StartEngine = engine) -> Forgotten:
    """Takes the persons out of the lake. ConfigurationError for a file of keys or a site that cannot be read."""
    site = load_site(options.site, options.sites, None, None)
    rules = rules_of(site)
    persons = [rule for rule in rules if rule.table == "person"]
    parts = {len(key) for rule in persons if (key := rule.entry.key or rule.source_key)}
    keys = read_exclusions(options.keys, parts)
    if not keys:
        raise ConfigurationError(Problem(str(options.keys), "names nobody", "one line a person, as in exclusions.csv"))
    lake = Lake(options.lake).site(site.spec.site.id)
    with lake.lock():
        # The promise comes first: whatever stops the rest, no later run brings them back.
        remember_forgotten(lake.folder, keys)
        every = forgotten(lake.folder)
        with start(options.engine) as running:
            ids = _person_ids(running.session, lake, site, persons, every)
        return _removed(lake, site, rules, every, ids, options, progress)


def _removed(
    lake: SiteLake,
    site: Site,
    rules: list[Rule],
    keys: Collection[str],
    ids: Collection[int],
    options: ForgetOptions,
    progress: Progress,
) -> Forgotten:
    # Before the rows go: the crosswalk alone says under which pseudonyms they left.
    withdrawn = sum(remembered.withdraw(ids) for remembered in all_remembered(lake))
    lines, warnings = [], []
    changed: list[str] = []
    for snapshot in lake.snapshots():
        progress.stage(snapshot)
        landing = lake.landing(snapshot)
        for source in sources_without_a_way(landing, site, rules, keys) if landing.is_dir() else ():
            found = "no column leads from its rows to a person, so its landed rows stay"
            do = "nothing to do where they are of no person"
            warnings.append(Problem(site.where("sources", source), found, do))
        landed = remove_landed(landing, site, rules, keys) if landing.is_dir() else Removed()
        folder = lake.snapshot(snapshot)
        store = open_vocabulary(Path(read_manifest(folder).vocabulary.folder), Lake(options.lake).stores, progress)
        rows = remove_from_snapshot(folder, lake.reports(snapshot), ids, landed.places, named_of(store))
        if rows or landed.rows or landed.rejects:
            changed.append(snapshot)
            lines.append(
                f"{snapshot}: {sum(rows.values()):,} rows of {len(rows)} tables, {sum(landed.rows.values()):,} landed "
                f"rows, {landed.rejects:,} unread records removed"
            )
    work = lake.root / "work" / lake.site
    with lake_access(work):
        _clear(work)
    passed = _shut(lake)
    lines.append(f"pseudonyms withdrawn: {withdrawn:,}; the next delivery says so")
    if passed:
        lines.append(f"the gate is shut until `dure check {lake.site}`: {passed} has changed")
    if not changed:
        lines.append("no snapshot and no landing of this lake held them; later runs leave them out")
    return Forgotten(lines, list(dict.fromkeys(warnings)))


def _person_ids(
    session: SparkSession, lake: SiteLake, site: Site, rules: list[Rule], keys: Collection[str]
) -> frozenset[int]:
    """The ids that these persons have in every snapshot: made as the run makes them, not looked up."""
    salts = lake.salts().get("person")
    frame = session.createDataFrame([(key,) for key in sorted(keys)], "key string")
    found: set[int] = set()
    for rule in rules:
        known_as = identity(site.spec.site.id, rule.source, "person", rule.label, F.col("key"), F.lit(FIRST))
        made = frame.select(record_id(known_as, id_bits("person"), salts).alias("id"))
        found |= {row.id for row in made.collect()}
    return frozenset(found)


def _clear(work: Path) -> None:
    """What runs and publications left behind holds rows of persons, too."""
    if work.is_dir():
        for each in work.iterdir():
            shutil.rmtree(each)


def _shut(lake: SiteLake) -> str:
    """Takes the pointer `passed` from a snapshot whose verdict is gone; its id, or nothing."""
    passed = lake.pointer("passed")
    if passed is None or read_verdict(lake.reports(passed.name)) is not None:
        return ""
    lake.drop_pointer("passed")
    return passed.name
