"""`manifest.json` of a package: what is in it, from what it was made, and what was checked. Nothing in it is a clock's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dure.cdm.schema import CDM_VERSION
from dure.publish.gated import Gated
from dure.publish.profile import Profile
from dure.publish.rerun import Counts, Rerun
from dure.publish.uniqueness import Uniqueness
from dure.quality.evidence.record import RESULTS
from dure.snapshot.manifest import TableContent, snapshot_digest

PACKAGE_VERSION = 1
# Counts of persons, and of what can stand for persons, are not told under this.
SMALL = 10
_COVERAGE = ("coverageRecords", "coverageCodes")


@dataclass(frozen=True)
class Signed:
    """Who signs and whose key made the pseudonyms, by fingerprint."""

    signing_key: str
    pseudonym_key: str


def package_manifest(
    gated: Gated,
    tables: Mapping[str, TableContent],
    profile: Profile,
    sequence: int,
    signed: Signed,
    rerun: Rerun,
    unique: Uniqueness,
    withdrawn: Sequence[int],
    evidence: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of one package; the same inputs give the same bytes."""
    source = gated.manifest
    return {
        "package_version": PACKAGE_VERSION,
        "site": source.site,
        "sequence": sequence,
        "as_of": str(source.as_of),
        "versions": {
            "cdm": CDM_VERSION,
            "dure": version("dure"),
            "mapped_by_dure": source.dure_version,
            "engine": f"{source.engine.name} {source.engine.version}",
            "vocabulary": {"release": source.vocabulary.release, "digest": source.vocabulary.digest},
            "spec": source.spec_digest,
            "maps": dict(sorted(source.map_digests.items())),
        },
        "inputs": {
            name: {
                "rows": each.rows_read,
                "files": sorted(({"sha256": f.sha256, "bytes": f.bytes} for f in each.files), key=str),
            }
            for name, each in sorted(source.inputs.items())
        },
        "gated": {
            "snapshot": source.snapshot,
            "digest": source.digest,
            "gate": gated.verdict["gate"],
            "day": gated.verdict["day"],
            "score": gated.verdict["score"],
            "waived": sorted(item["check"] for item in gated.verdict["waived"]),
        },
        "copy": {
            "digest": snapshot_digest(tables),
            "profile": {"name": profile.name, "digest": profile.digest, "dates": profile.dates},
        },
        "keys": {"signing": signed.signing_key, "pseudonyms": signed.pseudonym_key},
        "tables": {name: content.model_dump(mode="json") for name, content in sorted(tables.items())},
        "checks": {
            "rerun": dict(rerun.ends),
            "differ": [
                {"check": d.check, "snapshot": _counts(d.snapshot), "copy": _counts(d.copy), "why": d.why}
                for d in rerun.differences
            ],
        },
        "evidence": dict(evidence),
        "persons_alike": {
            "persons": told(unique.persons),
            "alone": told(unique.unique),
            f"fewer_than_{unique.k}": told(unique.fewer),
        },
        "reconciliation": {name: dict(rows) for name, rows in sorted(source.reconciliation.items())},
        "coverage": _coverage(gated.reports),
        "withdrawn": sorted(withdrawn),
    }


def told(count: int) -> int | str:
    """A count as it may be read: small ones are not told, none is."""
    return count if count >= SMALL or count == 0 else f"<{SMALL}"


def _counts(counts: Counts) -> list[int | str | None]:
    """Small counts of rows of the snapshot would tell what the copy hides."""
    status, *numbers = counts
    return [status, *(number if number is None else told(number) for number in numbers)]


def as_bytes(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _coverage(reports: Path) -> list[dict[str, Any]]:
    """Records and codes without a standard concept, by domain, as the gate counted them."""
    results = json.loads((reports / RESULTS).read_bytes())["results"]
    return [
        {"check": item["check"], "without_concept": item["violated"], "of": item["denominator"]}
        for item in results
        if item["type"] in _COVERAGE and item["denominator"]
    ]
