"""Fixed maps that name their targets by vocabulary and code: the concept ids behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dure.vocab.code_lookup import coded_concepts
from dure.vocab.resolution import MappingProblem
from dure.vocab.store import VocabularyStore


class FixedTarget(Protocol):
    """What one value of a fixed map becomes; `dure.site.MapTarget` is one."""

    @property
    def concept_id(self) -> int | None: ...
    @property
    def vocabulary_id(self) -> str | None: ...
    @property
    def concept_code(self) -> str | None: ...


class FixedValues(Protocol):
    """A fixed map; `dure.site.FixedMap` is one."""

    @property
    def values(self) -> Mapping[tuple[str, ...], FixedTarget]: ...


@dataclass(frozen=True)
class FixedConcepts:
    """Concept ids by map name and value, for the values whose target is a concept; what could not be found is 0.

    An id that the spec itself gives is taken as it is, known to the vocabulary or not.
    """

    concepts: dict[str, dict[tuple[str, ...], int]]
    problems: tuple[MappingProblem, ...]


def resolve_fixed(maps: Mapping[str, FixedValues], store: VocabularyStore) -> FixedConcepts:
    """The concepts of every fixed map; a code whose concept is not standard gives its one standard target."""
    asked: dict[str, set[str]] = {}
    for fixed in maps.values():
        for target in fixed.values.values():
            if target.concept_id is None and target.vocabulary_id and target.concept_code:
                asked.setdefault(target.vocabulary_id, set()).add(target.concept_code)
    known = {vocabulary: coded_concepts(store, vocabulary, codes) for vocabulary, codes in asked.items()}
    concepts: dict[str, dict[tuple[str, ...], int]] = {name: {} for name in maps}
    problems: list[MappingProblem] = []
    for name, fixed in maps.items():
        for value, target in fixed.values.items():
            if target.concept_id is not None:
                concepts[name][value] = target.concept_id
            elif target.vocabulary_id and target.concept_code:
                found = known[target.vocabulary_id].get(target.concept_code, [])
                standard = found[0].targets if found else ()
                concepts[name][value] = standard[0].concept_id if len(standard) == 1 else 0
                problem = _problem(name, target.vocabulary_id, target.concept_code, bool(found), len(standard))
                problems += [problem] if problem else []
    return FixedConcepts(concepts, tuple(dict.fromkeys(problems)))


def _problem(name: str, vocabulary: str, code: str, known: bool, targets: int) -> MappingProblem | None:
    if targets == 1:
        return None
    if not known:
        rule, detail = "target_unknown", f"the vocabulary has no code {code} of {vocabulary}"
    elif not targets:
        rule, detail = "target_not_standard", f"code {code} of {vocabulary} leads to no standard concept"
    else:
        rule, detail = (
            "several_targets",
            f"code {code} of {vocabulary} has {targets} standard concepts; name one by its id",
        )
    return MappingProblem(vocabulary, code, rule, "error", f"map {name}: {detail}", None, None)
