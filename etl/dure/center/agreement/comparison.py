"""The codes of all hospitals, where they stand against each other, and what the majority says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dure.center.agreement.codebook import Codebook, codebook
from dure.center.agreement.differences import Differing, differing, told
from dure.center.agreement.majority import Voted, contested, proposed_rows, voted
from dure.center.agreement.pairs import KINDS, Pairs, pairs
from dure.center.agreement.steps import Vocabulary
from dure.vocab.store import VocabularyStore


@dataclass(frozen=True)
class Comparison:
    """One comparison; counts under the threshold are not told."""

    book: Codebook
    pairs: dict[str, Pairs]
    differing: dict[str, Differing]
    vocabulary: Vocabulary
    threshold: int

    def differences(self) -> Iterator[dict[str, Any]]:
        """All of them, codes before descriptions, those with most records first."""
        for kind in KINDS:
            yield from told(self.book, self.differing[kind], self.vocabulary, self.threshold)

    def votes(self) -> Iterator[Voted]:
        """Every code that several hospitals use, those with most records first."""
        return voted(self.book, self.threshold)

    def proposal(self, vote: Voted) -> Iterator[dict[str, Any]]:
        return proposed_rows(self.book, vote, self.vocabulary, self.threshold)


def compared(
    codes: Sequence[tuple[str, Path]], store: VocabularyStore | None, more: Iterable[int], threshold: int
) -> Comparison:
    """Compares hospitals by the files of their codes; `more` are concepts whose names are wanted too."""
    book = codebook(codes)
    found = {kind: differing(book, kind) for kind in KINDS}
    # Names and ancestors are wanted of every answer: a proposal names its target, too.
    numbers = np.unique(book.targets[book.mapped]) if store else np.zeros(0, np.int64)
    ids = {concept for number in numbers.tolist() for concept in book.target_ids(number)} | set(more)
    apart = [contested(book), *(each.targets(book) for each in found.values())] if store else [numbers]
    placed = {concept for number in np.unique(np.concatenate(apart)).tolist() for concept in book.target_ids(number)}
    return Comparison(
        book,
        {kind: pairs(book, kind) for kind in KINDS},
        found,
        Vocabulary(store, frozenset(ids), frozenset(placed)),
        threshold,
    )
