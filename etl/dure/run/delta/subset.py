"""What some persons of a landing become: the stages of a run over their rows alone.

The contract. `landing` is the landing of one snapshot. Rows are chosen by a `Closure`, so that no tie leads from them to
others (`ties`). Then every row of the CDM tables that a whole run makes of the chosen rows is made here, with the same
values and the same ids, and nothing else is, but that location, care_site and provider come whole; and every count of
the accounting is a part of the whole run's count: what the chosen rows and the others give adds up to it. That holds for
the same site, vocabulary, salts and day.

What it does not see: an id that a chosen record shares with one that is not chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pandas.util import hash_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.engine import Engine
from dure.progress import Progress
from dure.run.delta.closure import Closure, texts
from dure.run.delta.parts import Parts, Rows
from dure.run.delta.ties import Ties
from dure.run.shared import shared_by
from dure.site.loaded import Site
from dure.stages import account, derive, ids, mapping, prepare, resolve, tables
from dure.stages.early import Early
from dure.tables.cells import Reading
from dure.tables.rule import Lookups, Rule, Shared
from dure.vocab import VocabularyStore


@dataclass(frozen=True)
class Surroundings:
    """What is the same for every subset of a site: how its rows are read, and the engine that does it."""

    engine: Engine
    site: Site
    rules: list[Rule]
    reading: Reading
    store: VocabularyStore
    ties: Ties
    salts: Mapping[str, Mapping[str, int]]
    progress: Progress

    def shared(self, resolved: resolve.ResolvedCodes, as_of: date) -> Shared:
        return shared_by(self.site, self.rules, self.reading, self.store, as_of, self.salts, resolved)


@dataclass(frozen=True)
class Common:
    """The entries of location, care_site and provider, mapped whole: frames, counts and what others look up in them."""

    prepared: prepare.Prepared
    mapped: mapping.Mapped = field(default_factory=list)
    lookups: Lookups = field(default_factory=Lookups)

    @cached_property
    def rows(self) -> account.RuleRows:
        return account.count_rules(self.mapped)


@dataclass(frozen=True)
class Subset:
    """Chosen rows of one landing on their way into CDM tables; `cut` holds the folders of their sources."""

    around: Surroundings
    landing: Path
    cut: Mapping[str, Path]
    prepared: prepare.Prepared
    work: Path

    def asked(self) -> pa.Table:
        """The codes that entries ask for in the chosen rows, counted; common entries left out."""
        return resolve.asked_codes(list(self.around.ties.own), self.around.reading, self.prepared)

    def mapped(self, shared: Shared, common: Common) -> Mapped:
        around = self.around
        made = mapping.map_rules(
            around.engine.session,
            around.ties.own,
            self.prepared,
            shared,
            self.work / "mapped",
            around.progress,
            common.lookups,
        )
        return Mapped(self, common, made)


@dataclass(frozen=True)
class Mapped:
    """The mapped frames of chosen rows, with those of the common entries beside them."""

    subset: Subset
    common: Common
    own: mapping.Mapped

    @cached_property
    def rows(self) -> account.RuleRows:
        return account.count_rules(self.own)

    @property
    def given(self) -> dict[str, dict[str, int]]:
        """Rows by CDM table and rule folder, common ones among them."""
        given = {table: dict(by_rule) for table, by_rule in self.rows.given.items()}
        for table, by_rule in self.common.rows.given.items():
            given[table] = {**given.get(table, {}), **by_rule}
        return given

    def refuse_shared_ids(self) -> None:
        """Raises IntegrityError where records share an id."""
        ids.refuse(ids.shared_ids([*self.common.mapped, *self.own], self.given))

    def write_tables(self, cdm: Path) -> dict[str, int]:
        """Writes every CDM table that some entry has rows for; rows by table."""
        return tables.write_mapped_tables(
            [*self.common.mapped, *self.own], self.given, cdm, self.subset.around.progress
        )

    def derive(self, cdm: Path, written: Mapping[str, int], as_of: date) -> derive.Derived:
        """Writes observation periods and eras of the tables in `cdm`."""
        around = self.subset.around
        return derive.derive(
            around.engine.session,
            cdm,
            written,
            around.store,
            around.site.spec.site.id,
            as_of,
            around.site.spec.derive.observation_period,
            around.engine.parallelism,
            around.progress,
        )

    def beside(self) -> mapping.Mapped:
        """All frames, those of common entries cut to the chosen rows: what each row became over all its entries."""
        session = self.subset.around.engine.session
        found = []
        for rule, frame in self.common.mapped:
            if rule.root in self.subset.around.ties.personal:
                rows = session.read.parquet(str(self.subset.cut[rule.root]))
                found.append((rule, _of_rows(frame, rows)))
            else:
                found.append((rule, frame))
        return [*found, *self.own]


def _of_rows(frame: DataFrame, rows: DataFrame) -> DataFrame:
    wanted = rows.select(F.col("_file").alias("_of_file"), F.col("_row").alias("_of_row"))
    same = (F.col("_file") == F.col("_of_file")) & (F.col("_row") == F.col("_of_row"))
    return frame.join(wanted, same, "left_semi")


# ---------------------------------------------------------------- the steps


def headed(site: Site, landing: Path) -> dict[str, tuple[str, ...]]:
    """The columns of each landed source."""
    folders = {name: landing / name for name in site.spec.sources if (landing / name).is_dir()}
    return {name: tuple(Parts.of(folder).schema.names) for name, folder in folders.items()}


def prepared_common(around: Surroundings, landing: Path, work: Path) -> Common:
    """The sources of common entries, whole and ready to be mapped."""
    rules = list(around.ties.common)
    views = _views_of_nobody(around)
    roots = {rule.root for rule in rules} | (set(around.ties.whole) if views else set())
    folders = {name: landing / name for name in around.site.spec.sources if name in roots and (landing / name).is_dir()}
    with Early() as early:
        return Common(
            prepare.prepare(
                around.engine.session, around.site, rules, around.reading, folders, work / "common", early, views
            )
        )


def _views_of_nobody(around: Surroundings) -> frozenset[str]:
    """The views over whole sources alone that common entries read, and those that these read."""
    wanted = {rule.source for rule in around.ties.common if rule.source in around.site.views}
    while (
        more := {other for name in wanted for other in around.site.view_reads[name] if other in around.site.views}
        - wanted
    ):
        wanted |= more
    return frozenset(wanted)


def asked_common(around: Surroundings, common: Common) -> pa.Table:
    """The codes that common entries ask for, counted."""
    return resolve.asked_codes(list(around.ties.common), around.reading, common.prepared)


def mapped_common(around: Surroundings, common: Common, shared: Shared, work: Path) -> Common:
    """The common entries mapped."""
    made, lookups = mapping.map_entities(
        around.engine.session, around.ties.common, common.prepared, shared, work / "common" / "mapped", around.progress
    )
    return Common(common.prepared, made, lookups)


def write_rows(parts: Parts, rows: Rows, folder: Path, more: pa.Table | None = None) -> Path:
    """Writes the chosen rows of a source, in their order, and some more after them as one file; the folder."""
    return write_tables(parts.schema, [*parts.take(rows), *([more] if more is not None else [])], folder)


def write_tables(schema: pa.Schema, tables: Iterable[pa.Table], folder: Path) -> Path:
    """Writes rows of a source as one file; the folder.

    Without statistics: an optimiser that knows a column of one row to be constant may stumble over it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "part-00000.parquet"
    with pq.ParquetWriter(path, schema, compression="lz4", write_statistics=False) as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table.select(schema.names).cast(schema))
    return folder


