"""Whether two ways of writing a unit mean one unit: what it measures, and how much of it.

Only units whose every part is known are compared (`unit_atoms.csv` and the metric prefixes); of others nothing is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from dure.vocab.lint.reference import table

_PREFIXES = {
    "k": 1e3, "M": 1e6, "G": 1e9, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12,
    "f": 1e-15,
}  # fmt: skip
_TEN = re.compile(r"(?:x|X|×)?10(?:\^|\*\*|\*|e|E)?([+-]?[0-9]{1,2})")
_POWER = re.compile(r"(.+?)\^?([23])")
_NOISE = re.compile(r"[\[\]{}()]|\s+")


def unit_text(text: str) -> str:
    return f"'{text}'"


def measure(text: str) -> tuple[Mapping[str, int], float] | None:
    """What a unit measures (exponents by dimension) and its size in base units; None where a part is unknown."""
    plain = _NOISE.sub("", unicodedata.normalize("NFKC", text)).replace("∕", "/")
    plain = plain.replace("mg%", "mg/dL").replace("g%", "g/dL")
    if not plain:
        return None
    dimensions: dict[str, int] = {}
    factor = 1.0
    for number, part in enumerate(plain.split("/")):
        sign = 1 if number == 0 else -1
        for term in re.split(r"[.·]", part):
            if not term:
                if number or len(part) or not plain.startswith("/"):
                    return None
                continue
            found = _term(term)
            if found is None:
                return None
            for dimension, exponent in found[0].items():
                dimensions[dimension] = dimensions.get(dimension, 0) + sign * exponent
            factor *= found[1] ** sign
    return {name: exponent for name, exponent in sorted(dimensions.items()) if exponent}, factor


def _term(term: str) -> tuple[dict[str, int], float] | None:
    if term.isdigit():
        return ({}, float(term)) if len(term) < 7 and not _TEN.fullmatch(term) else _ten(term)
    if _TEN.fullmatch(term):
        return _ten(term)
    if atom := _atom(term):
        return atom
    if (match := _POWER.fullmatch(term)) and (atom := _atom(match[1])) and "length" in atom[0]:
        power = int(match[2])
        if power == 3:  # a cubic centimetre is a millilitre, a cubic metre a thousand litres
            return {"volume": 1}, atom[1] ** 3 * 1000
        return {name: exponent * power for name, exponent in atom[0].items()}, atom[1] ** power
    return None


def _ten(term: str) -> tuple[dict[str, int], float]:
    match = _TEN.fullmatch(term)
    return {}, 10.0 ** int(match[1]) if match else 1.0


def _atom(term: str) -> tuple[dict[str, int], float] | None:
    atoms = _atoms()
    if term.casefold() in atoms and not (len(term) > 1 and term[0] == "M"):
        dimension, factor = atoms[term.casefold()]
        return {dimension: 1}, factor
    prefix, rest = term[:1], term[1:]
    if prefix in _PREFIXES and rest.casefold() in atoms:
        dimension, factor = atoms[rest.casefold()]
        return {dimension: 1}, _PREFIXES[prefix] * factor
    return None


@cache
def _atoms() -> Mapping[str, tuple[str, float]]:
    return {row["atom"]: (row["dimension"], float(row["factor"])) for row in table("unit_atoms")}
