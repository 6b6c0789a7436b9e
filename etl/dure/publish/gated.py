"""Which snapshot may leave: the one that passed, whose verdict is open for this very digest and whose files are those."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dure.errors import Problem
from dure.publish.refused import PublicationRefused
from dure.quality.evidence.record import read_verdict
from dure.snapshot.lake import SiteLake
from dure.snapshot.manifest import Manifest, changed_files, read_manifest


@dataclass(frozen=True)
class Gated:
    """A snapshot that passed, with what it and the gate say of it."""

    folder: Path
    manifest: Manifest
    verdict: dict[str, Any]
    reports: Path


def gated_snapshot(lake: SiteLake, today: date) -> Gated:
    """The snapshot that `passed` names; PublicationRefused with every reason why nothing may leave."""
    folder = lake.pointer("passed")
    newest = lake.latest()
    if folder is None:
        raise PublicationRefused(_reasons(lake, newest))
    manifest = read_manifest(folder)
    reports = lake.reports(manifest.snapshot)
    verdict = read_verdict(reports)
    if verdict is None or verdict.get("gate") != "open" or verdict.get("digest") != manifest.digest:
        raise PublicationRefused(_reasons(lake, folder))
    expired = [
        Problem(item["check"], f"its waiver expired on {item['waiver']['expires']}", "check the snapshot again")
        for item in verdict.get("waived", [])
        if date.fromisoformat(item["waiver"]["expires"]) < today
    ]
    if expired:
        raise PublicationRefused(expired)
    gated = Gated(folder, manifest, verdict, reports)
    unchanged(gated)
    return gated


def unchanged(gated: Gated) -> None:
    """Raises PublicationRefused unless every file holds the bytes that passed."""
    changed = changed_files(gated.folder, gated.manifest)
    if changed:
        do = "restore the file, or run and check the site again"
        raise PublicationRefused(
            [Problem(str(gated.folder / name), "is not what passed the gate", do) for name in changed]
        )


def _reasons(lake: SiteLake, folder: Path) -> list[Problem]:
    manifest = read_manifest(folder)
    verdict = read_verdict(lake.reports(manifest.snapshot))
    where, do = f"snapshot {manifest.snapshot}", f"run `dure check {lake.site}`"
    if verdict is None:
        return [Problem(where, "was not checked", do)]
    if verdict.get("digest") != manifest.digest:
        return [Problem(where, "has changed since it was checked", do)]
    if verdict.get("gate") == "open":
        return [Problem(where, "is not the one that passed", do)]
    return [
        Problem(where, "the gate is closed", "each reason follows; mend it, or waive it with an owner and a date")
    ] + [Problem(reason["check"], f"{reason['found']} ({reason['why']})") for reason in verdict.get("closing", [])]
