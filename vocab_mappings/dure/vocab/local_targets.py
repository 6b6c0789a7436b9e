"""Local concepts as targets of maps: standard where the consortium's common map adopts them, else of use to nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dure.site.local_concepts import LocalConcept
from dure.vocab.map_files import MapFile
from dure.vocab.map_targets import MapTargetStatus, StandardTarget


class HasConsortiumMaps(Protocol):
    @property
    def consortium_maps(self) -> Sequence[Path]: ...


def adopted_concepts(
    local_concepts: Sequence[LocalConcept],
    vocabularies: Iterable[HasConsortiumMaps],
    read: Callable[[Path], MapFile],
) -> frozenset[int]:
    """The local concepts that a row of a consortium's map, of whatever vocabulary, has as its target."""
    if not local_concepts:
        return frozenset()
    paths = dict.fromkeys(path for vocabulary in vocabularies for path in vocabulary.consortium_maps)
    targets = {row.target for path in paths for row in read(path).rows}
    return frozenset(concept.concept_id for concept in local_concepts if concept.concept_id in targets)


def local_statuses(local_concepts: Sequence[LocalConcept], adopted: frozenset[int]) -> Mapping[int, MapTargetStatus]:
    """What a map gets that has a local concept as its target, by concept id."""
    return {
        concept.concept_id: MapTargetStatus((StandardTarget(concept.concept_id, concept.domain_id),), None, "")
        if concept.concept_id in adopted
        else MapTargetStatus(
            (),
            "target_not_standard",
            f"local concept {concept.concept_id} is not standard: no map of the consortium adopts it",
        )
        for concept in local_concepts
    }
