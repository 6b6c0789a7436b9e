"""What a vocabulary itself says of source codes: the rows of the store's `code_targets`, by code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from dure.vocab.intervals import FIRST_DAY, LAST_DAY, first_day, last_day
from dure.vocab.store import VocabularyStore
from dure.vocab.targets import ITSELF


@dataclass(frozen=True, slots=True)
class VocabularyTarget:
    """One standard target of a concept; `hops` counts the steps past a target that is no longer standard."""

    concept_id: int
    domain_id: str
    value_concept_id: int | None
    hops: int
    via: str


@dataclass(frozen=True, slots=True)
class CodedConcept:
    """One concept that has the code, from `start` to `end` (its own validity), and its targets by rank."""

    concept_id: int
    valid: bool
    start: int
    end: int
    targets: tuple[VocabularyTarget, ...]
    value_count: int

    @property
    def preference(self) -> tuple[bool, bool, int, int]:
        """Orders concepts of one code: still valid, with a target, begun last, smallest id."""
        return self.valid, bool(self.targets), self.start, -self.concept_id


def coded_concepts(store: VocabularyStore, vocabulary_id: str, codes: Iterable[str]) -> dict[str, list[CodedConcept]]:
    """The concepts of each code that the vocabulary has, the preferred one first."""
    table = store.code_targets(vocabulary_id, codes)
    columns = [table[name].to_pylist() for name in _COLUMNS]
    found: dict[str, list[CodedConcept]] = {}
    concept: CodedConcept | None = None
    for code, concept_id, invalid, start, end, target, domain, value, value_count, hops, via in zip(
        *columns, strict=True
    ):
        one = (VocabularyTarget(target, domain, value, hops, via),) if target else ()
        if concept is not None and concept.concept_id == concept_id:
            concept = CodedConcept(
                concept_id, concept.valid, concept.start, concept.end, concept.targets + one, value_count
            )
            found[code][-1] = concept
        else:
            concept = CodedConcept(concept_id, invalid is None, *_validity(start, end), one, value_count)
            found.setdefault(code, []).append(concept)
    for concepts in found.values():
        concepts.sort(key=lambda each: each.preference, reverse=True)
    return found


_COLUMNS = (
    "concept_code",
    "source_concept_id",
    "source_invalid_reason",
    "source_valid_start_date",
    "source_valid_end_date",
    "target_concept_id",
    "target_domain_id",
    "value_concept_id",
    "value_count",
    "hops",
    "via",
)


def _validity(start: date | None, end: date | None) -> tuple[int, int]:
    from_day, to_day = first_day(start), last_day(end)
    return (from_day, to_day) if from_day <= to_day else (FIRST_DAY, LAST_DAY)


def via_text(target: VocabularyTarget) -> str:
    """The provenance of a vocabulary's own target: the relationship, or that the code is a standard concept."""
    return "standard concept" if target.via == ITSELF else target.via
