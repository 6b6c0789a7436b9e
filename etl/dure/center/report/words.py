"""The words of the page in every language, each said in all of them at once: the page shows one and can switch."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from dure.quality.evidence.report.words import LANGUAGES, Language

if TYPE_CHECKING:
    from markupsafe import Markup


def said(key: str, language: Language, **slots: object) -> str:
    """The words of a key in one language; KeyError where the table lacks it."""
    return _words()[key][language].format(**slots)


def both(key: str, **slots: object) -> Markup:
    """The words of a key in every language as markup, of which the style sheet shows that of the page."""
    from markupsafe import Markup, escape

    return Markup("").join(
        Markup('<span lang="{0}" class="{0}">{1}</span>').format(
            language, Markup(escape(_words()[key][language])).format(**{name: _slot(v) for name, v in slots.items()})
        )
        for language in LANGUAGES
    )


def label(key: str, language: Language, **slots: object) -> Markup:
    """Attributes by which an element is named in the page's language, and by the script in the other."""
    from markupsafe import Markup

    named = {each: said(key, each, **slots) for each in LANGUAGES}
    others = Markup(" ").join(Markup('data-{}="{}"').format(each, text) for each, text in named.items())
    return Markup('aria-label="{}" {}').format(named[language], others)


def of_script(keys: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
    """Some words by language and key, their slots as they are."""
    return {language: {key: _words()[key][language] for key in keys} for language in LANGUAGES}


def _slot(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    text = (files("dure.center.report") / "words.csv").read_text(encoding="utf-8")
    return {row["key"]: row for row in csv.DictReader(text.splitlines())}
