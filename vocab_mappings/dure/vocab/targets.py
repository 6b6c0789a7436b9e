"""The standard concepts of every source code, derived once from a vocabulary's own relationships.

`Maps to` counts when its `invalid_reason` is empty, whatever its dates. A standard concept stands for itself. A target
that is no longer standard is followed to one that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.vocab.concept_index import ConceptIndex, Flags, Ints
from dure.vocab.successors import MAPS_TO, REPLACED_BY, Edges, Successors, find_successors, path_text

MAPS_TO_VALUE = "Maps to value"
FOLLOWED = (MAPS_TO, REPLACED_BY, MAPS_TO_VALUE)
ITSELF = "itself"

CODE_TARGETS = pa.schema(
    [
        pa.field("vocabulary_id", pa.string()),
        pa.field("concept_code", pa.string()),
        pa.field("source_concept_id", pa.int32()),
        pa.field("source_standard", pa.string()),
        pa.field("source_invalid_reason", pa.string()),
        pa.field("source_valid_start_date", pa.date32()),
        pa.field("source_valid_end_date", pa.date32()),
        pa.field("target_concept_id", pa.int32()),
        pa.field("target_domain_id", pa.string()),
        pa.field("rank", pa.int32()),
        pa.field("value_concept_id", pa.int32()),
        pa.field("value_count", pa.int32()),
        pa.field("hops", pa.int32()),
        pa.field("via", pa.string()),
    ]
)
SUCCESSORS = pa.schema(
    [
        pa.field("concept_id", pa.int32()),
        pa.field("target_concept_id", pa.int32()),
        pa.field("hops", pa.int32()),
        pa.field("via", pa.string()),
    ]
)
# What the derivation needs of CONCEPT.
CONCEPT_COLUMNS = (
    "concept_id",
    "domain_id",
    "vocabulary_id",
    "standard_concept",
    "concept_code",
    "valid_start_date",
    "valid_end_date",
    "invalid_reason",
)


class FollowedRelationships:
    """The valid rows of the three relationships that mapping follows, collected while CONCEPT_RELATIONSHIP streams by."""

    def __init__(self, index: ConceptIndex) -> None:
        self._index = index
        self._parts: dict[str, list[tuple[Ints, Ints]]] = {name: [] for name in FOLLOWED}

    def add(self, batch: pa.RecordBatch) -> None:
        kind = pc.index_in(batch.column("relationship_id"), value_set=pa.array(FOLLOWED))
        chosen = pc.and_(pc.is_valid(kind), pc.is_null(batch.column("invalid_reason")))
        rows = batch.select(["concept_id_1", "concept_id_2"]).append_column("kind", kind).filter(chosen)
        first, second, kinds = (rows.column(i).to_numpy(zero_copy_only=False) for i in range(3))
        for number, name in enumerate(FOLLOWED):
            of_kind = kinds == number
            self._parts[name].append((first[of_kind], second[of_kind]))

    def edges(self, name: str) -> Edges:
        """The relationships of one kind whose two concepts exist and differ."""
        parts = self._parts[name] or [(np.zeros(0, np.int32), np.zeros(0, np.int32))]
        source = self._index.positions(np.concatenate([part[0] for part in parts]))
        target = self._index.positions(np.concatenate([part[1] for part in parts]))
        edges = Edges(source, target)
        return edges[(source >= 0) & (target >= 0) & (source != target)]


@dataclass(frozen=True)
class Targets:
    """What was derived: the standard targets of each concept, and how many needed or failed to be followed.

    Rows of `source`, `target` ... are one (source concept, target), ascending; a concept without target has none.
    """

    source: Ints
    target: Ints
    hops: Ints
    path: Ints
    value: Ints
    value_count: Ints
    successors: Successors
    counts: dict[str, int] = field(default_factory=dict)


def derive_targets(standard: Flags, relationships: FollowedRelationships) -> Targets:
    """The standard targets of every concept, in row numbers of the concept index."""
    maps_to, replaced_by = relationships.edges(MAPS_TO), relationships.edges(REPLACED_BY)
    successors = find_successors(standard, maps_to, replaced_by)
    ends = standard[maps_to.target]
    direct, moved = maps_to[ends], maps_to[~ends]
    which, row = successors.of(moved.target)
    itself = np.flatnonzero(standard).astype(np.int32)
    source = np.concatenate([itself, direct.source, moved.source[which]])
    target = np.concatenate([itself, direct.target, successors.target[row]])
    hops = np.concatenate([np.zeros(len(itself) + len(direct.source), np.int32), successors.hops[row]])
    path = np.concatenate(
        [
            np.ones(len(itself), np.int32),
            np.full(len(direct.source), 3, np.int32),
            (successors.path[row] * 2 + 1).astype(np.int32),
        ]
    )
    # A successor that is the source itself would be a standard source: it maps to itself already.
    order = np.lexsort((path, hops, target, source))
    source, target, hops, path = source[order], target[order], hops[order], path[order]
    first = np.ones(len(source), np.bool_)
    first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    source, target, hops, path = source[first], target[first], hops[first], path[first]
    value, value_count = _values(len(standard), standard, relationships.edges(MAPS_TO_VALUE), successors)
    lost = successors.hop[moved.target] == -1
    counts = {
        "codes_with_target": len(np.unique(source)),
        "targets_moved": int((hops > 0).sum()),
        "targets_without_standard": int(lost.sum()),
        "targets_in_circles": int(successors.cyclic[moved.target].sum()),
        "codes_with_several_values": int((value_count > 1).sum()),
    }
    return Targets(source, target, hops, path, value, value_count, successors, counts)


def _values(size: int, standard: Flags, edges: Edges, successors: Successors) -> tuple[Ints, Ints]:
    """By concept: the standard value concept of the smallest id (-1 if none), and how many there are."""
    ends = standard[edges.target]
    which, row = successors.of(edges.target[~ends])
    source = np.concatenate([edges.source[ends], edges.source[~ends][which]])
    value = np.concatenate([edges.target[ends], successors.target[row]])
    pairs = np.unique(np.stack([source, value], axis=1), axis=0) if len(source) else np.zeros((0, 2), np.int32)
    smallest = np.full(size, -1, np.int32)
    smallest[pairs[::-1, 0]] = pairs[::-1, 1]
    return smallest, np.bincount(pairs[:, 0], minlength=size).astype(np.int32)


def code_targets(concepts: pa.Table, targets: Targets) -> Iterator[pa.Table]:
    """The derived table, vocabulary by vocabulary, sorted by (vocabulary_id, concept_code, source_concept_id, rank).

    One row a (source concept, target); a concept without target has one row with target 0. `concepts` are the rows of
    CONCEPT_COLUMNS in ascending order of id, with `vocabulary_id` as a dictionary.
    """
    size = concepts.num_rows
    mapped = np.bincount(targets.source, minlength=size) > 0
    alone = np.flatnonzero(~mapped).astype(np.int32)
    none = np.full(len(alone), -1, np.int32)
    source = np.concatenate([targets.source, alone])
    target = np.concatenate([targets.target, none])
    hops = np.concatenate([targets.hops, np.zeros(len(alone), np.int32)])
    path = np.concatenate([targets.path, np.zeros(len(alone), np.int32)])
    order = np.argsort(source, kind="stable")
    source, target, hops, path = source[order], target[order], hops[order], path[order]
    starts = np.searchsorted(source, source, side="left")
    rank = (np.arange(len(source)) - starts).astype(np.int32)

    vocabulary = concepts["vocabulary_id"].combine_chunks()
    vocabulary_of_row = vocabulary.indices.fill_null(-1).to_numpy(zero_copy_only=False)[source]
    names = vocabulary.dictionary.to_pylist()
    for number in sorted(range(len(names)), key=names.__getitem__):
        rows = np.flatnonzero(vocabulary_of_row == number)
        if not len(rows):
            continue
        of_source = concepts.take(pa.array(source[rows])).combine_chunks()
        # A stable sort: within a code the rows stay in order of concept and rank.
        by_code = pc.array_sort_indices(of_source["concept_code"].chunk(0))
        rows = rows[by_code.to_numpy()]
        of_source = of_source.take(by_code)
        to = target[rows]
        nobody = to < 0
        of_target = pa.array(to, mask=nobody)
        value = targets.value[source[rows]]
        yield pa.table(
            [
                of_source["vocabulary_id"].cast(pa.string()),
                of_source["concept_code"],
                of_source["concept_id"],
                of_source["standard_concept"],
                of_source["invalid_reason"],
                of_source["valid_start_date"],
                of_source["valid_end_date"],
                concepts["concept_id"].take(of_target).fill_null(0),
                concepts["domain_id"].take(of_target).cast(pa.string()),
                pa.array(rank[rows]),
                concepts["concept_id"].take(pa.array(value, mask=value < 0)),
                pa.array(targets.value_count[source[rows]]),
                pa.array(hops[rows]),
                _path_texts(path[rows]),
            ],
            schema=CODE_TARGETS,
        )


def successor_table(concepts: pa.Table, found: Successors) -> pa.Table:
    """One row a (concept that is not standard, standard concept it leads to), ascending by concept id."""
    ids = concepts["concept_id"]
    return pa.table(
        [
            ids.take(pa.array(found.source)),
            ids.take(pa.array(found.target)),
            pa.array(found.hops),
            _path_texts(found.path),
        ],
        schema=SUCCESSORS,
    )


def _path_texts(path: Ints) -> pa.Array:
    """The relationships followed, row by row; NULL for path 0, which is a concept without target."""
    numbers, which = np.unique(path, return_inverse=True)
    texts = [(path_text(int(number)) or ITSELF) if number else None for number in numbers]
    return pa.array(texts, pa.string()).take(pa.array(which))
