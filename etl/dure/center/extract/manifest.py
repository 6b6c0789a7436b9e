"""`manifest.json` of an extract: who was given what, by whose approval, from which deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any

from dure.cdm.schema import CDM_VERSION
from dure.center.extract.audit import Line
from dure.center.extract.request import Request
from dure.snapshot.manifest import TableContent, snapshot_digest

EXTRACT_VERSION = 1


@dataclass(frozen=True)
class Delivered:
    """One delivery that was read: `manifest` and `content` are the SHA-256 of its manifest and of its tables."""

    site: str
    sequence: int
    manifest: str
    content: str
    as_of: str
    dates: str


@dataclass(frozen=True)
class Sealed:
    """What the manifest tells beside the request and the tables."""

    request_digest: str
    key: str
    signing_key: str
    day: date
    attempt: Line
    engine: str
    vocabulary: tuple[str, str]
    sets: Mapping[str, int]
    deliveries: Sequence[Delivered]


def extract_manifest(
    request: Request, persons: int, tables: Mapping[str, TableContent], sealed: Sealed
) -> dict[str, Any]:
    """The manifest of one extract."""
    asked = request.model_dump(mode="json", by_alias=True, exclude_none=True)
    release, digest = sealed.vocabulary
    return {
        "extract_version": EXTRACT_VERSION,
        "project": request.project,
        "title": request.title,
        "purpose": request.purpose,
        "requester": asked["requester"],
        "approvals": asked["approvals"],
        "valid_until": str(request.valid_until),
        "day": str(sealed.day),
        "request": {"sha256": sealed.request_digest, "period": asked["period"], "concepts": asked["concepts"]},
        "concept_sets": dict(sealed.sets),
        "dates": request.dates,
        "persons": persons,
        "tables": {
            name: {"columns": list(request.columns(name)), **content.model_dump(mode="json")}
            for name, content in sorted(tables.items())
        },
        "digest": snapshot_digest(tables),
        "deliveries": {
            each.site: {
                "sequence": each.sequence,
                "manifest": each.manifest,
                "content": each.content,
                "as_of": each.as_of,
                "dates": each.dates,
            }
            for each in sealed.deliveries
        },
        "keys": {"pseudonyms": sealed.key, "signing": sealed.signing_key},
        "versions": {
            "cdm": CDM_VERSION,
            "dure": version("dure"),
            "engine": sealed.engine,
            "vocabulary": {"release": release, "digest": digest},
        },
        "audit": {"line": sealed.attempt.number, "hash": sealed.attempt.hash},
    }
