"""Names of sites and snapshots that are safe as the name of one folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from dure.errors import ConfigurationError, Problem

STAGED = ".staging-"
_SNAPSHOT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_MOMENT = "%Y%m%dT%H%M%SZ"
_OF_A_RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z(-[0-9]+)?")
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
    """The id of a run that starts at `now`, such as 20260315T023000Z; later in the order of texts than every id taken.

    A second id of one second ends in `-2`. Where the clock was set back, the id is that of the second after the newest.
    """
    name = now.astimezone(UTC).strftime(_MOMENT)
    newest = max((one for one in taken if _OF_A_RUN.fullmatch(one)), default="")
    if name > newest and name not in taken:
        return name
    if name == newest:
        return f"{name}-2"
    moment = datetime.strptime(newest[: len(name)], _MOMENT).replace(tzinfo=UTC)
    return (moment + timedelta(seconds=1)).strftime(_MOMENT)
