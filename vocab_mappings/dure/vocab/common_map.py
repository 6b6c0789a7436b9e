"""What the consortium's common map alone says of codes: who overrides it, and how far it is adopted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dure.site.local_concepts import LocalConcept
from dure.vocab.coverage import ResolvedCode, resolved_codes
from dure.vocab.resolution import REQUEST
from dure.vocab.resolve import CodeMapping, resolve
from dure.vocab.store import VocabularyStore

CONSORTIUM, SITE = "consortium", "site"


@dataclass(frozen=True)
class WithoutSiteMaps:
    """A vocabulary of a spec as it would be if the site had no maps of its own."""

    mapping: CodeMapping
    site_maps: tuple[Path, ...] = ()

    @property
    def consortium_maps(self) -> Sequence[Path]:
        return self.mapping.consortium_maps

    @property
    def same_as(self) -> str | None:
        return self.mapping.same_as

    @property
    def normalise(self) -> str | None:
        return self.mapping.normalise

    @property
    def fallback(self) -> str | None:
        return self.mapping.fallback

    @property
    def many_targets(self) -> bool:
        return self.mapping.many_targets

    @property
    def reuses_codes(self) -> bool:
        return self.mapping.reuses_codes


def common_targets(
    codes: Iterable[ResolvedCode],
    vocabularies: Mapping[str, CodeMapping],
    store: VocabularyStore,
    local_concepts: Sequence[LocalConcept] = (),
) -> dict[tuple[str | None, ...], str]:
    """What the common map says, by request, of the codes that it or a site's map before it decides.

    Ids ascending, joined by a space; empty where the common map says that a code has no concept, or is in error. Codes
    of which the common map says nothing are not in it.
    """
    known = list(codes)
    found = {code.request: code.targets for code in known if code.authority == CONSORTIUM}
    asked = {
        code.request: None
        for code in known
        if code.authority == SITE and (mapping := vocabularies.get(str(code.request[0]))) and mapping.consortium_maps
    }
    if asked:
        requests = pd.DataFrame(list(asked), columns=list(REQUEST), dtype=object)
        alone = {name: WithoutSiteMaps(mapping) for name, mapping in vocabularies.items()}
        for code in resolved_codes(resolve(requests, alone, store, local_concepts)):
            if code.authority == CONSORTIUM:
                found[code.request] = code.targets
    return found
