"""What the targets of maps are in the loaded vocabulary: standard, moved, or not to be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from dure.vocab.store import VocabularyStore


@dataclass(frozen=True, slots=True)
class StandardTarget:
    """One standard concept that a map's target is or leads to."""

    concept_id: int
    domain_id: str


@dataclass(frozen=True, slots=True)
class MapTargetStatus:
    """What became of one target id: its standard concepts (none where it cannot be used), and what to report."""

    standard: tuple[StandardTarget, ...]
    rule: str | None
    detail: str


def map_target_statuses(store: VocabularyStore, ids: Iterable[int]) -> dict[int, MapTargetStatus]:
    """The status of every target id but 0, which is no target and no error."""
    asked = set(ids) - {0}
    if not asked:
        return {}
    concepts = store.concepts(asked, ["domain_id", "standard_concept", "invalid_reason"])
    standard = (concepts["standard_concept"] == "S") & concepts["invalid_reason"].isna()
    domains = _domains(concepts)
    fallen = {int(number) for number in concepts.loc[~standard, "concept_id"]}
    invalid = {int(number) for number in concepts.loc[concepts["invalid_reason"].notna(), "concept_id"]}
    moved: dict[int, list[tuple[int, int, str]]] = {}
    for row in store.successors(fallen).to_pylist():
        moved.setdefault(row["concept_id"], []).append((row["target_concept_id"], row["hops"], row["via"]))
    ends = {target for paths in moved.values() for target, _, _ in paths}
    domains |= _domains(store.concepts(ends, ["domain_id"]))
    found: dict[int, MapTargetStatus] = {}
    for concept_id in asked:
        if concept_id not in domains:
            found[concept_id] = MapTargetStatus((), "target_unknown", f"the vocabulary has no concept {concept_id}")
        elif concept_id not in fallen:
            found[concept_id] = MapTargetStatus((StandardTarget(concept_id, domains[concept_id]),), None, "")
        elif concept_id in moved:
            paths = moved[concept_id]
            steps = "; ".join(f"{target} by {via} ({hops} hop{'s' * (hops > 1)})" for target, hops, via in paths)
            standards = tuple(StandardTarget(target, domains[target]) for target, _, _ in paths)
            detail = f"concept {concept_id} is not standard, followed to {steps}"
            found[concept_id] = MapTargetStatus(standards, "target_moved", detail)
        else:
            rule = "target_invalid" if concept_id in invalid else "target_not_standard"
            state = "is no longer valid" if concept_id in invalid else "is not standard"
            detail = f"concept {concept_id} {state} and leads to no standard concept"
            found[concept_id] = MapTargetStatus((), rule, detail)
    return found


def _domains(concepts: pd.DataFrame) -> dict[int, str]:
    return {
        int(number): str(domain) for number, domain in zip(concepts["concept_id"], concepts["domain_id"], strict=True)
    }
