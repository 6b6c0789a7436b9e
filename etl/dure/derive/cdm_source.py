"""The one row that says where a CDM instance comes from."""

from __future__ import annotations

from datetime import date

from dure.cdm.schema import CDM_VERSION
from dure.site.loaded import Site

# OMOP's concept for "OMOP CDM Version 5.4.0".
CDM_VERSION_CONCEPT = 756265


def cdm_source_row(site: Site, vocabulary_release: str, as_of: date, dure_version: str) -> dict[str, object]:
    """The row of cdm_source; both release dates are the as-of date, so that a rerun gives the same row."""
    info = site.spec.site
    return {
        "cdm_source_name": info.name,
        "cdm_source_abbreviation": info.abbreviation or info.id,
        "cdm_holder": info.holder,
        "source_description": info.description,
        "source_documentation_reference": None,
        "cdm_etl_reference": f"Dure {dure_version}",
        "source_release_date": as_of,
        "cdm_release_date": as_of,
        "cdm_version": CDM_VERSION,
        "cdm_version_concept_id": CDM_VERSION_CONCEPT,
        "vocabulary_version": vocabulary_release,
    }
