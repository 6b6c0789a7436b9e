"""The folder of a site's extract, where --source is a pattern."""

from __future__ import annotations

from pathlib import Path

SITE = "{site}"


def source_of(given: Path | None, site: str | None) -> Path | None:
    """The folder that --source names for a site: `extracts/{site}` is `extracts/bada` for bada."""
    if given is None or site is None:
        return given
    return Path(str(given).replace(SITE, site))
