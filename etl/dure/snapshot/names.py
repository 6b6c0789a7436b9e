"""Names of sites and snapshots that are safe as the name of one folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import UTC, datetime

from dure.errors import ConfigurationError, Problem

STAGED = ".staging-"
_SNAPSHOT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
# A file name may have 255 bytes; a Hangul syllable takes three of them.
_LONGEST_SITE = 200


def site_folder_name(site: str) -> str:
    """The site's name as the lake writes it: NFC, so that a name typed on any system finds the same folder."""
    name = unicodedata.normalize("NFC", site)
    if not name or name.startswith(".") or "/" in name or not name.isprintable() or name != name.strip():
        raise ConfigurationError(
            Problem(
                "SITE", f"{site!r} cannot name a folder", "use letters (Hangul too), digits, '-' and '_', as in bada"
            )
        )
    if len(name.encode()) > _LONGEST_SITE:
        raise ConfigurationError(Problem("SITE", f"the name has {len(name)} characters", "use a shorter name"))
    return name


def check_snapshot_id(snapshot: str) -> str:
    if not _SNAPSHOT.fullmatch(snapshot):
        raise ConfigurationError(
            Problem("snapshot", f"{snapshot!r} is no snapshot id", "ids look like 20260315T023000Z: see `dure path`")
        )
    return snapshot


def snapshot_id(now: datetime, taken: Collection[str] = ()) -> str:
    """The id of a run that starts at `now`, such as 20260315T023000Z; `-2` and so on follow when it is taken."""
    first = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    name, number = first, 1
    while name in taken:
        number += 1
        name = f"{first}-{number}"
    return name
