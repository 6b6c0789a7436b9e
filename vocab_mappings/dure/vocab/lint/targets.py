"""Rules on what a file says of its targets: does it agree with itself, and with what OMOP allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dure.vocab.lint.finding import Found
from dure.vocab.lint.linted import Concept, Line, LintedMap
from dure.vocab.lint.reference import domain_ids, expected_domains, vocabulary_written
from dure.vocab.lint.registry import rule
from dure.vocab.maps.entry import MAPS_TO, MAPS_TO_UNIT, concept_id, is_placeholder

_DETAILS = (
    "target_concept_name", "target_concept_code", "target_vocabulary_id", "target_domain_id", "target_concept_class_id",
)  # fmt: skip
_STANDARD = ("", "S", "C", "N", "STANDARD", "CLASSIFICATION", "NON-STANDARD")
_HEADER = "source_code,target_concept_id"


@rule(
    "error",
    finds="a target whose name, code, vocabulary or domain differs from what the file's other rows say of the same "
    "id, or whose name and vocabulary other rows give another id.",
    because="A name was copied without its id, or columns of different rows were put together: one of the two is wrong.",
    passing=f"{_HEADER},target_concept_name\nA,4044940,Radiotherapy planning\nB,4044940,Radiotherapy planning\n",
    failing=f"{_HEADER},target_concept_name\nA,4044940,Radiotherapy planning\nB,4044940,Radiotherapy planning\n"
    "C,4044940,Brachytherapy\n",
)
def target_contradicts_itself(linted: LintedMap) -> Iterator[Found]:
    said: dict[str, dict[int, Counter[str]]] = {name: {} for name in _DETAILS}
    owners: dict[tuple[str, str], Counter[int]] = {}
    rows = list(_described(linted))
    for _, number, details in rows:
        for name, text in details.items():
            said[name].setdefault(number, Counter())[text] += 1
        if "target_concept_name" in details:
            owner = details["target_concept_name"].casefold(), details.get("target_vocabulary_id", "")
            owners.setdefault(owner, Counter())[number] += 1
    for line, number, details in rows:
        differing = []
        known = linted.concepts.by_id.get(number) if linted.concepts else None
        right = _as_known(known) if known else {}
        for name, text in details.items():
            if right.get(name) == text:
                continue
            counts = said[name][number]
            # The word of the majority; of two that are as frequent neither is known to be right, so both are told.
            others = [(count, other) for other, count in counts.items() if other.casefold() != text.casefold()]
            if others and max(others)[0] >= counts[text]:
                differing.append(
                    f"{name.removeprefix('target_').replace('_', ' ')} '{text}', elsewhere '{max(others)[1]}'"
                )
        owner = details.get("target_concept_name", "").casefold(), details.get("target_vocabulary_id", "")
        ids = owners.get(owner, Counter())
        usual = max(ids, key=lambda each: (ids[each], -each), default=number)
        named_right = known is not None and right["target_concept_name"] == details.get("target_concept_name")
        if usual != number and ids[usual] >= ids[number] and not differing and not named_right:
            differing.append(f"name '{details['target_concept_name']}', which is {usual} elsewhere")
        if differing:
            yield Found(line.row, f"target {number} has the {'; the '.join(differing)}")


def _as_known(concept: Concept) -> dict[str, str]:
    """What the vocabulary says of a concept, by the columns of a map."""
    return {
        "target_concept_name": concept.name,
        "target_concept_code": concept.code,
        "target_vocabulary_id": concept.vocabulary_id,
        "target_domain_id": concept.domain_id,
    }


def _described(linted: LintedMap) -> Iterator[tuple[Line, int, dict[str, str]]]:
    """(line, target id, what the file says of it) for every group of target columns; codes that are the source's own
    are left out, since another rule tells them."""
    for line in linted.lines:
        cells = line.record.cells
        for group in linted.target_groups:
            at = group.get("target_concept_id")
            number = None if at is None else concept_id(cells[at].strip())
            if not number:
                continue
            details = {
                name: text
                for name in _DETAILS
                if (column := group.get(name)) is not None and not is_placeholder(text := cells[column].strip())
            }
            code = details.get("target_concept_code")
            if code is not None and (code == line.entry.source_code or "+" in code):
                del details["target_concept_code"]
            yield line, number, details


@rule(
    "error",
    finds="a target code that is the row's source code, though source and target are of different vocabularies.",
    because="The column was filled from the wrong side, so it does not say what the target is.",
    passing="source_vocabulary_id,source_code,target_concept_id,target_vocabulary_id,target_concept_code\n"
    "EDI,A1100,4154551,SNOMED,370885003\n",
    failing="source_vocabulary_id,source_code,target_concept_id,target_vocabulary_id,target_concept_code\n"
    "EDI,A1100,4154551,SNOMED,A1100\n",
)
def target_code_is_source_code(linted: LintedMap) -> Iterator[Found]:
    for line in linted.lines:
        entry = line.entry
        same = entry.target_concept_code and entry.target_concept_code == entry.source_code
        own = vocabulary_written(entry.source_vocabulary_id) or entry.source_vocabulary_id
        if same and (not own or own != entry.target_vocabulary_id):
            rest = "" if entry.target_concept_id else ", and there is no target"
            yield Found(line.row, f"the target code {entry.target_concept_code} is the source code{rest}")


@rule(
    "error",
    finds="a target domain that is no domain of OMOP.",
    because="Often the columns of the row are shifted: the vocabulary stands where the domain should.",
    passing=f"{_HEADER},target_domain_id\nA,4044940,Procedure\n",
    failing=f"{_HEADER},target_domain_id\nA,4044940,SNOMED\n",
)
def domain_unknown(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells("target_domain_id", "source_domain_id"):
        text = cell.strip()
        if not is_placeholder(text) and text not in domain_ids():
            shifted = "; it is a vocabulary, so the row's columns may be shifted" if vocabulary_written(text) else ""
            yield Found(line.row, f"{linted.header(column)} is '{text}'{shifted}")


@rule(
    "error",
    finds="a standard-concept flag other than S, C or nothing.",
    because="Often the columns of the row are shifted.",
    passing=f"{_HEADER},target_standard_concept\nA,4301464,S\n",
    failing=f"{_HEADER},target_standard_concept\nA,4301464,Procedure\n",
)
def standard_flag_unknown(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells("target_standard_concept"):
        text = cell.strip()
        if text.upper() not in _STANDARD and not is_placeholder(text):
            shifted = "; it is a domain, so the row's columns may be shifted" if text in domain_ids() else ""
            yield Found(line.row, f"{linted.header(column)} is '{text}'{shifted}")


@rule(
    "warning",
    finds="a target of a domain that codes of this vocabulary do not have, or no event has: a unit, a type concept.",
    because="The domain decides the table. A diagnosis mapped to a unit ends in `observation`.",
    passing=f"source_vocabulary_id,{_HEADER},target_domain_id\nKCD7,E11.9,201826,Condition\n",
    failing=f"source_vocabulary_id,{_HEADER},target_domain_id\nKCD7,E11.9,8840,Unit\n",
)
def target_domain_unexpected(linted: LintedMap) -> Iterator[Found]:
    for line in linted.approved:
        entry = line.entry
        known = linted.concepts.by_id.get(entry.target or 0) if linted.concepts else None
        domain = known.domain_id if known else entry.target_domain_id
        if not entry.target or domain not in domain_ids():
            continue
        own = vocabulary_written(entry.source_vocabulary_id) or entry.source_vocabulary_id
        if entry.kind == MAPS_TO_UNIT or own == "UCUM":
            allowed = frozenset({"Unit"})
        elif entry.kind != MAPS_TO:
            continue
        elif entry.source_domain_id in domain_ids():
            allowed = frozenset({entry.source_domain_id})
        elif own in expected_domains():
            allowed = expected_domains()[own]
        elif own in ("", *linted.own):
            continue
        else:
            allowed = frozenset(name for name, events in domain_ids().items() if events)
        if domain not in allowed and not set(domain.split("/")) & allowed:
            expected = "a domain of events" if len(allowed) > 8 else " or ".join(sorted(allowed))
            yield Found(line.row, f"target {entry.target} is of domain {domain}; expected {expected}")
