"""What commands read of a lake: the sites asked for, and the evidence of their newest snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dure.errors import ConfigurationError, DureError, Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from dure.snapshot.lake import SiteLake
    from dure.vocab.store import VocabularyStore


def sites_of(lake: Path, names: Sequence[str]) -> list[SiteLake]:
    """The sites of a lake by name, each once; without names all that have a snapshot. Every wrong name is reported."""
    from dure.snapshot.lake import Lake

    opened = Lake(lake)
    if not names:
        found = [site for site in map(opened.site, opened.sites()) if site.pointer("latest")]
        if not found:
            raise ConfigurationError(Problem(str(lake), "no site has a snapshot in this lake", "run one: `dure run`"))
        return found
    sites, problems = {}, list[Problem]()
    for name in names:
        try:
            site = opened.called(name)
            site.latest()
            sites[site.site] = site
        except DureError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return list(sites.values())


def code_records(site: SiteLake) -> pa.Table:
    """The rows of `code_records.parquet` of a site's newest snapshot."""
    from dure.vocab.coverage import read_code_records

    return read_code_records(site.reports(site.latest().name), site.site)


def store_used(site: SiteLake) -> VocabularyStore:
    """The vocabulary store that a site's newest snapshot was made with, where it was or among the lake's own."""
    from dure.snapshot.lake import Lake
    from dure.snapshot.manifest import read_manifest
    from dure.vocab.store import is_store, open_store

    used = read_manifest(site.latest()).vocabulary
    places = [Path(used.folder), Lake(site.root).stores / Path(used.folder).name]
    for place in places:
        if is_store(place):
            return open_store(place)
    raise ConfigurationError(
        Problem(used.folder, f"the vocabulary store of {site.site} is not there", "name one with --vocab")
    )
