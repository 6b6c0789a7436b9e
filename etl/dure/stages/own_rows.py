"""Writes the tables in which Dure says of itself what it used and with which versions it ran."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from dure.derive.cdm_source import cdm_source_row
from dure.derive.own_tables import metadata_rows, source_to_concept_map_rows
from dure.site.loaded import Site
from dure.stages.tables import write_rows
from dure.vocab import Resolution, VocabularyStore
from dure.vocab.local_targets import adopted_concepts
from dure.vocab.map_files import read_map_file


def write_own_rows(
    site: Site, store: VocabularyStore, resolution: Resolution | None, as_of: date, dure_version: str, cdm: Path
) -> dict[str, int]:
    """Rows by table: of concept only where the site has concepts of its own, of the map only with the `resolution`."""
    own: dict[str, list[dict[str, object]]] = {
        "cdm_source": [cdm_source_row(site, store.release, as_of, dure_version)],
        "metadata": metadata_rows(site, store, as_of, dure_version),
    }
    if resolution is not None:
        own["source_to_concept_map"] = source_to_concept_map_rows(resolution, store, site.local_concepts)
    if site.local_concepts:
        adopted = adopted_concepts(site.local_concepts, site.vocabularies.values(), read_map_file)
        own["concept"] = [concept.row(standard=concept.concept_id in adopted) for concept in site.local_concepts]
    return {table: write_rows(rows, table, cdm / table) for table, rows in own.items()}
