"""The concepts of each set of a request, descendants included, exclusions taken out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.center.extract.request import ConceptSet, Request
from dure.vocab.store import VocabularyStore

_SCHEMA = pa.schema([("set_concept_id", pa.int32())])


def write_sets(request: Request, vocabulary: VocabularyStore, folder: Path) -> dict[str, int]:
    """Writes one Parquet folder a set, one row a concept; how many concepts each has."""
    counts = {}
    for name, wanted in request.concepts.items():
        ids = expanded(wanted, vocabulary)
        (folder / name).mkdir(parents=True)
        column = pa.array(sorted(ids), pa.int32())
        pq.write_table(pa.table([column], schema=_SCHEMA), folder / name / "part-0.parquet")
        counts[name] = len(ids)
    return counts


def expanded(wanted: ConceptSet, vocabulary: VocabularyStore) -> set[int]:
    """The concepts of a set."""
    if not wanted.descendants:
        return set(wanted.include) - set(wanted.exclude)
    return _descendants(vocabulary, wanted.include) - _descendants(vocabulary, wanted.exclude)


def _descendants(vocabulary: VocabularyStore, ids: Iterable[int]) -> set[int]:
    chosen = pc.field("ancestor_concept_id").isin(pa.array(sorted(set(ids)), pa.int32()))
    found = pq.read_table(vocabulary.path("CONCEPT_ANCESTOR"), columns=["descendant_concept_id"], filters=chosen)
    return {*ids, *found["descendant_concept_id"].to_pylist()}
