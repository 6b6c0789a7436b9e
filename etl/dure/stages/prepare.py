"""From landed sources to frames that rules read: what goes on of each source, views over them, the resolved map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.cdm.roles import roles
from dure.errors import ConfigurationError, Problem
from dure.site.columns import check_columns
from dure.site.fixed_maps import FixedMap, MapTarget
from dure.site.loaded import Site
from dure.site.spec import FileSource, ViewSource
from dure.site.values import CodedColumn, Concept, DateOf, FirstBirth, FirstCoded, FirstMoment, MonthOf, YearOf
from dure.site.walk import parts
from dure.site.yaml_text import closest
from dure.stages.frames import collected, stored
from dure.stages.parallel import each
from dure.tables import cells, codes, sources, views
from dure.tables.cells import OPERATORS, Reading
from dure.tables.keys import key_text_of
from dure.tables.links import Linked, field_name
from dure.tables.links import domains as domain_names
from dure.tables.routing import EVENT_TABLES
from dure.tables.rule import Rule, Shared
from dure.vocab import Resolution, VocabularyStore, resolve, resolve_fixed

OWN_COLUMNS = ("_file", "_row", "_key", "_row_hash", "_n")
# A short map of our own: the unit of results such as 1:80.
TITER = FixedMap("1:N", 1, {("{titer}",): MapTarget(vocabulary_id="UCUM", concept_code="{titer}")})


@dataclass
class Counted:
    """What preparing a source or view counted; see accounting.reconciliation for the meaning of each."""

    rows: int
    excluded: dict[str, int] = field(default_factory=dict)
    fates: dict[tuple[str, str], int] = field(default_factory=dict)
    reached: int = 0
    selected: dict[str, int] = field(default_factory=dict)
    not_claimed: int = 0
    goes_on: int = 0


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


def rules_of(site: Site) -> list[Rule]:
    """The entries of a spec in the order in which their tables are built."""
    return [
        Rule(
            table,
            index,
            entry,
            entry.from_,
            entry.default_label,
            _source_key(site, entry.from_),
            _gives_many(site, entry.from_),
            root_source(site, entry.from_),
        )
        for table, index, entry in site.spec.entries()
    ]


def _gives_many(site: Site, name: str) -> bool:
    source = site.spec.sources[name]
    return isinstance(source, ViewSource) and (
        source.grain == "many" or (source.of is None) or _gives_many(site, source.of)
    )


def root_source(site: Site, name: str) -> str:
    """The source whose rows a source holds: itself, or for a view the one at the end of its `of`."""
    source = site.spec.sources[name]
    return root_source(site, source.of) if isinstance(source, ViewSource) and source.of else name


def _source_key(site: Site, name: str) -> tuple[str, ...] | None:
    source = site.spec.sources[name]
    if source.key is None and isinstance(source, ViewSource) and source.of:
        return _source_key(site, source.of)
    return tuple(source.key) if source.key else None


def reading_of(site: Site, rules: list[Rule], store: VocabularyStore) -> Reading:
    """How this site's cells are read."""
    dates = {
        column
        for rule in rules
        for role in roles(rule.table).values()
        if role.kind in ("moment", "end", "birth")
        for column in _date_columns(rule.entry.given(role.name))
    }
    return Reading(
        formats=tuple(site.defaults.formats),
        null_dates=tuple(site.defaults.null_dates),
        zone=site.spec.site.timezone,
        maps=site.maps,
        concepts=resolve_fixed({**site.maps, TITER.name: TITER}, store).concepts,
        dates=frozenset(dates),
    )