def subset_of(around: Surroundings, landing: Path, chosen: Mapping[str, Path], work: Path) -> Subset:
    """The subset whose chosen rows stand in these folders, prepared; whole sources come from the landing."""
    folders = dict(chosen)
    folders |= {name: landing / name for name in around.ties.whole if (landing / name).is_dir()}
    for name in around.ties.personal:
        _link_opted_out(landing, folders[name], name)
    with Early() as early:
        prepared = prepare.prepare(
            around.engine.session, around.site, list(around.ties.own), around.reading, folders, work, early
        )
    return Subset(around, landing, folders, prepared, work)


def _link_opted_out(landing: Path, folder: Path, name: str) -> None:
    """Who opted out is known beside the chosen rows as beside the whole source: they are rows of nobody in the CDM."""
    there, here = landing / "_opted_out" / f"{name}.parquet", folder.parent / "_opted_out" / f"{name}.parquet"
    if there.exists() and not here.exists():
        here.parent.mkdir(parents=True, exist_ok=True)
        here.symlink_to(there.absolute())


# ---------------------------------------------------------------- all steps in one


@dataclass(frozen=True)
class Rebuilt:
    """CDM tables of some persons: rows by table, and the ids of the persons; `complete` says whether all were taken."""

    tables: dict[str, int]
    persons: frozenset[int]


def sampled(closure: Closure, ties: Ties, share: float, seed: int = 0) -> None:
    """Chooses a share of the persons, the same ones each time for one seed: by a hash of what names them."""
    hash_key = f"{seed % 10**16:016d}"
    limit = np.uint64(min(max(share, 0.0), 1.0) * float(2**63))
    for rule in ties.own:
        if rule.table != "person":
            continue
        for tie in ties.of(rule.root):
            if tie.person:
                found: Rows = {}

                def choose(part: int, group: int, table: pa.Table, tie=tie, found=found) -> None:  # type: ignore[no-untyped-def]
                    text = pc.fill_null(texts(tie.parts, table), "")
                    hashed = hash_array(
                        text.to_numpy(zero_copy_only=False), hash_key=hash_key, categorize=False
                    ) >> np.uint64(1)
                    rows = np.flatnonzero(hashed < limit)
                    if len(rows):
                        found[part, group] = rows

                for _ in closure.parts[rule.root].read(list(tie.columns), choose):
                    pass
                closure.choose(rule.root, found)


def rebuilt(
    around: Surroundings, landing: Path, chosen: Mapping[str, Rows], as_of: date, cdm: Path, work: Path
) -> Rebuilt:
    """Builds the CDM tables of the chosen rows of a landing into `cdm`; `work` holds what that takes."""
    parts = {name: Parts.of(landing / name) for name in around.ties.personal}
    folders = {name: write_rows(parts[name], chosen[name], work / "landing" / name) for name in parts}
    common = prepared_common(around, landing, work)
    subset = subset_of(around, landing, folders, work)
    asked = pa.concat_tables([asked_common(around, common), subset.asked()])
    resolved = resolve.resolve_requests(
        around.engine.session, around.site, around.rules, around.reading, asked, around.store, work
    )
    shared = around.shared(resolved, as_of)
    common = mapped_common(around, common, shared, work)
    mapped = subset.mapped(shared, common)
    mapped.refuse_shared_ids()
    made = mapped.write_tables(cdm)
    made |= mapped.derive(cdm, made, as_of).tables
    return Rebuilt(made, frozenset(_persons(cdm)))


def _persons(cdm: Path) -> list[int]:
    files = sorted((cdm / "person").glob("*.parquet"))
    return [id for file in files for id in pq.read_table(file, columns=["person_id"])["person_id"].to_pylist()]
