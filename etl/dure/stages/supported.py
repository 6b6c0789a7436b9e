"""What the spec grammar allows and this version does not build yet: refused, never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from dure.cdm.roles import REFERRED_TO
from dure.errors import ConfigurationError, Problem
from dure.site.loaded import Site
from dure.site.spec import LandedSource


def check_supported(site: Site) -> None:
    """Raises ConfigurationError naming every place of the spec that this version cannot build."""
    problems = list(_problems(site))
    if problems:
        raise ConfigurationError(problems)


def _problems(site: Site) -> Iterator[Problem]:
    for table, index, entry in site.spec.entries():
        at = ("tables", table, index)
        source = site.spec.sources[entry.from_]
        if (
            table in REFERRED_TO
            and entry.key is None
            and isinstance(source, LandedSource)
            and source.keep
            and source.keep.all
        ):
            yield Problem(
                site.where("sources", entry.from_, "keep"),
                f"keeps several rows of one key, but other rows refer to {table} by that key",
                "keep the first or the last, or give the entry a key of its own",
            )
        if entry.keep and entry.keep.all:
            yield Problem(
                site.where(*at, "keep"),
                "an entry cannot keep all rows of a key",
                "declare keep: {all: […]} on the source",
            )
