"""How far two concepts are from each other in the hierarchy of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dure.vocab.store import VocabularyStore


class Hierarchy:
    """The ancestors of some concepts with the fewest levels to each, itself included at level 0."""

    def __init__(self, store: VocabularyStore, ids: Iterable[int]) -> None:
        wanted = set(ids)
        self._above: dict[int, dict[int, int]] = {concept: {concept: 0} for concept in wanted}
        table = store.ancestor_levels(wanted)
        columns = ("descendant_concept_id", "ancestor_concept_id", "min_levels_of_separation")
        for descendant, ancestor, levels in zip(*(table[name].to_pylist() for name in columns), strict=True):
            known = self._above[descendant]
            known[ancestor] = min(levels, known.get(ancestor, levels))

    def between(self, one: int, other: int) -> int | None:
        """Levels up from one to the nearest common ancestor and down to the other; None where they have none."""
        above, below = self._above[one], self._above[other]
        return min((levels + below[ancestor] for ancestor, levels in above.items() if ancestor in below), default=None)

    def between_sets(self, some: Iterable[int], others: Iterable[int]) -> int | None:
        """The distance of the concept that is farthest from the nearest one of the other set; None if one has none."""
        left, right = set(some), set(others)
        if not left or not right:
            return None
        nearest = [_nearest(self, concept, right) for concept in left] + [
            _nearest(self, concept, left) for concept in right
        ]
        known = [distance for distance in nearest if distance is not None]
        return max(known) if len(known) == len(nearest) else None


def _nearest(hierarchy: Hierarchy, concept: int, others: Iterable[int]) -> int | None:
    found = (hierarchy.between(concept, other) for other in others)
    return min((distance for distance in found if distance is not None), default=None)


def names_of(store: VocabularyStore, ids: Iterable[int]) -> Mapping[int, str]:
    """What the vocabulary calls some concepts."""
    known = store.concepts(ids, ["concept_name"])
    return {int(number): str(name) for number, name in zip(known["concept_id"], known["concept_name"], strict=True)}
