"""What the spec grammar allows and this version does not build yet: refused, never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from dure.cdm.roles import REFERRED_TO, roles
from dure.errors import ConfigurationError, Problem
from dure.site.loaded import Site
from dure.site.spec import FileSource

# Tables that entries may name but that nothing builds yet.
_TABLES = ("payer_plan_period", "cost", "fact_relationship")
_DO = "remove it for now, and give its sources a reason under ignored"


def check_supported(site: Site) -> None:
    """Raises ConfigurationError naming every place of the spec that this version cannot build."""
    problems = list(_problems(site))
    if problems:
        raise ConfigurationError(problems)


def _problems(site: Site) -> Iterator[Problem]:
    for table, index, entry in site.spec.entries():
        at = ("tables", table, index)
        if table in _TABLES:
            yield Problem(site.where(*at), f"this version does not build {table}", _DO)
            continue
        source = site.spec.sources[entry.from_]
        if (
            table in REFERRED_TO
            and entry.key is None
            and isinstance(source, FileSource)
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
        for role in roles(table).values():
            if role.kind == "event" and entry.given(role.name) is not None:
                yield Problem(
                    site.where(*at, role.name), "this version does not link rows to other rows", "remove it for now"
                )
    if site.spec.derive.observation_period != "events":
        yield Problem(
            site.where("derive"),
            "this version derives observation periods from events only",
            "write observation_period: events",
        )
