"""What a snapshot tells of the run that made it: its manifest, its verdict and its account of rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dure.errors import DureError
from dure.ledger.facts import FileFacts, MapFacts, Outcome, RunFacts, SourceFacts, TableFacts
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import Manifest, read_manifest

VERDICT, RECONCILIATION = "verdict.json", "reconciliation.json"
# A run that is known by its snapshot alone, as its manifest names none.
UNNAMED = "-snapshot"


def add_snapshot(facts: RunFacts, lake: SiteLake, snapshot: str) -> None:
    """Adds to a run's facts what the snapshot that it made tells; raises what reading the manifest raises."""
    manifest = read_manifest(lake.snapshot(snapshot))
    facts.site, facts.snapshot, facts.as_of = manifest.site, snapshot, str(manifest.as_of)
    facts.engine, facts.engine_version = manifest.engine.name, manifest.engine.version
    facts.cdm_version = manifest.cdm_version
    facts.vocabulary, facts.vocabulary_digest = manifest.vocabulary.release, manifest.vocabulary.digest
    facts.spec_digest = manifest.spec_digest
    facts.maps = [MapFacts(path=path, sha256=digest) for path, digest in sorted(manifest.map_digests.items())]
    facts.files = [
        FileFacts(source=name, path=file.path, bytes=file.bytes, sha256=file.sha256, modified=file.modified)
        for name, given in manifest.inputs.items()
        for file in given.files
    ]
    facts.tables = [
        TableFacts(name=name, rows=table.rows, bytes=sum(file.bytes for file in table.files))
        for name, table in sorted(manifest.tables.items())
    ]
    facts.persons = manifest.tables["person"].rows if "person" in manifest.tables else None
    # Evidence that somebody changed by hand tells of no rows; the rest is known.
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        _add_rows(facts, manifest, _document(lake.reports(snapshot) / RECONCILIATION))
    add_verdict(facts, lake, snapshot)


def add_verdict(facts: RunFacts, lake: SiteLake, snapshot: str) -> None:
    """The verdict that the snapshot's reports hold, if any."""
    verdict = _document(lake.reports(snapshot) / VERDICT)
    facts.gate = verdict.get("gate") if verdict.get("gate") in ("open", "closed") else None
    score = verdict.get("score")
    facts.score = float(score) if isinstance(score, int | float) else None


def known_by_snapshot(lake: Lake, known: Collection[tuple[str, str]] = ()) -> Iterator[RunFacts]:
    """Runs that made the snapshots of the lake, but those `known` as (site, snapshot); without stages and seconds.

    A snapshot whose manifest cannot be read tells of no run.
    """
    for site in lake.sites():
        own = lake.site(site)
        for snapshot in own.snapshots():
            if (site, snapshot) not in known:
                try:
                    manifest = read_manifest(own.snapshot(snapshot))
                    yield _run_of(own, manifest)
                except DureError:
                    continue


def _run_of(own: SiteLake, manifest: Manifest) -> RunFacts:
    facts = RunFacts(
        id=manifest.run or f"{manifest.snapshot}{UNNAMED}-{own.site}",
        lake=str(own.root),
        site=own.site,
        name=own.site,
        started=manifest.created,
        dure_version=manifest.dure_version,
        host="",
        user="",
        pid=0,
        process="",
    )
    add_snapshot(facts, own, manifest.snapshot)
    facts.site = own.site
    facts.outcome = {"open": Outcome.PASSED, "closed": Outcome.CLOSED, None: Outcome.BUILT}[facts.gate]
    return facts


def _add_rows(facts: RunFacts, manifest: Manifest, account: Mapping[str, Any]) -> None:
    told = {each["source"]: each for each in account.get("sources", ())}
    facts.sources = []
    for name, counts in manifest.reconciliation.items():
        source = told.get(name, {})
        if source.get("role") != "lookup":
            facts.sources.append(_source(name, counts, source))
    for outcome in ("read", "mapped", "unmapped", "rejected", "excluded"):
        setattr(facts, f"rows_{outcome}", sum(getattr(source, outcome) for source in facts.sources))


def _source(name: str, counts: Mapping[str, int], told: Mapping[str, Any]) -> SourceFacts:
    """`counts` of the manifest and what reconciliation.json has `told` of one source."""
    ends = {
        "mapped": counts.get("mapped", 0),
        "unmapped": counts.get("unmapped", 0),
        "excluded": counts.get("excluded", 0)
        + sum(_total(told.get(each)) for each in ("excluded", "duplicate", "merged", "opted_out", "left_by_view")),
        "changed": _total(told.get("by_changes")),
        "folded": _total(told.get("folded")),
    }
    read, before = counts.get("read", 0), _total(told.get("before"))
    # What is left: lines that could not be read, rows that no entry took, and those whose values were refused.
    rejected = max(0, read + before - sum(ends.values()))
    return SourceFacts(name=name, read=read, before=before, rejected=rejected, **ends)


def _total(counts: Any) -> int:
    """A count, or the sum of counts by reason."""
    return sum(counts.values()) if isinstance(counts, dict) else int(counts or 0)


def _document(path: Path) -> Mapping[str, Any]:
    """A file of the evidence; empty where there is none that can be read, as a ledger goes on without it."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
