"""The codes that the sources of a run hold, resolved once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.site.loaded import Site
from dure.site.values import CodedColumn, Concept, FirstCoded
from dure.stages.prepare import Prepared
from dure.tables import codes
from dure.tables.cells import Reading
from dure.tables.keys import key_text_of
from dure.tables.routing import EVENT_TABLES
from dure.tables.rule import Rule
from dure.vocab import Resolution, VocabularyStore, resolve
from dure.vocab.resolution import REQUEST, TARGETS, MappingProblem, Target, problems_frame, targets_frame

# The resolved map of a run, in its work folder.
RESOLVED = "resolved.parquet"
# ... and the codes that were asked for.
ASKED_FILE = "asked.parquet"
ASKED = pa.schema(
    [
        pa.field("rule", pa.string()),
        pa.field("alternative", pa.int32()),
        *(pa.field(name, pa.string()) for name in (*codes.REQUEST, "description")),
        pa.field("records", pa.int64()),
    ]
)


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
    return resolve_requests(session, site, rules, reading, asked_codes(rules, reading, prepared), store, work)


def asked_codes(rules: list[Rule], reading: Reading, prepared: Prepared) -> pa.Table:
    """ASKED: how many rows ask for each code, by entry, alternative and description; one action for all entries."""
    asked: list[DataFrame] = []
    for rule in rules:
        found = codes.requests(prepared.frames[rule.source], alternatives_of(rule, reading))
        asked += [one.select(F.lit(rule.folder).alias("rule"), "*") for one in found]
    if not asked:
        return ASKED.empty_table()
    return reduce(lambda a, b: a.unionByName(b), asked).toArrow().select(ASKED.names).cast(ASKED)


def alternatives_of(rule: Rule, reading: Reading) -> list[codes.Alternative]:
    """The alternatives of all coded values of an entry, in order."""
    values = codes.coded_roles(rule.entry, rule.table).values()
    return [one for value in values for one in codes.alternatives(value, reading)]


def resolve_requests(
    session: SparkSession,
    site: Site,
    rules: list[Rule],
    reading: Reading,
    asked: pa.Table,
    store: VocabularyStore,
    work: Path,
) -> ResolvedCodes:
    """Resolves what `asked_codes` found and writes `work/resolved.parquet`, in the order of the requests."""
    requests = _requests(asked)
    resolution = resolve(requests[list(codes.REQUEST)].drop_duplicates(), site.vocabularies, store, site.local_concepts)
    _add_local_concepts(resolution, site)
    pq.write_table(_keyed(resolution, _descriptions(requests)), work / RESOLVED)
    pq.write_table(asked, work / ASKED_FILE, compression="zstd")
    return resolved_codes_of(session, rules, reading, store, work, resolution)


def restored(
    session: SparkSession,
    rules: list[Rule],
    reading: Reading,
    store: VocabularyStore,
    work: Path,
    problems: Iterable[MappingProblem],
) -> ResolvedCodes:
    """What `resolve_codes` gave in another process, from the map that it wrote and the problems that it told."""
    written = pq.read_table(work / RESOLVED, columns=TARGETS.names).to_pylist()
    width = len(REQUEST)
    rows = [tuple(row.values()) for row in written]
    targets = targets_frame((row[:width], Target(*row[width:])) for row in rows)
    return resolved_codes_of(session, rules, reading, store, work, Resolution(targets, problems_frame(problems)))


def resolved_codes_of(
    session: SparkSession,
    rules: list[Rule],
    reading: Reading,
    store: VocabularyStore,
    work: Path,
    resolution: Resolution,
) -> ResolvedCodes:
    """A resolution whose map stands in the work folder, as the engine sees it."""
    targets, path = resolution.targets, work / RESOLVED
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


def _requests(asked: pa.Table) -> pd.DataFrame:
    """One row a (rule, alternative, request), sorted by request: `description` and `records`.

    The description is the one that most of the records have: a word that somebody typed once names no code.
    """
    frame: pd.DataFrame = asked.to_pandas()
    by = ["rule", "alternative", *codes.REQUEST]
    frame = frame.assign(told=frame["records"].where(frame["description"].notna(), 0))
    frame = frame.sort_values(["told", "description"], kind="stable")
    found = frame.groupby(by, dropna=False, sort=False).agg(
        description=("description", "last"), records=("records", "sum")
    )
    made = found.reset_index()
    return made.sort_values([*codes.REQUEST, "rule", "alternative"], na_position="first").reset_index(drop=True)


def _descriptions(requests: pd.DataFrame) -> dict[str, str]:
    """Request key -> what the sources call the code, by the source that has most records of it."""
    told = requests[requests["description"].notna()].sort_values(["records", "description"])
    asked = told[list(codes.REQUEST)].itertuples(index=False, name=None)
    return dict(zip((key_text_of(_texts(request)) for request in asked), told["description"], strict=True))


def _texts(request: tuple[object, ...]) -> list[str | None]:
    return [str(part) if isinstance(part, str) else None for part in request]


def _keyed(resolution: Resolution, descriptions: Mapping[str, str]) -> pa.Table:
    """The resolved map with the key that rows ask by; provenance and description travel along for the reports."""
    table = resolution.to_arrow()
    requests = zip(*[table.column(name).to_pylist() for name in codes.REQUEST], strict=True)
    keys = [key_text_of(request) for request in requests]
    table = table.append_column("request_key", pa.array(keys, pa.string()))
    table = table.append_column("resolved_row", pa.array(range(len(keys)), pa.int32()))
    return table.append_column("description", pa.array([descriptions.get(key) for key in keys], pa.string()))


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
