"""What all rules of a run share, from what the run knows once its codes are resolved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from dure.run.state import RunState
from dure.site.loaded import Site
from dure.stages import rules, structure
from dure.stages.resolve import ResolvedCodes
from dure.tables.cells import Reading
from dure.tables.rule import Rule, Shared
from dure.vocab import VocabularyStore


def shared_of(run: RunState, resolved: ResolvedCodes) -> Shared:
    return shared_by(run.site, run.rules, run.reading, run.store, run.as_of, run.lake.salts(), resolved)


def shared_by(
    site: Site,
    rules_of_site: list[Rule],
    reading: Reading,
    store: VocabularyStore,
    as_of: date,
    salts: Mapping[str, Mapping[str, int]],
    resolved: ResolvedCodes,
) -> Shared:
    """The same from its parts, where there is no run."""
    return Shared(
        site=site.spec.site.id,
        reading=reading,
        resolved=resolved.engine_map,
        as_of=as_of,
        default_type=site.defaults.type_concept_id,
        open_stay=site.visit_policy.open_stay,
        merge_visits=tuple(site.visit_policy.merge),
        domains=resolved.domains,
        titer_unit=reading.concepts[rules.TITER.name].get(("{titer}",), 0),
        linked=structure.linked_of(rules_of_site, store),
        salts=salts,
    )
