"""What Korean words mean in English: the terms that come with Dure, and what bilingual descriptions at hand teach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dure.vocab.suggest.alignment import aligned
from dure.vocab.suggest.english import rows_of, words
from dure.vocab.suggest.korean import Tokenizer
from dure.vocab.suggest.meanings import Meaning

# A second reading of a term counts a little less; what was learnt counts by how sure it is.
_OTHER_READING = 0.8
LEARNT = 0.5


@dataclass(frozen=True)
class Lexicon:
    """English readings by Korean word; a word of grammar has none."""

    own: Mapping[str, tuple[Meaning, ...]]
    learnt: Mapping[str, tuple[Meaning, ...]] = field(default_factory=dict)

    def meanings(self, word: str) -> tuple[Meaning, ...]:
        return (*self.own.get(word, ()), *self.learnt.get(word, ()))

    def first(self, word: str) -> str:
        """The reading to show; empty where there is none."""
        readings = self.meanings(word)
        return readings[0].english if readings else ""


def own_terms() -> dict[str, tuple[Meaning, ...]]:
    """The terms of `korean_terms.csv`; a term of grammar has no reading."""
    return {
        row["korean"]: tuple(
            Meaning(english, 1.0 if n == 0 else _OTHER_READING)
            for n, english in enumerate(part for part in row["english"].split("|") if part)
        )
        for row in rows_of("korean_terms.csv")
    }


def learnt_from(pairs: Iterable[tuple[str, str]], tokenizer: Tokenizer) -> dict[str, tuple[Meaning, ...]]:
    """Readings learnt from (Korean, English) texts that say the same, each pair counted once."""
    told = dict.fromkeys(
        (tuple(sorted(set(tokenizer(korean)))), tuple(sorted(set(words(english))))) for korean, english in pairs
    )
    found = aligned((korean, english) for korean, english in told if korean and english)
    return {
        word: tuple(Meaning(english, LEARNT * sure) for english, sure in readings) for word, readings in found.items()
    }
