"""How many steps of the hierarchy lie between two answers, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dure.center.agreement.codebook import Codebook
from dure.center.agreement.pairs import Apart
from dure.vocab.hierarchy import Hierarchy, names_of
from dure.vocab.store import VocabularyStore

FARTHEST = 4


@dataclass(frozen=True)
class Vocabulary:
    """The names of some concepts (`ids`) and the hierarchy above some (`placed`); without a store there are neither."""

    store: VocabularyStore | None
    ids: frozenset[int]
    placed: frozenset[int]

    @cached_property
    def names(self) -> Mapping[int, str]:
        return names_of(self.store, self.ids) if self.store else {}

    @cached_property
    def _hierarchy(self) -> Hierarchy | None:
        return Hierarchy(self.store, self.placed) if self.store else None

    def steps(self, some: Iterable[int], others: Iterable[int]) -> int | None:
        """Levels up to the nearest common ancestor and down again, 0 for the same concepts; None where unknown."""
        return self._hierarchy.between_sets(some, others) if self._hierarchy else None

    def named(self, ids: Iterable[int]) -> str:
        return "; ".join(self.names.get(concept, "") for concept in sorted(ids)).strip("; ")


def step_counts(book: Codebook, apart: Apart, vocabulary: Vocabulary) -> dict[str, dict[str, int]]:
    """How many differing pairs of hospitals' codes, and their records, are how many steps apart.

    Keys are `1`, `2`, …, `4+`, and `unrelated` where two answers have no common ancestor; nothing without a store.
    """
    if vocabulary.store is None:
        return {}
    names = [*(str(n) for n in range(FARTHEST)), f"{FARTHEST}+", "unrelated"]
    found = {name: {"codes": 0, "records": 0} for name in names[1:]}
    for one, other, keys, records in np.stack([apart.one, apart.other, apart.keys, apart.records], axis=1).tolist():
        steps = vocabulary.steps(book.target_ids(one), book.target_ids(other))
        name = "unrelated" if steps is None else names[min(steps, FARTHEST)]
        found[name]["codes"] += keys
        found[name]["records"] += records
    return found
