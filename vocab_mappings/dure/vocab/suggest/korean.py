"""Korean medical text as words: compounds are written without spaces, so the words have to be found inside.

하악골절관혈적정복술 is one word to a computer. Kiwi takes it apart; the terms of the lexicon are words that it is told of.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from dure.vocab.suggest.libraries import library
from dure.vocab.suggest.meanings import Meaning

_HANGUL = re.compile(r"[가-힣]")
# Particles, endings and affixes of grammar: no word of medicine is among them.
_GRAMMAR = ("J", "E", "VC", "XS", "XP", "S", "W")
# High enough to find the lexicon's terms inside compounds, low enough to leave other words whole.
_PREFERENCE = 3.0


def has_hangul(text: str) -> bool:
    return _HANGUL.search(unicodedata.normalize("NFC", text)) is not None


class Tokenizer:
    """Splits Korean text into words; those of `terms` (with what they mean) are found inside compounds."""

    def __init__(self, terms: Mapping[str, tuple[Meaning, ...]]) -> None:
        self.terms = terms
        self._kiwi = library("kiwipiepy").Kiwi(num_workers=1)
        for term in sorted(terms):
            self._kiwi.add_user_word(term, "NNP", _PREFERENCE)
        self._read: dict[str, tuple[str, ...]] = {}

    def __call__(self, text: str) -> tuple[str, ...]:
        """The Korean words of a text in order; grammar, numbers and other scripts are left out."""
        if text not in self._read:
            self._read[text] = tuple(self._words(unicodedata.normalize("NFC", text)))
        return self._read[text]

    def _words(self, text: str) -> Iterable[str]:
        for token in self._kiwi.tokenize(text):
            if _HANGUL.search(token.form) and (token.form in self.terms or not token.tag.startswith(_GRAMMAR)):
                yield token.form
