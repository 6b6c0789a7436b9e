"""A small vocabulary that suggestions are made of, with one Korean synonym."""

from __future__ import annotations

from pathlib import Path

from vocab_athena_folder import concept, write_athena

from dure.vocab.load import load_athena
from dure.vocab.store import VocabularyStore

OVARY, KIDNEY, STOMACH, MRI_PLAIN, MRI_CONTRAST = 101, 102, 103, 104, 105
SODIUM_SERUM, SODIUM_URINE, SODIUM_PRESENCE, CYST = 201, 202, 203, 301
_NAMES = {
    OVARY: ("Excision of ovary", "Procedure", "SNOMED"),
    KIDNEY: ("Nephrectomy", "Procedure", "SNOMED"),
    STOMACH: ("Total gastrectomy", "Procedure", "CPT4"),
    MRI_PLAIN: ("MRI of pelvis without contrast", "Procedure", "SNOMED"),
    MRI_CONTRAST: ("MRI of pelvis with contrast", "Procedure", "SNOMED"),
    SODIUM_SERUM: ("Sodium [Moles/volume] in Serum or Plasma", "Measurement", "LOINC"),
    SODIUM_URINE: ("Sodium [Moles/volume] in Urine", "Measurement", "LOINC"),
    SODIUM_PRESENCE: ("Sodium [Presence] in Serum or Plasma", "Measurement", "LOINC"),
    CYST: ("Cyst of ovary", "Condition", "SNOMED"),
}


def suggest_store(folder: Path) -> VocabularyStore:
    concepts = [
        concept(number, f"C{number}", name=name, domain=domain, vocabulary=vocabulary)
        for number, (name, domain, vocabulary) in _NAMES.items()
    ]
    concepts.append(concept(900, "C900", name="Excision of left ovary", domain="Procedure", standard=""))
    synonyms = [
        {"concept_id": CYST, "concept_synonym_name": "난소 물혹", "language_concept_id": 4175771},
        {"concept_id": KIDNEY, "concept_synonym_name": "Excision of kidney", "language_concept_id": 4180186},
        {"concept_id": STOMACH, "concept_synonym_name": "Billroth operation", "language_concept_id": 4180186},
    ]
    return load_athena(write_athena(folder / "athena", concepts, CONCEPT_SYNONYM=synonyms), folder / "stores")
