"""Taking the listed files out of a package whose manifest is believed: exact names, exact sizes, hashed on their way."""

from __future__ import annotations

from pathlib import Path

from dure.center.receive.claimed import Claimed
from dure.center.receive.opened import Contents
from dure.center.receive.refused import Finding, PackageRefused, refuse
from dure.snapshot.durable import lake_access
from dure.snapshot.manifest import MANIFEST


def unpack(contents: Contents, claimed: Claimed, target: Path) -> None:
    """Writes every file of the manifest below `target`; PackageRefused for anything else, too much or too little."""
    if claimed.digest_of_tables != claimed.copied.digest:
        raise refuse("another_digest", f"{MANIFEST} copy.digest")
    with lake_access(target):
        contents.lists(claimed.paths)
        changed = []
        for file in claimed.files:
            place = target / file.path
            place.parent.mkdir(exist_ok=True)
            if contents.take(file.path, file.bytes, place) != file.sha256:
                changed.append(Finding("another_hash", file.path))
        contents.end()
    if changed:
        raise PackageRefused(changed)