def _date_columns(value: object) -> list[str]:
    """The columns that a date value reads as dates; lengths of stay, times of day and age groups are none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, DateOf):
        return [value.date]
    if isinstance(value, MonthOf):
        return [value.month]
    if isinstance(value, YearOf):
        return [value.year]
    if isinstance(value, FirstMoment | FirstBirth):
        return [column for option in value.first_of for column in _date_columns(option)]
    return []


# ---------------------------------------------------------------- sources and views


def prepare(
    session: SparkSession, site: Site, rules: list[Rule], reading: Reading, landed: Mapping[str, Path], work: Path
) -> Prepared:
    """Frames for every source and view, with one or two aggregates each; fates and views are written to `work`."""
    files = [(name, source) for name, source in site.spec.sources.items() if isinstance(source, FileSource)]

    def read(named: tuple[str, FileSource]) -> tuple[DataFrame, Counted, DataFrame | None]:
        name, source = named
        return _source(session, name, source, [r for r in rules if r.source == name], reading, landed[name], work)

    frames: dict[str, DataFrame] = {}
    rejected: dict[str, DataFrame] = {}
    counted: dict[str, Counted] = {}
    for (name, _), (frame, count, lost) in zip(files, each(read, files), strict=True):
        frames[name], counted[name] = frame, count
        if lost is not None:
            rejected[name] = lost
    for name in site.views:
        frames[name], counted[name] = _view(session, site, name, rules, reading, frames, counted, work)
    return Prepared(frames, rejected, counted, _opted_out(session, landed))


def _opted_out(session: SparkSession, landed: Mapping[str, Path]) -> dict[str, DataFrame]:
    """The rows of persons who opted out, as landing wrote them down: `_file`, `_row`, `_key`."""
    files = {name: folder.parent / "_opted_out" / f"{name}.parquet" for name, folder in landed.items()}
    return {name: session.read.parquet(str(file)) for name, file in files.items() if file.exists()}


def _source(
    session: SparkSession,
    name: str,
    source: FileSource,
    rules: list[Rule],
    reading: Reading,
    folder: Path,
    work: Path,
) -> tuple[DataFrame, Counted, DataFrame | None]:
    landed = session.read.parquet(str(folder))
    row = sources.profile(landed, source, reading).collect()[0]
    found = sources.Profile(
        row["rows"], {x.rule: row[f"x_{x.rule}"] for x in source.exclude}, row["keyed"], row["distinct"]
    )
    counted = Counted(rows=found.rows, excluded={rule: n for rule, n in found.excluded.items() if n})
    fates, lost = None, None
    if found.repeats:
        fates = stored(session, sources.fates(landed, source, reading), work / "fates" / name)
        by_fate = fates.groupBy("_outcome", "_reason").agg(F.count(F.lit(1)).alias("rows"))
        for fate in collected(by_fate, "_outcome", "_reason"):
            if fate["_outcome"] != Outcome.WRITTEN.value:
                counted.fates[fate["_outcome"], fate["_reason"] or ""] = fate["rows"]
        lost = fates.where(F.col("_outcome") == Outcome.REJECTED.value)
    frame = sources.going_on(landed, source, reading, fates)
    _count_selected(frame, rules, reading, counted)
    return frame, counted, lost


def _count_selected(frame: DataFrame, rules: list[Rule], reading: Reading, counted: Counted) -> None:
    """Counts, apart from any mapping, the rows that go on, those that each entry selects and those that none does."""
    conditions = {rule.folder: cells.condition(rule.entry.where, reading) for rule in rules}
    none = ~reduce(lambda a, b: a | b, conditions.values()) if conditions else F.lit(False)
    row = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count(F.when(none, F.lit(1))).alias("none"),
        *[F.count(F.when(condition, F.lit(1))).alias(name) for name, condition in conditions.items()],
    ).collect()[0]
    counted.goes_on, counted.not_claimed = row["rows"], row["none"]
    counted.selected = {name: row[name] for name in conditions}


def _refused(where: str, error: PySparkException) -> ConfigurationError:
    """The engine would not run a view; its own words may quote a cell, so only the kind of error is shown."""
    said = error.getCondition() or type(error).__name__
    return ConfigurationError(
        Problem(
            where,
            f"the engine refuses the view ({said})",
            "try the SELECT by hand; use try_cast for cells that may hold anything",
        )
    )


def _view(
    session: SparkSession,
    site: Site,
    name: str,
    rules: list[Rule],
    reading: Reading,
    frames: dict[str, DataFrame],
    counted: dict[str, Counted],
    work: Path,
) -> tuple[DataFrame, Counted]:
    view = site.spec.sources[name]
    assert isinstance(view, ViewSource)
    where = str(Path(site.folder.name) / view.view)
    for other in site.view_reads[name]:
        frames[other].createOrReplaceTempView(other)
    key = _source_key(site, view.of) if view.of else None
    try:
        frame = views.view_frame(session, name, view, site.views[name], where, list(key) if key else None)
    except PySparkException as error:
        raise _refused(where, error) from None
    missing = check_columns(site, {name: tuple(c for c in frame.columns if c not in OWN_COLUMNS)})
    if missing:
        raise ConfigurationError(missing)
    try:
        written = stored(session, frame, work / "views" / name)
    except PySparkException as error:
        raise _refused(where, error) from None
    row = views.view_counts(written).collect()[0]
    found = Counted(rows=row["rows"], reached=row["reached"])
    _count_selected(written, [rule for rule in rules if rule.source == name], reading, found)
    problems = []
    if view.of and view.grain == "one" and row["reached"] < row["rows"]:
        problems.append(
            Problem(
                where,
                f"says grain one, but {row['rows'] - row['reached']} rows come out more than once",
                "look for a join with several matches (a code table whose periods overlap), or declare grain: many with a key",
            )
        )
    if row["keys"] < row["rows"]:
        problems.append(
            Problem(
                where,
                f"{row['rows'] - row['keys']} rows share their key with another",
                "declare a key: that names each row of the view",
            )
        )
    for other, column in view.folds.items():
        told = written.agg(F.sum(F.col(f"`{column}`").cast("bigint")).alias("n")).collect()[0]["n"] or 0
        if told != counted[other].goes_on:
            problems.append(
                Problem(
                    where,
                    f"folds {told} rows of {other}, but {counted[other].goes_on} go on",
                    f"count every row of {other} in {column}, or declare what is left out",
                )
            )
        counted[other].reached += told
    if problems:
        raise ConfigurationError(problems)
    return written, found


# ---------------------------------------------------------------- codes


@dataclass(frozen=True)
class ResolvedCodes:
    """The resolved map of the run as the engine sees it, what the resolver said, and domains of fixed concepts."""

    engine_map: codes.ResolvedMap
    resolution: Resolution
    domains: dict[int, str]


def resolve_codes(
    session: SparkSession,
    site: Site,
    rules: list[Rule],
    reading: Reading,
    prepared: Prepared,
    store: VocabularyStore,
    work: Path,
) -> ResolvedCodes:
    """Asks all sources in one action which codes they hold, resolves them and writes `work/resolved.parquet`."""
    asked: list[DataFrame] = []
    for rule in rules:
        alternatives = [
            one
            for value in codes.coded_roles(rule.entry, rule.table).values()
            for one in codes.alternatives(value, reading)
        ]
        asked += codes.requests(prepared.frames[rule.source], alternatives)
    requests = _collected(asked)
    resolution = resolve(requests[list(codes.REQUEST)].drop_duplicates(), site.vocabularies, store)
    _add_local_concepts(resolution, site)
    targets = resolution.targets
    path = work / "resolved.parquet"
    pq.write_table(_keyed(resolution), path)
    dated = bool(targets["valid_start"].notna().any() or targets["valid_end"].notna().any())
    fixed = _fixed_concepts(rules, reading)
    known = store.concepts(fixed) if fixed else pd.DataFrame({"concept_id": [], "domain_id": []})
    domains = {int(c): str(d) for c, d in zip(known["concept_id"], known["domain_id"], strict=True)}
    return ResolvedCodes(codes.ResolvedMap(session.read.parquet(str(path)), dated), resolution, domains)


def _add_local_concepts(resolution: Resolution, site: Site) -> None:
    """A code that no vocabulary knows has the local concept of its own vocabulary and code as its source concept."""
    local = {(c.vocabulary_id, c.concept_code): c.concept_id for c in site.local_concepts}
    if not local:
        return
    targets = resolution.targets
    own = [local.get(key, 0) for key in zip(targets["vocabulary"], targets["code"], strict=True)]
    unknown = targets["source_concept_id"] == 0
    targets.loc[unknown, "source_concept_id"] = pd.Series(own, index=targets.index)[unknown]


def _collected(asked: list[DataFrame]) -> pd.DataFrame:
    if not asked:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in (*codes.REQUEST, "description", "records")})
    found: pd.DataFrame = reduce(lambda a, b: a.unionByName(b), asked).toArrow().to_pandas()
    return found


def _keyed(resolution: Resolution) -> pa.Table:
    """The resolved map with the key that rows ask by; provenance travels along for the reports."""
    table = resolution.to_arrow()
    requests = zip(*[table.column(name).to_pylist() for name in codes.REQUEST], strict=True)
    return table.append_column("request_key", pa.array([key_text_of(request) for request in requests], pa.string()))


def _fixed_concepts(rules: list[Rule], reading: Reading) -> list[int]:
    """Concepts that codes of event tables take without a look-up: their domains route the rows."""
    found: set[int] = set()
    for rule in rules:
        if rule.table in EVENT_TABLES:
            found |= _fixed_of(rule.entry.given("code"), reading)
    return sorted(found)


def _fixed_of(value: object, reading: Reading) -> set[int]:
    if isinstance(value, FirstCoded):
        return {concept for option in value.first_of for concept in _fixed_of(option, reading)}
    if isinstance(value, Concept):
        return {value.concept_id}
    if isinstance(value, CodedColumn) and value.map is not None:
        return {concept for concept in reading.concepts[value.map].values() if concept}
    return set()


def linked_of(rules: list[Rule], store: VocabularyStore) -> Linked:
    """What the vocabulary calls tables and relationships; raises ConfigurationError for a relationship it does not know."""
    asked = {str(rule.entry.given("relationship")): rule for rule in rules if rule.table == "fact_relationship"}
    if not asked and not any(
        rule.entry.given(role.name) is not None
        for rule in rules
        for role in roles(rule.table).values()
        if role.kind == "event"
    ):
        return Linked()
    known = pq.read_table(store.path("RELATIONSHIP")).to_pylist()
    concepts = {row["relationship_id"]: row["relationship_concept_id"] for row in known}
    reverse = {row["relationship_id"]: row["reverse_relationship_id"] for row in known}
    missing = [name for name in asked if name not in concepts]
    if missing:
        raise ConfigurationError(
            [
                Problem(
                    asked[name].name,
                    f"no relationship '{name}' in the vocabulary{closest(name, concepts)}",
                    "use a relationship_id of RELATIONSHIP.csv",
                )
                for name in missing
            ]
        )
    domain_concepts = {
        row["domain_id"]: row["domain_concept_id"] for row in pq.read_table(store.path("DOMAIN")).to_pylist()
    }
    fields = pq.read_table(
        store.path("CONCEPT"), columns=["concept_id", "concept_name"], filters=[("vocabulary_id", "=", "CDM")]
    ).to_pylist()
    by_name = {row["concept_name"]: row["concept_id"] for row in fields}
    return Linked(
        domain_concepts={table: domain_concepts.get(domain, 0) for table, domain in domain_names().items()},
        field_concepts={table: by_name.get(field_name(table), 0) for table in domain_names()},
        relationships={name: (concepts[name], concepts.get(reverse[name], 0)) for name in asked},
    )


def structural_concepts(rules: list[Rule], reading: Reading, shared: Shared) -> list[int]:
    """Concepts that come from the spec or from Dure itself, not from a code: types, visit classes, operators, …"""
    found = set(OPERATORS.values())
    for concepts in reading.concepts.values():
        found |= set(concepts.values())
    for rule in rules:
        for value in codes.coded_roles(rule.entry, rule.table).values():
            found |= {part.concept_id for _, part in parts(value, ()) if isinstance(part, Concept)}
            found |= {value} if isinstance(value, int) else set()
    if isinstance(shared.default_type, int):
        found.add(shared.default_type)
    found |= {entry.becomes for entry in shared.merge_visits if entry.becomes}
    return sorted(found - {0})
