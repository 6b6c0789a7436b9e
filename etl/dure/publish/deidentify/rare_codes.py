"""Codes that few persons have: which ancestor stands for each, so that no published code is borne by fewer than k.

Counted over all tables of a snapshot together. A rare code goes to its nearest standard ancestor in its own domain that
k persons have once every code that goes there has arrived; where there is none, to 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.cdm.schema import table as cdm_table
from dure.publish.deidentify.treatment import Kind, TableTreatment
from dure.vocab import VocabularyStore

Ancestors = Mapping[int, list[tuple[int, int]]]


def rolled_up(
    session: SparkSession, snapshot: Path, plan: Mapping[str, TableTreatment], store: VocabularyStore, k: int
) -> dict[int, int]:
    """The concept that stands for each rare one; codes that enough persons have are not in it."""
    if k <= 1:
        return {}
    borne = _borne(session, snapshot, plan)
    if borne is None:
        return {}
    by_concept = borne.groupBy("concept_id").agg(F.count(F.lit(1)).alias("persons"))
    counts = {row.concept_id: row.persons for row in by_concept.collect()}
    rare = {concept for concept, persons in counts.items() if persons < k}
    if not rare:
        return {}
    listed = session.createDataFrame([(concept,) for concept in sorted(rare)], "rare_id int")
    pairs = borne.join(listed, F.col("concept_id") == F.col("rare_id")).select("concept_id", "person_id").collect()
    persons: dict[int, set[int]] = {concept: set() for concept in rare}
    for row in pairs:
        persons[row.concept_id].add(row.person_id)
    return choose(persons, frozenset(counts) - rare, _ancestors(rare, store), k)


def choose(persons: Mapping[int, set[int]], common: frozenset[int], ancestors: Ancestors, k: int) -> dict[int, int]:
    """The target of each rare concept: `persons` have it, `ancestors` are (levels, id), the nearest first.

    `common` are concepts that enough persons have already. A target that too few would reach is struck off, and those
    that wanted it choose again, until every target stands.
    """
    struck: set[int] = set()
    pool: dict[int, set[int]] = {}
    for concept in persons:
        for _, ancestor in ancestors.get(concept, []):
            pool.setdefault(ancestor, set()).update(persons[concept])
    while True:
        chosen = {
            concept: next(
                (
                    ancestor
                    for _, ancestor in ancestors.get(concept, [])
                    if ancestor not in struck and (ancestor in common or len(pool[ancestor]) >= k)
                ),
                0,
            )
            for concept in sorted(persons)
        }
        arrived: dict[int, set[int]] = {}
        for concept, target in chosen.items():
            arrived.setdefault(target, set()).update(persons[concept])
        short = {t for t, those in arrived.items() if t and t not in common and len(those) < k}
        if not short:
            return chosen
        struck |= short


def _borne(session: SparkSession, snapshot: Path, plan: Mapping[str, TableTreatment]) -> DataFrame | None:
    """One row a (person, concept) that a published code column of a person's table shows."""
    frames = []
    for name, treated in plan.items():
        columns = treated.of_kind(Kind.CODE)
        if treated.left_out or not columns or "person_id" not in cdm_table(name).names or _empty(snapshot / name):
            continue
        frame = session.read.parquet(str(snapshot / name))
        for column in columns:
            frames.append(
                frame.where(F.col(column) > 0)
                .select("person_id", F.col(column).cast("int").alias("concept_id"))
                .distinct()
            )
    return reduce(DataFrame.unionByName, frames).distinct() if frames else None


def _empty(folder: Path) -> bool:
    return not any(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


def _ancestors(rare: Iterable[int], store: VocabularyStore) -> dict[int, list[tuple[int, int]]]:
    """(levels, id) of the standard ancestors of each concept in its own domain, the nearest first."""
    rows = store.ancestor_levels(rare).to_pylist()
    facts = store.concepts({row["ancestor_concept_id"] for row in rows} | set(rare), ("domain_id", "standard_concept"))
    domain = dict(zip(facts["concept_id"], facts["domain_id"], strict=True))
    standard = set(facts["concept_id"][facts["standard_concept"] == "S"])
    found: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        ancestor, concept = row["ancestor_concept_id"], row["descendant_concept_id"]
        if ancestor != concept and ancestor in standard and domain.get(ancestor) == domain.get(concept):
            found.setdefault(concept, []).append((row["min_levels_of_separation"], ancestor))
    return {concept: sorted(above) for concept, above in found.items()}
