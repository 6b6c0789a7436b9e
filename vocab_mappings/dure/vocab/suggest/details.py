"""What a code and a candidate say of domain, specimen and measured property, and whether they contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from dure.vocab.suggest.english import folded, rows_of
from dure.vocab.suggest.question import LocalCode

_TABLE_DOMAINS = {
    "condition_occurrence": "Condition",
    "drug_exposure": "Drug",
    "procedure_occurrence": "Procedure",
    "device_exposure": "Device",
    "measurement": "Measurement",
    "observation": "Observation",
    "specimen": "Specimen",
}
_VOCABULARY_DOMAINS = {
    "KCD7": frozenset({"Condition", "Observation"}),
    "ICD10": frozenset({"Condition", "Observation"}),
    "ICD10CM": frozenset({"Condition", "Observation"}),
    "NDC": frozenset({"Drug"}),
    "LOINC": frozenset({"Measurement", "Observation"}),
}
_EDI = frozenset({"Procedure", "Measurement", "Device", "Observation"})
# HIRA's code types: insured drug, and material.
_CODE_TYPES = {"3": frozenset({"Drug"}), "8": frozenset({"Device"})}
_DRUG_CODE = re.compile(r"[0-9]{9}|[0-9]{6}[A-Z]{3}")
_MATERIAL_CODE = re.compile(r"[A-Z][0-9]{7}")
_LABORATORY_CODE = re.compile(r"[CD][0-9]{4}([0-9]{3})?")
_BRACKETS = re.compile(r"\[([^\]]+)\]")
_IN = re.compile(r"\bin (.+)$")
_QUALITATIVE = re.compile(r"정성|\bqualitative\b")


def domains_of(code: LocalCode) -> frozenset[str]:
    """The domains that a code's table, code type, vocabulary or shape speak for; empty where nothing does."""
    if code.table in _TABLE_DOMAINS:
        return frozenset({_TABLE_DOMAINS[code.table]})
    if code.code_type in _CODE_TYPES:
        return _CODE_TYPES[code.code_type]
    if code.vocabulary in _VOCABULARY_DOMAINS:
        return _VOCABULARY_DOMAINS[code.vocabulary]
    if "EDI" in code.vocabulary.upper().split():
        if _DRUG_CODE.fullmatch(code.code):
            return frozenset({"Drug"})
        if _LABORATORY_CODE.fullmatch(code.code):
            return frozenset({"Measurement", "Procedure"})
        return frozenset({"Device"}) if _MATERIAL_CODE.fullmatch(code.code) else _EDI
    return frozenset()


def domains_of_all(codes: Iterable[LocalCode]) -> frozenset[str]:
    """The domains that any of the codes may be of; empty, so all, where one of them says nothing."""
    found = [domains_of(code) for code in codes]
    return frozenset().union(*found) if all(found) else frozenset()


@cache
def _specimen_terms() -> tuple[tuple[str, str], ...]:
    rows = [(row["term"], row["specimen"]) for row in rows_of("specimens.csv")]
    return tuple(sorted(rows, key=lambda row: -len(row[0])))


@cache
def specimens_in(text: str) -> frozenset[str]:
    """The specimens that a text names; a longer name hides a shorter one inside it."""
    rest, found = folded(text), set()
    for term, specimen in _specimen_terms():
        pattern = rf"(?<![a-z가-힣]){re.escape(term)}(?![a-z])"
        if re.search(pattern, rest):
            found.add(specimen)
            rest = re.sub(pattern, " ", rest)
    return frozenset(found)


def specimens_of(code: LocalCode) -> frozenset[str]:
    return specimens_in(code.specimen) or specimens_in(f"{code.korean} ; {code.english}")


def candidate_specimens(name: str) -> frozenset[str]:
    """The specimens of a measurement's name: what stands after its last "in"."""
    match = _IN.search(folded(name))
    return specimens_in(match[1]) if match else frozenset()


@cache
def _properties() -> dict[str, str]:
    return {row["unit"]: row["property"] for row in rows_of("properties.csv")}


def properties_of(code: LocalCode) -> frozenset[str]:
    """The properties that a code's units measure, as LOINC names them; a qualitative test asks for presence."""
    units = (re.sub(r"\s", "", folded(unit)) for unit in code.unit.split(";"))
    found = {_properties()[unit] for unit in units if unit in _properties()}
    if not found and _QUALITATIVE.search(folded(f"{code.korean} {code.english}")):
        found = {"presence"}
    return frozenset(found)


def candidate_properties(name: str) -> frozenset[str]:
    """The property that a LOINC name gives in brackets."""
    return frozenset(match.strip() for match in _BRACKETS.findall(folded(name)))
