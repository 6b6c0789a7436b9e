"""What an unmapped code asks for: the search terms of its Korean and English descriptions, and where each came from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dure.vocab.suggest.english import terms, words
from dure.vocab.suggest.korean import Tokenizer, has_hangul
from dure.vocab.suggest.lexicon import Lexicon

# What is translated counts less than what the hospital itself wrote in English.
_TRANSLATED = 0.8
_HANGUL_RUN = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]+")


@dataclass(frozen=True)
class LocalCode:
    """One code without a concept; `specimen` and `unit` may name several, `table` is the CDM table it would go to."""

    vocabulary: str
    code: str
    korean: str = ""
    english: str = ""
    code_type: str = ""
    specimen: str = ""
    unit: str = ""
    table: str = ""
    records: int | None = None


@dataclass(frozen=True)
class Question:
    """The weighted search terms of one code, its text in English, and the Korean word behind each translated term."""

    code: LocalCode
    terms: Mapping[str, float]
    text: str
    translated: Mapping[str, str] = field(default_factory=dict)


class Interpreter:
    """Makes questions of codes."""

    def __init__(self, lexicon: Lexicon, tokenizer: Tokenizer) -> None:
        self._lexicon = lexicon
        self._tokenizer = tokenizer

    def question(self, code: LocalCode) -> Question:
        korean = self._tokenizer(code.korean) if has_hangul(code.korean) else ()
        found: dict[str, float] = {}
        behind: dict[str, str] = {}
        for word in korean:
            for meaning in self._lexicon.meanings(word):
                for term, weight in terms(meaning.english).items():
                    weight *= meaning.weight
                    if weight > found.get(term, 0.0):
                        found[term], behind[term] = weight, word
        # Latin words stand in Korean descriptions too.
        foreign = _HANGUL_RUN.sub(" ", code.korean)
        for term, weight in terms(foreign).items():
            found[term] = max(weight, found.get(term, 0.0))
        text = " ".join(filter(None, [*map(self._lexicon.first, korean), " ".join(words(foreign))]))
        if code.english:
            found = {term: weight * _TRANSLATED for term, weight in found.items()}
            for term, weight in terms(code.english).items():
                if weight >= found.get(term, 0.0):
                    found[term] = weight
                    behind.pop(term, None)
            text = code.english
        return Question(code, found, text, behind)


class TermWeights:
    """How telling each term is among the descriptions at hand, 0 to 1: what stands in most of them tells little."""

    def __init__(self, asked: Iterable[Mapping[str, float]]) -> None:
        self._texts = 0
        self._with: dict[str, int] = {}
        for terms_of_text in asked:
            self._texts += 1
            for term in terms_of_text:
                self._with[term] = self._with.get(term, 0) + 1

    def __call__(self, term: str) -> float:
        texts = self._texts + 1
        if texts == 1:
            return 1.0
        return max(0.0, math.log(texts / (self._with.get(term, 0) + 0.5)) / math.log(texts * 2))

    def weighted(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        return [{term: weight * self(term) for term, weight in asked.terms.items()} for asked in questions]
