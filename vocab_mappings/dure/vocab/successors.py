"""Where a concept that is not standard leads: the nearest standard concepts by `Concept replaced by` and `Maps to`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dure.vocab.concept_index import Flags, Ints, Longs

MAX_HOPS = 5
REPLACED_BY, MAPS_TO = "Concept replaced by", "Maps to"

# A path is an integer: a leading 1, then one bit a hop with the first hop in the lowest bit.
_STEP = {REPLACED_BY: 0, MAPS_TO: 1}
_RELATIONSHIP = {bit: name for name, bit in _STEP.items()}


@dataclass(frozen=True)
class Edges:
    """Valid relationships of one kind between two existing, different concepts, as row numbers."""

    source: Ints
    target: Ints

    def __getitem__(self, chosen: Flags) -> Edges:
        return Edges(self.source[chosen], self.target[chosen])


@dataclass(frozen=True)
class Successors:
    """One row a (concept that is not standard, standard concept it leads to), ascending by both.

    `cyclic` marks concepts whose relationships only lead in circles; `hop` is -1 where no standard concept is reached.
    """

    source: Ints
    target: Ints
    hops: Ints
    path: Ints
    hop: Ints
    cyclic: Flags

    def of(self, concepts: Ints) -> tuple[Longs, Longs]:
        """Matches as (row of `concepts`, row of this table), one for each successor of each concept."""
        first = np.searchsorted(self.source, concepts, side="left")
        count = np.searchsorted(self.source, concepts, side="right") - first
        which = np.repeat(np.arange(len(concepts)), count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return which, np.repeat(first, count) + within


def path_text(path: int) -> str:
    """The relationships of a path in the order in which they were followed, such as `Concept replaced by > Maps to`."""
    steps = []
    while path > 1:
        steps.append(_RELATIONSHIP[path & 1])
        path >>= 1
    return " > ".join(steps)


def find_successors(standard: Flags, maps_to: Edges, replaced_by: Edges) -> Successors:
    """Follow every concept that is not standard to the nearest standard ones, at most MAX_HOPS away.

    Where both relationships reach one in the same number of hops, `Concept replaced by` is followed. Found from the
    standard end, level by level, so a circle cannot hold the search up.
    """
    hop = np.where(standard, 0, -1).astype(np.int32)
    empty = np.zeros(0, np.int32)
    levels = [Successors(empty, empty, empty, empty, hop, np.zeros(0, np.bool_))]
    for level in range(1, MAX_HOPS + 1):
        pairs = []
        for edges, bit in ((replaced_by, _STEP[REPLACED_BY]), (maps_to, _STEP[MAPS_TO])):
            chosen = edges[(hop[edges.source] == -1) & (hop[edges.target] == level - 1)]
            pairs.append(_extend(chosen, levels[-1], bit, level))
            hop[chosen.source] = level
        source, target, path = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        if not len(source):
            break
        levels.append(_sorted(source, target, np.full(len(source), level, np.int32), path, hop))
    source, target, hops, path = (
        np.concatenate([getattr(level, name) for level in levels]) for name in ("source", "target", "hops", "path")
    )
    found = _sorted(source, target, hops, path, hop)
    return Successors(found.source, found.target, found.hops, found.path, hop, _cyclic(hop, maps_to, replaced_by))


def _extend(edges: Edges, nearer: Successors, bit: int, level: int) -> tuple[Ints, Ints, Ints]:
    """(source, standard target, path) of edges that end on a standard concept (level 1) or on one `nearer` knows."""
    if level == 1:
        return edges.source, edges.target, np.full(len(edges.source), 2 + bit, np.int32)
    which, row = nearer.of(edges.target)
    return edges.source[which], nearer.target[row], (nearer.path[row] * 2 + bit).astype(np.int32)


def _sorted(source: Ints, target: Ints, hops: Ints, path: Ints, hop: Ints) -> Successors:
    order = np.lexsort((path, target, source))
    source, target, hops, path = source[order], target[order], hops[order], path[order]
    first = np.ones(len(source), np.bool_)
    first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    return Successors(source[first], target[first], hops[first], path[first], hop, np.zeros(0, np.bool_))


def _cyclic(hop: Ints, maps_to: Edges, replaced_by: Edges) -> Flags:
    """Concepts without a standard successor that can be followed for ever: what is left when dead ends are taken away."""
    source = np.concatenate([maps_to.source, replaced_by.source])
    target = np.concatenate([maps_to.target, replaced_by.target])
    alive = np.zeros(len(hop), np.bool_)
    alive[source[hop[source] == -1]] = True
    while True:
        going = alive[source] & alive[target]
        source, target = source[going], target[going]
        still = np.zeros(len(hop), np.bool_)
        still[source] = True
        if (still == alive).all():
            return alive
        alive = still
