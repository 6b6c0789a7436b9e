"""Which English word a Korean word stands for, learnt from texts in both languages: IBM's first translation model.

P. F. Brown et al., The Mathematics of Statistical Machine Translation, Computational Linguistics 19(2), 1993. Every
English word of a text was brought about by one of its Korean words, or by none; expectation and maximisation take turns
to find how likely each pair is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
_ROUNDS = 6
# An English word that no Korean word explains better than this belongs to none.
_NONE = 0.5
# Added to how often a Korean word was seen, so that a word seen once is believed by half.
_DOUBT = 1.0
_SUREST, _LEAST_SEEN = 0.15, 1.5


def aligned(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> dict[str, tuple[tuple[str, float], ...]]:
    """The likely English words of each Korean word with their probabilities, the likeliest first."""
    korean: dict[str, int] = {}
    english: dict[str, int] = {}
    cells: list[tuple[int, int, int]] = []
    for text, (first, second) in enumerate(pairs):
        cells += [
            (text, korean.setdefault(k, len(korean)), english.setdefault(e, len(english)))
            for k in first
            for e in second
        ]
    if not cells:
        return {}
    of_text, k, e = np.array(cells, np.int64).T
    pair, which_pair = np.unique(k * len(english) + e, return_inverse=True)
    occurrence, which_occurrence = np.unique(of_text * len(english) + e, return_inverse=True)
    of_korean = pair // len(english)
    likely: Weights = np.ones(len(pair))
    count = likely
    for _ in range(_ROUNDS):
        weight = likely[which_pair]
        explained = _summed(which_occurrence, weight, len(occurrence)) + _NONE / len(english)
        count = _summed(which_pair, weight / explained[which_occurrence], len(pair))
        likely = count / (_summed(of_korean, count, len(korean))[of_korean] + _DOUBT)
    names = list(english)
    found: dict[int, list[tuple[str, float]]] = {}
    for number in np.flatnonzero((likely > _SUREST) & (count >= _LEAST_SEEN)):
        reading = names[int(pair[number] % len(english))], float(likely[number])
        found.setdefault(int(of_korean[number]), []).append(reading)
    return {
        word: tuple(sorted(found[number], key=lambda reading: (-reading[1], reading[0])))
        for word, number in korean.items()
        if number in found
    }


def _summed(places: NDArray[np.int64], weights: Weights, length: int) -> Weights:
    """The sum of the weights of each place; numpy's types know bincount as one that only counts."""
    return np.bincount(places, weights, length).astype(np.float64, copy=False)
