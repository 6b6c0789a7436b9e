"""The scan of what is about to leave: texts in the shape of a resident number, a phone, an e-mail, or a known name.

It looks at the very values that are written, one table part at a time, and each distinct value once. It says the column
and how many rows, never the value. The same shapes scrub notes before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

# RE2 has no look-around, so what stands before and after is part of the match. Full-width digits are folded before.
_BEFORE, _AFTER = r"(^|[^0-9])", r"([^0-9]|$)"
_DATE = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
SHAPES = {
    "resident number": rf"{_BEFORE}({_DATE}[ ]?[-–—]?[ ]?[0-9][0-9*]{{6}}){_AFTER}",
    "phone number": (
        rf"{_BEFORE}((?:\+?82[-. ]?\(?0?\)?|0)1[016789][-. )]?[0-9]{{3,4}}[-. ]?[0-9]{{4}}"
        rf"|\(?0(?:2|[3-6][1-5]|70|50[0-9])[-. )]+[0-9]{{3,4}}[-. ][0-9]{{4}}){_AFTER}"
    ),
    "e-mail address": r"(^|[^0-9A-Za-z._%+-])([0-9A-Za-z._%+-]+@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*\.[A-Za-z]{2,})($|[^0-9A-Za-z])",
}
NAME = "name or number of a patient"
SCRUBBED = "[지움]"
_WORDS = re.compile(r"[가-힣]{2,}|[^\W가-힣_]+(?:-[^\W가-힣_]+)*")


@dataclass(frozen=True)
class Identifiers:
    """Values of the extract that must not be seen, such as names: folded, of two letters or more."""

    values: frozenset[str] = frozenset()
    lengths: tuple[int, ...] = ()

    @classmethod
    def of(cls, values: Collection[str]) -> Identifiers:
        kept = frozenset(text for value in values if len(text := folded(value)) > 1)
        return cls(kept, tuple(sorted({len(text) for text in kept if _hangul(text)}, reverse=True)))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where they stand in a folded text; a Hangul name also where a particle follows it."""
        if not self.values:
            return []
        if text.strip() in self.values:
            return [(0, len(text))]
        found: list[tuple[int, int]] = []
        for word in _WORDS.finditer(text):
            if word[0] in self.values:
                found.append(word.span())
            elif _hangul(word[0]):
                found += self._inside(word[0], word.start())
        return found

    def _inside(self, word: str, start: int) -> list[tuple[int, int]]:
        found, at = list[tuple[int, int]](), 0
        while at < len(word):
            length = next((n for n in self.lengths if word[at : at + n] in self.values), 0)
            if length:
                found.append((start + at, start + at + length))
            at += length or 1
        return found


@dataclass
class Findings:
    """Rows by (table, column, shape) that must not leave."""

    rows: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def scan(self, table: str, part: pa.Table, identifiers: Identifiers, columns: Collection[str]) -> None:
        """Adds what the texts of one part show."""
        for column in columns:
            counts = pc.value_counts(part[column].drop_null().combine_chunks())
            if len(counts) == 0:
                continue
            values, rows = counts.field("values"), counts.field("counts")
            text = pc.utf8_normalize(values, "NFKC")
            for shape, pattern in SHAPES.items():
                self._add(table, column, shape, pc.match_substring_regex(text, pattern), rows)
            if identifiers.values:
                seen = pa.array([bool(identifiers.spans(value.casefold())) for value in text.to_pylist()], pa.bool_())
                self._add(table, column, NAME, seen, rows)

    def _add(self, table: str, column: str, shape: str, hits: pa.Array, rows: pa.Array) -> None:
        found = pc.sum(rows.filter(hits)).as_py()
        if found:
            self.rows[table, column, shape] += found


def scrubbed(texts: pa.ChunkedArray, identifiers: Identifiers) -> pa.ChunkedArray:
    """The texts with every shape and identifier replaced; folded by NFKC, so that no disguise is left."""
    texts = pc.utf8_normalize(texts, "NFKC")
    for pattern in SHAPES.values():
        for _ in range(2):  # two that share the letter between them
            texts = pc.replace_substring_regex(texts, pattern, rf"\1{SCRUBBED}\3")
    if identifiers.values:
        texts = pa.chunked_array([[_without(text, identifiers) for text in texts.to_pylist()]], pa.string())
    return texts


def folded(text: str) -> str:
    folded_text: str = pc.utf8_normalize(pa.scalar(text), "NFKC").as_py()
    return folded_text.strip().casefold()


def _without(text: str | None, identifiers: Identifiers) -> str | None:
    if text is None:
        return None
    for start, end in sorted(identifiers.spans(text.casefold()), reverse=True):
        text = text[:start] + SCRUBBED + text[end:]
    return text


def _hangul(text: str) -> bool:
    return all("가" <= letter <= "힣" for letter in text)
