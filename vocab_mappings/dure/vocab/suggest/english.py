"""English medical words as search terms: spelling folded, word families named, Greek and Latin compounds taken apart.

`gastrectomy` gives the terms gastrectomy, stomach and excision, so that it meets "excision of stomach" half way.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.resources import files

WORD, FAMILY, PART = 1.0, 0.8, 0.7
_FAMILY_MARK = "~"
_WORD = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)?")
_LONGEST_PHRASE = 3
_SHORTEST_ROOT = 3
# `with` and `without` stay: they tell two kinds of imaging apart.
_STOP = frozenset({
    "a", "an", "and", "any", "as", "at", "by", "case", "each", "ea", "etc", "exclude", "excluding", "fee", "for", "from",
    "in", "include", "included", "including", "into", "is", "it", "its", "nos", "of", "on", "one", "only", "or", "other",
    "per", "s", "than", "that", "the", "their", "then", "to", "under", "using",
})  # fmt: skip


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of one of the tables that come with the package."""
    text = files("dure.vocab.suggest").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def folded(text: str) -> str:
    """Compatibility characters folded, lower case, accents removed."""
    plain = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c))).lower()


def singular(word: str) -> str:
    """A word without the plural endings that medical English has."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def words(text: str) -> list[str]:
    """The words of a text in order, singular, without those that carry no meaning."""
    return [singular(word) for word in _WORD.findall(folded(text)) if word not in _STOP]


@cache
def _families() -> Mapping[str, tuple[str, ...]]:
    """The families of a word or phrase; every family's name belongs to it."""
    found: dict[str, dict[str, None]] = {}
    for row in rows_of("english_families.csv"):
        for term in (row["term"], row["family"]):
            found.setdefault(" ".join(words(term)), {})[row["family"]] = None
    return {term: tuple(families) for term, families in found.items()}


@cache
def _forms() -> tuple[tuple[tuple[str, str], ...], Mapping[str, str]]:
    rows = rows_of("combining_forms.csv")
    endings = sorted(
        ((row["form"], row["english"]) for row in rows if row["kind"] == "ending"), key=lambda e: -len(e[0])
    )
    return tuple(endings), {row["form"]: row["english"] for row in rows if row["kind"] == "root"}


@cache
def parts(word: str) -> tuple[str, ...]:
    """What a compound means in plain words: its ending and its roots; nothing for a word that is none."""
    endings, roots = _forms()
    for ending, meaning in endings:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORTEST_ROOT - 1:
            found = _roots(stem, roots)
            if found:
                return tuple(words(" ".join([*found, *meaning.split("|")])))
    return ()


def _roots(stem: str, roots: Mapping[str, str]) -> list[str]:
    """The roots that a stem consists of, joined by a vowel or not; empty unless all of it is explained."""
    if not stem or stem in "oia":
        return [""]
    for length in range(len(stem), _SHORTEST_ROOT - 2, -1):
        if stem[:length] in roots:
            rest = stem[length:].removeprefix("o") if stem[length:] not in roots else stem[length:]
            after = _roots(rest, roots) if rest else [""]
            if after:
                return [roots[stem[:length]], *(part for part in after if part)]
    return []


@lru_cache(maxsize=1 << 14)
def terms(text: str) -> Mapping[str, float]:
    """The search terms of a text with their weights: its words, the parts of compounds, the families of both."""
    found: dict[str, float] = {}
    spoken = words(text)
    _add(found, spoken, WORD)
    for word in spoken:
        compound = parts(word)
        if compound:
            _add(found, compound, PART)
    return found


def _add(found: dict[str, float], spoken: Iterable[str], weight: float) -> None:
    spoken = list(spoken)
    for start in range(len(spoken)):
        found[spoken[start]] = max(weight, found.get(spoken[start], 0.0))
        for length in range(1, _LONGEST_PHRASE + 1):
            if start + length <= len(spoken):
                for family in _families().get(" ".join(spoken[start : start + length]), ()):
                    name = _FAMILY_MARK + family
                    found[name] = max(weight * FAMILY, found.get(name, 0.0))
