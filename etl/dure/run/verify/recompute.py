"""The CDM tables of a snapshot worked out again from its landing: of everybody, or of some persons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from dure.engine import Engine
from dure.progress import Progress
from dure.run.delta import affected
from dure.run.delta.basis import FOLDER as BASIS
from dure.run.delta.closure import Closure
from dure.run.delta.parts import Parts, Rows
from dure.run.delta.subset import Surroundings, headed, rebuilt, sampled, write_rows
from dure.run.delta.ties import Ties, Unprovable, ties_of
from dure.run.shared import shared_by
from dure.site.loaded import Site
from dure.snapshot.salts import Salts
from dure.stages import account, derive, ids, mapping, prepare, resolve, rules, tables
from dure.stages.early import Early
from dure.stages.own_rows import write_own_rows
from dure.tables.cells import Reading
from dure.tables.rule import Rule
from dure.vocab import VocabularyStore

# With more of the rows than this in the sample, or tied to it, everybody is no more work.
MOST = 0.5


@dataclass(frozen=True)
class Ground:
    """What a snapshot was made of, and what it said of itself."""

    site: Site
    store: VocabularyStore
    landing: Path
    salts: Salts
    as_of: date
    dure_version: str

    @property
    def rules(self) -> list[Rule]:
        return rules.rules_of(self.site)

    def reading(self, ordered: list[Rule]) -> Reading:
        return rules.reading_of(self.site, ordered, self.store)


@dataclass(frozen=True)
class Drawn:
    """The rows of a sample: of `persons` that were drawn, and of all that no tie lets apart from them."""

    closure: Closure
    ties: Ties
    persons: int

    @property
    def rows(self) -> int:
        return self.closure.rows


class Everybody(Exception):
    """Why no sample can be drawn; the message is for people."""


@dataclass(frozen=True)
class Recomputed:
    """The tables are written; `persons` are the ids of those in the sample, None where it is everybody.

    `missing` are tables that a sample does not tell.
    """

    persons: frozenset[int] | None
    missing: tuple[str, ...] = ()


def draw(ground: Ground, share: float, seed: int) -> Drawn:
    """A share of the persons, the same each time for one seed; at least one. Raises Everybody where that cannot be."""
    if share >= 1:
        raise Everybody("--sample 1")
    try:
        ties = ties_of(ground.site, ground.rules, headed(ground.site, ground.landing))
    except Unprovable as why:
        raise Everybody(f"rows cannot be told apart by person: {why}") from None
    closure = Closure(ties, ground.landing)
    while not closure.rows:
        sampled(closure, ties, share, seed)
        if share >= 1 and not closure.rows:
            raise Everybody("the landing has no persons to draw from")
        share *= 2
    persons = closure.rows
    if not closure.close(MOST):
        raise Everybody(f"more than {MOST:.0%} of the rows are tied to the sample")
    return Drawn(closure, ties, persons)


def recompute_drawn(
    ground: Ground, drawn: Drawn, engine: Engine, cdm: Path, work: Path, progress: Progress
) -> Recomputed:
    """Writes the tables of the persons drawn, and those that belong to no person whole."""
    ordered = ground.rules
    reading = ground.reading(ordered)
    around = Surroundings(engine, ground.site, ordered, reading, ground.store, drawn.ties, ground.salts, progress)
    # The ids of all persons who are named, those whom the recomputation rejects among them.
    named = affected.person_ids(around, _persons_rows(drawn, work / "persons"))
    made = rebuilt(around, ground.landing, drawn.closure.chosen, ground.as_of, cdm, work)
    asked = ground.landing / BASIS / resolve.ASKED_FILE
    if not asked.exists():
        _write_own(ground, None, cdm)
        return Recomputed(made.persons | frozenset(named.tolist()), ("source_to_concept_map",))
    folder = work / "codes"
    folder.mkdir()
    codes = pq.read_table(asked).cast(resolve.ASKED)
    _write_own(
        ground,
        resolve.resolve_requests(engine.session, ground.site, ordered, reading, codes, ground.store, folder),
        cdm,
    )
    return Recomputed(made.persons | frozenset(named.tolist()))


def recompute_all(ground: Ground, engine: Engine, cdm: Path, work: Path, progress: Progress) -> Recomputed:
    """Writes all tables, by the stages of a run."""
    session, site, store = engine.session, ground.site, ground.store
    ordered = ground.rules
    reading = ground.reading(ordered)
    folders = {name: ground.landing / name for name in headed(site, ground.landing)}
    with Early() as early:
        prepared = prepare.prepare(session, site, ordered, reading, folders, work, early)
    resolved = resolve.resolve_codes(session, site, ordered, reading, prepared, store, work)
    shared = shared_by(site, ordered, reading, store, ground.as_of, ground.salts, resolved)
    mapped = mapping.map_rules(session, ordered, prepared, shared, work / "mapped", progress)
    given = account.count_rules(mapped).given
    ids.refuse(ids.shared_ids(mapped, given))
    made = tables.write_mapped_tables(mapped, given, cdm, progress)
    derive.derive(
        session,
        cdm,
        made,
        store,
        site.spec.site.id,
        ground.as_of,
        site.spec.derive.observation_period,
        engine.parallelism,
        progress,
    )
    _write_own(ground, resolved, cdm)
    return Recomputed(None)


def _write_own(ground: Ground, resolved: resolve.ResolvedCodes | None, cdm: Path) -> None:
    resolution = resolved.resolution if resolved else None
    write_own_rows(ground.site, ground.store, resolution, ground.as_of, ground.dure_version, cdm)


def _persons_rows(drawn: Drawn, work: Path) -> dict[str, Path]:
    """The rows of the sources that persons come from, in folders by source."""
    names = {rule.root for rule in drawn.ties.own if rule.table == "person"}
    chosen: dict[str, Rows] = {name: drawn.closure.chosen[name] for name in names}
    return {name: write_rows(drawn.closure.parts[name], rows, work / name) for name, rows in chosen.items()}


def landed_rows(landing: Path, source: str) -> int:
    return Parts.of(landing / source).rows
