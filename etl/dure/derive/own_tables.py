"""What Dure says of itself: the map that a run used, and the versions it ran with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from dure.cdm.schema import CDM_VERSION
from dure.site.loaded import Site
from dure.site.local_concepts import LocalConcept
from dure.tables.keys import key_text_of
from dure.vocab import Resolution, VocabularyStore

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)


def metadata_rows(site: Site, store: VocabularyStore, as_of: date, dure_version: str) -> list[dict[str, object]]:
    """One row a fact about how the snapshot was made; nothing in it depends on when the run took place."""
    facts = {
        "CDM version": CDM_VERSION,
        "Dure version": dure_version,
        "site": site.spec.site.id,
        "site spec SHA-256": site.digest,
        "vocabulary release": store.release,
        "vocabulary SHA-256": store.digest,
    }
    return [
        {
            "metadata_id": number,
            "metadata_concept_id": 0,
            "metadata_type_concept_id": 0,
            "name": name,
            "value_as_string": value,
            "metadata_date": as_of,
        }
        for number, (name, value) in enumerate(facts.items(), 1)
    ]


def source_to_concept_map_rows(
    resolution: Resolution, store: VocabularyStore, local_concepts: Sequence[LocalConcept] = ()
) -> list[dict[str, object]]:
    """One row a (code, validity interval, target) that the run mapped, sorted by vocabulary and code.

    A code that is told apart by code type, specimen or unit is written with them, joined by `|`.
    """
    used = resolution.to_arrow().to_pylist()
    used = [row for row in used if row["target_concept_id"]]
    known = store.concepts({row["target_concept_id"] for row in used}, ("vocabulary_id",))
    vocabulary_of = {int(c): str(v) for c, v in zip(known["concept_id"], known["vocabulary_id"], strict=True)}
    vocabulary_of |= {concept.concept_id: concept.vocabulary_id for concept in local_concepts}
    rows: list[dict[str, object]] = []
    for row in used:
        details = [row["code_type"], row["specimen"], row["unit"]]
        told_apart = any(detail is not None for detail in details)
        rows.append(
            {
                "source_code": key_text_of([row["code"], *details]) if told_apart else row["code"],
                "source_concept_id": row["source_concept_id"],
                "source_vocabulary_id": row["vocabulary"],
                "target_concept_id": row["target_concept_id"],
                "target_vocabulary_id": vocabulary_of.get(row["target_concept_id"], "None"),
                "valid_start_date": row["valid_start"] or FIRST_DAY,
                "valid_end_date": row["valid_end"] or LAST_DAY,
            }
        )
    names = ("source_vocabulary_id", "source_code", "valid_start_date", "target_concept_id")
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in names))
