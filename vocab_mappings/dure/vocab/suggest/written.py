"""Suggestions as rows of a map that nobody has checked: Dure's own CSV, and Usagi's export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dure.vocab.suggest.suggester import Suggestion

AUTHOR = "dure vocab suggest"
DURE_COLUMNS = (
    "source_vocabulary_id", "source_code", "code_type", "specimen", "unit", "description_ko", "description_en",
    "frequency", "rank", "target_concept_id", "target_concept_name", "target_vocabulary_id", "target_domain_id",
    "match_score", "mapping_type", "equivalence", "status", "author", "reviewer", "comment",
)  # fmt: skip
USAGI_COLUMNS = (
    "sourceCode", "sourceName", "sourceFrequency", "sourceAutoAssignedConceptIds", "ADD_INFO:source_vocabulary_id",
    "ADD_INFO:code_type", "ADD_INFO:specimen", "ADD_INFO:unit", "matchScore", "mappingStatus", "equivalence",
    "statusSetBy", "statusSetOn", "conceptId", "conceptName", "domainId", "mappingType", "comment", "createdBy",
    "createdOn", "assignedReviewer",
)  # fmt: skip


def dure_rows(found: Iterable[Sequence[Suggestion]]) -> list[dict[str, object]]:
    """One row a (code, candidate), in DURE_COLUMNS, with status `unchecked`."""
    return [
        {
            "source_vocabulary_id": one.code.vocabulary,
            "source_code": one.code.code,
            "code_type": one.code.code_type,
            "specimen": one.code.specimen,
            "unit": one.code.unit,
            "description_ko": one.code.korean,
            "description_en": one.code.english,
            "frequency": one.code.records,
            "rank": one.rank,
            "target_concept_id": one.concept_id,
            "target_concept_name": one.name,
            "target_vocabulary_id": one.vocabulary,
            "target_domain_id": one.domain,
            "match_score": f"{one.score:.4f}",
            "mapping_type": "Maps to",
            "equivalence": None,
            "status": "unchecked",
            "author": AUTHOR,
            "reviewer": None,
            "comment": "; ".join(one.reasons),
        }
        for ranked in found
        for one in ranked
    ]


def usagi_rows(found: Iterable[Sequence[Suggestion]]) -> list[dict[str, object]]:
    """One row a code with a candidate, in USAGI_COLUMNS: the best one as Usagi's own proposals stand, UNCHECKED."""
    return [
        {
            "sourceCode": best.code.code,
            "sourceName": "; ".join(filter(None, [best.code.english, best.code.korean])) or best.code.code,
            "sourceFrequency": -1 if best.code.records is None else best.code.records,
            "sourceAutoAssignedConceptIds": ";".join(str(one.concept_id) for one in ranked),
            "ADD_INFO:source_vocabulary_id": best.code.vocabulary,
            "ADD_INFO:code_type": best.code.code_type,
            "ADD_INFO:specimen": best.code.specimen,
            "ADD_INFO:unit": best.code.unit,
            "matchScore": f"{best.score:.4f}",
            "mappingStatus": "UNCHECKED",
            "equivalence": "UNREVIEWED",
            "statusSetBy": None,
            "statusSetOn": 0,
            "conceptId": best.concept_id,
            "conceptName": best.name,
            "domainId": best.domain,
            "mappingType": "MAPS_TO",
            "comment": "; ".join(best.reasons),
            "createdBy": AUTHOR,
            "createdOn": 0,
            "assignedReviewer": None,
        }
        for ranked in found
        if ranked
        for best in ranked[:1]
    ]
