"""What hospitals approved before: a code described almost the same way goes where they sent it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dure.vocab.maps import read_map
from dure.vocab.suggest.english import folded
from dure.vocab.suggest.libraries import library

# Below this two descriptions are two things; near-duplicates such as grades and repeats are above it.
NEAR = 0.85
_WEIGHT = 2.0
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class ApprovedRow:
    """One approved row of a map with what it says in either language; target 0 where there is none."""

    where: str
    korean: str
    english: str
    target: int
    vocabulary: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Precedent:
    """An approved row whose description is near: how near, and how much that adds to its target."""

    row: ApprovedRow
    similarity: float

    @property
    def bonus(self) -> float:
        return _WEIGHT * self.similarity


def approved_rows(paths: Iterable[Path]) -> list[ApprovedRow]:
    """The approved rows of maps, and their rows without target as texts in two languages.

    Raises ConfigurationError where a file is no map.
    """
    found = []
    for path in paths:
        table = read_map(path)
        for entry in table.entries():
            target = entry.target if entry.approved and entry.kind == "Maps to" else None
            found.append(
                ApprovedRow(
                    f"{table.name}:{entry.row}",
                    entry.korean,
                    entry.english,
                    target or 0,
                    entry.source_vocabulary_id,
                    entry.source_code,
                )
            )
    return found


class Precedents:
    """Finds the approved rows that are described almost as a code is."""

    def __init__(self, rows: Iterable[ApprovedRow]) -> None:
        self._rows = [row for row in rows if row.target]
        vectorizer = library("sklearn.feature_extraction.text").TfidfVectorizer
        self._sides = []
        for side in ("korean", "english"):
            texts = [_compared(getattr(row, side)) for row in self._rows]
            if any(text.strip() for text in texts):
                grams = vectorizer(analyzer="char_wb", ngram_range=(2, 3), sublinear_tf=True, dtype=np.float32)
                self._sides.append((side, grams, grams.fit_transform(texts).T.tocsr()))

    def near(self, korean: str, english: str) -> list[Precedent]:
        """The nearest approved row of each target, the nearest target first."""
        best: dict[int, Precedent] = {}
        for side, grams, texts in self._sides:
            text = korean if side == "korean" else english
            if not text:
                continue
            likeness: Any = (grams.transform([_compared(text)]) @ texts).tocoo()
            for number, similarity in zip(likeness.coords[1], likeness.data, strict=True):
                row = self._rows[int(number)]
                if similarity >= NEAR and (row.target not in best or similarity > best[row.target].similarity):
                    best[row.target] = Precedent(row, float(similarity))
        return sorted(best.values(), key=lambda precedent: (-precedent.similarity, precedent.row.target))


def _compared(text: str) -> str:
    """Grades, sizes and repeats differ in numbers only, and go to one concept as a rule."""
    return _NUMBER.sub("#", folded(text))


def pairs(rows: Sequence[ApprovedRow]) -> list[tuple[str, str]]:
    """The texts that say the same in Korean and in English."""
    return [(row.korean, row.english) for row in rows if row.korean and row.english]
