"""Rules that ask the vocabulary: is the target there, standard, in force, and what the file says it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from dure.vocab.lint.finding import Found
from dure.vocab.lint.linted import Concept, Line, LintedMap
from dure.vocab.lint.registry import rule
from dure.vocab.maps.entry import is_placeholder

_BRACKETS = re.compile(r"[\W_]+")
_HEADER = "source_code,target_concept_id"


def _known(linted: LintedMap) -> Iterator[tuple[Line, Concept]]:
    if linted.concepts is not None:
        for line in linted.approved:
            concept = linted.concepts.by_id.get(line.entry.target or 0)
            if concept is not None:
                yield line, concept


@rule(
    "error",
    finds="a target that the vocabulary does not have.",
    because="A run gives its codes concept 0. Where the store itself is incomplete (its relationships name concepts that "
    "it lacks) this is a warning: the concept may exist elsewhere.",
    passing=f"{_HEADER}\nA,1001\n",
    failing=f"{_HEADER}\nA,999999999\n",
    vocabulary=True,
)
def target_unknown(linted: LintedMap) -> Iterator[Found]:
    if linted.concepts is None:
        return
    complete = linted.concepts.complete
    for line in linted.approved:
        target = line.entry.target
        if target and target not in linted.concepts.by_id:
            reason = "" if complete else ", and is known to be incomplete"
            yield Found(
                line.row, f"the vocabulary has no concept {target}{reason}", (), None if complete else "warning"
            )


@rule(
    "error",
    finds="a target that is no longer valid.",
    because="A run follows it to a standard concept where there is one (then this is a warning), else gives concept 0.",
    passing=f"{_HEADER}\nA,1001\n",
    failing=f"{_HEADER}\nA,1102\n",
    vocabulary=True,
)
def target_invalid(linted: LintedMap) -> Iterator[Found]:
    for line, concept in _known(linted):
        if concept.invalid_reason:
            yield _fallen(line, concept, f"is no longer valid ({concept.invalid_reason})")


@rule(
    "error",
    finds="a target that is valid but not standard.",
    because="A run follows it to a standard concept where there is one (then this is a warning), else gives concept 0.",
    passing=f"{_HEADER}\nA,1001\n",
    failing=f"{_HEADER}\nA,1103\n",
    vocabulary=True,
)
def target_not_standard(linted: LintedMap) -> Iterator[Found]:
    for line, concept in _known(linted):
        if concept.standard != "S" and not concept.invalid_reason:
            yield _fallen(line, concept, "is not standard")


def _fallen(line: Line, concept: Concept, state: str) -> Found:
    if concept.successors:
        ends = ", ".join(str(number) for number in concept.successors)
        return Found(line.row, f"target {concept.concept_id} {state} and leads to {ends}", (), "warning")
    return Found(line.row, f"target {concept.concept_id} {state} and leads to no standard concept")


@rule(
    "error",
    finds="a target whose code, name, vocabulary or domain in the file is not what the vocabulary says of its id.",
    because="One of them is wrong, and the run believes the id.",
    passing=f"{_HEADER},target_vocabulary_id\nA,1001,SNOMED\n",
    failing=f"{_HEADER},target_vocabulary_id\nA,1001,LOINC\n",
    vocabulary=True,
)
def target_contradicts_vocabulary(linted: LintedMap) -> Iterator[Found]:
    for line, concept in _known(linted):
        entry = line.entry
        pairs = (
            ("code", "" if entry.target_concept_code == entry.source_code else entry.target_concept_code, concept.code),
            ("vocabulary", entry.target_vocabulary_id, concept.vocabulary_id),
            ("domain", entry.target_domain_id, concept.domain_id),
            ("name", entry.target_concept_name, concept.name),
        )
        wrong = [
            f"{what} '{said}', the vocabulary has '{known}'"
            for what, said, known in pairs
            if not is_placeholder(said) and _form(said) != _form(known)
        ]
        if wrong:
            yield Found(line.row, f"target {concept.concept_id}: {'; '.join(wrong)}")


def _form(text: str) -> str:
    return _BRACKETS.sub("", unicodedata.normalize("NFKC", text)).casefold()
