"""The words of the report in one language, from the tables under suites/report: no sentence stands in code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal, get_args

from dure.quality.catalogue import rows

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_SLOT = re.compile(r"\{(\w+)\}")


class Words:
    """Words and sentences of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._words = _table("words", "key", language)
        self._types = _table("check_names", "check", language)
        self._sentences = [(_fits(en), said) for en, said in _table("sentences", "en", language).items()]

    def __call__(self, key: str, **values: object) -> str:
        """The words of a key, with their slots filled; KeyError where a table lacks it."""
        return self._words[key].format(**values)

    def template(self, key: str) -> str:
        """The words of a key with their slots as they are, for the page's script to fill."""
        return self._words[key]

    def of(self, kind: str, name: str) -> str:
        """The words for one of a kind (status, severity, category), else its name."""
        return self._words.get(f"{kind}.{name}", name)

    def check_type(self, name: str) -> str:
        """The short name of a check type; a hospital's own types keep the name that they were given."""
        return self._types.get(name, name)

    def sentence(self, said: str) -> str:
        """A sentence that the gate or a result said in English, in this language; as it was said where none fits."""
        for fits, template in self._sentences:
            if found := fits.fullmatch(said):
                values = {name: self.sentence(value) for name, value in found.groupdict().items()}
                return "".join(values[part] if i % 2 else part for i, part in enumerate(_SLOT.split(template)))
        return said


def _fits(template: str) -> re.Pattern[str]:
    parts = _SLOT.split(template)
    return re.compile("".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)))


@cache
def _table(name: str, key: str, language: Language) -> Mapping[str, str]:
    return {row[key]: row[language] for row in rows(f"report/{name}.csv")}
