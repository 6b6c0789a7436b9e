"""Rules that hold a description against its target: specimen, kind of result, unit. They warn; a person decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from dure.vocab.lint.finding import Found
from dure.vocab.lint.linted import Line, LintedMap
from dure.vocab.lint.reference import table
from dure.vocab.lint.registry import rule
from dure.vocab.lint.units import measure, unit_text
from dure.vocab.maps.entry import MAPS_TO_UNIT, MapEntry

_QUALITATIVE_NAME = re.compile(r"\[(?:Presence|Identifier|Type|Titer range)\b", re.IGNORECASE)
_QUANTITATIVE_NAME = re.compile(
    r"\[(?:Mass|Moles|#|Units|Enzymatic activity|Catalytic|Arbitrary|Volume|Pressure|Time|Mass or Moles|Substance|"
    r"Entitic|Ratio|Percentile|Titer|Osmolality|Log #|Log units|Molar)\b[^\]]*\]",
    re.IGNORECASE,
)
_QUALITATIVE_KOREAN = re.compile(r"(?<!반)정성")
_QUANTITATIVE_KOREAN = re.compile(r"(?<!반)정량")
_SEMI = re.compile(r"반정량")
_HEADER = "source_vocabulary_id,source_code,source_code_description,target_concept_id"


@dataclass(frozen=True, slots=True)
class _Specimen:
    name: str
    within: str
    english: re.Pattern[str]
    korean: re.Pattern[str]


@cache
def _specimens() -> tuple[_Specimen, ...]:
    return tuple(
        _Specimen(
            row["specimen"],
            row["within"],
            re.compile(rf"\b(?:{row['english']})\b", re.IGNORECASE),
            re.compile(row["korean"]),
        )
        for row in table("specimens")
    )


def _named(text: str, korean: bool) -> frozenset[str]:
    """The specimens that a text names, each with the wider one that it is within."""
    if not text:
        return frozenset()
    found = set()
    for specimen in _specimens():
        if (specimen.korean if korean else specimen.english).search(text):
            found |= {specimen.name, specimen.within} - {""}
    return frozenset(found)


@rule(
    "warning",
    finds="a source and a target that name different specimens: a Korean description of a urine test, a target in "
    "serum. The target's name is read from its own column, from the vocabulary, or from the English half of a bilingual "
    "description.",
    because="An insurance code alone does not choose the specimen, but its text often excludes one.",
    passing=f"{_HEADER}\nEDI,D2253,Calcium [Mass/volume] in Urine; 요 일반검사[장비측정],3012501\n",
    failing=f"{_HEADER}\nEDI,D2253,Calcium [Mass/volume] in Serum or Plasma; 요 일반검사[장비측정],3006906\n",
)
def specimen_contradiction(linted: LintedMap) -> Iterator[Found]:
    for line, korean, name in _texts(linted):
        target = _named(name, korean=False)
        source = _named(korean, korean=True)
        own = line.entry.specimen
        if own:
            source = _named(own, korean=True) | _named(own, korean=False) or source
        if source and target and not source & target:
            message = f"the source names {_listed(source)}, the target {_listed(target)}"
            yield Found(line.row, message)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


@rule(
    "warning",
    finds="a qualitative source (`정성`) whose target measures an amount (`[Mass/volume]`), or a quantitative one "
    "(`정량`) whose target says present or absent (`[Presence]`). Semi-quantitative sources (`반정량`) and texts that say "
    "both are left out.",
    because="A number would stand under a concept that has none, or `양성` under one that wants a number.",
    passing=f"{_HEADER}\nEDI,D5331,Gentamicin [Presence] in Serum or Plasma; 약물 및 독물(정성)_Gentamicin,3035510\n",
    failing=f"{_HEADER}\nEDI,D5331,Gentamicin [Mass/volume] in Serum or Plasma; 약물 및 독물(정성)_Gentamicin,3035510\n",
)
def scale_contradiction(linted: LintedMap) -> Iterator[Found]:
    for line, korean, name in _texts(linted):
        if _SEMI.search(korean):
            continue
        qualitative, quantitative = bool(_QUALITATIVE_KOREAN.search(korean)), bool(_QUANTITATIVE_KOREAN.search(korean))
        if qualitative == quantitative:
            continue
        if qualitative and _QUANTITATIVE_NAME.search(name):
            yield Found(line.row, "the source is qualitative (정성), the target a quantity")
        elif quantitative and _QUALITATIVE_NAME.search(name):
            yield Found(line.row, "the source is quantitative (정량), the target says present or absent")


def _texts(linted: LintedMap) -> Iterator[tuple[Line, str, str]]:
    """(line, what the source says, what the target is called) of the approved lines with a target."""
    for line in linted.approved:
        if line.entry.target:
            yield line, line.entry.korean, _target_name(linted, line.entry)


def _target_name(linted: LintedMap, entry: MapEntry) -> str:
    concept = linted.concepts.by_id.get(entry.target or 0) if linted.concepts else None
    return (concept.name if concept else "") or entry.target_concept_name or (entry.english if entry.korean else "")


@rule(
    "error",
    finds="one unit concept for units that are not the same: `ng/mL` and `ng/dL`. Spellings of one unit (`㎎/㎗`, `mg/dl`, "
    "`mg%`) are.",
    because="Every value of one of the two is wrong by a factor, and nothing in the CDM shows it.",
    passing="source_vocabulary_id,source_code,target_concept_id\nUCUM,mg/dL,8840\nUCUM,㎎/㎗,8840\n",
    failing="source_vocabulary_id,source_code,target_concept_id\nUCUM,ng/mL,8842\nUCUM,ng/dL,8842\n",
)
def unit_of_several(linted: LintedMap) -> Iterator[Found]:
    first: dict[int, tuple[Mapping[str, int], float, str, int]] = {}
    for each in linted.speaking:
        entry = each.line.entry
        if not each.target or not (
            entry.kind == MAPS_TO_UNIT
            or entry.source_vocabulary_id == "UCUM"
            or entry.target_vocabulary_id == "UCUM"
            or entry.target_domain_id == "Unit"
        ):
            continue
        written = entry.unit if entry.kind == MAPS_TO_UNIT and entry.unit else entry.source_code
        read = measure(written)
        if read is None:
            continue
        before = first.setdefault(each.target, (*read, written, each.line.row))
        if before[0] != read[0] or abs(before[1] / read[1] - 1) > 1e-6:
            message = (
                f"{unit_text(written)} goes to the unit {each.target} of {unit_text(before[2])} in row {before[3]}"
            )
            yield Found(each.line.row, message)
