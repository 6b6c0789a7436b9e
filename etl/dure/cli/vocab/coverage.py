"""`dure vocab coverage`."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command, Given
from dure.cli.starting import debug_option, example, lake_option, start
from dure.cli.vocab.evidence import code_records, sites_of
from dure.cli.vocab.shown import format_option, show
from dure.errors import ConfigurationError, Problem

_DEFAULT = ("site", "vocabulary", "domain")
_IN_TABLE = (
    "codes", "codes_%", "codes_unmapped",
    "records", "records_%", "records_wider", "records_unmapped", "records_invalid",
)  # fmt: skip


@click.command(
    cls=Command,
    epilog=example(
        "dure vocab coverage synthea --lake lake",
        "dure vocab coverage bada haneul --lake lake --by site,vocabulary,domain,year --format csv > coverage.csv",
    ),
)
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@lake_option
@click.option(
    "--by",
    default=",".join(_DEFAULT),
    show_default=True,
    metavar="NAMES",
    help="What a line is: any of site, vocabulary, domain, year, role, table.",
)
@format_option
@debug_option
@click.pass_context
def coverage(ctx: click.Context, sites: tuple[str, ...], lake: Path | None, by: str, shown: str, debug: bool) -> None:
    """Show how many codes and records of each SITE have a standard concept, as its newest snapshot found.

    Without SITE: all of the lake. `wider` are codes mapped to a wider concept only, `invalid` those whose map names a
    target that cannot be used; neither counts as mapped. A code counts once a line, a record once at all. Codes that a
    short map of the spec answers have no vocabulary.
    """
    start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    lake = given.folder("lake", lake)
    given.check()
    groups = _groups(by)

    import pyarrow as pa

    from dure.vocab.coverage import COUNTS
    from dure.vocab.coverage import coverage as counted

    records = pa.concat_tables(code_records(site) for site in sites_of(lake, sites))
    rows = counted(records, groups)
    if shown != "table":
        show([*groups, *COUNTS], rows, shown)
        return
    rows += [dict.fromkeys(groups) | {groups[0]: "all"} | total for total in counted(records, ())]
    for row in rows:
        row |= {f"{kind}_%": f"{100 * float(str(row[f'{kind}_mapped_share'])):.1f}" for kind in ("codes", "records")}
    show([*groups, *_IN_TABLE], rows, shown)


def _groups(text: str) -> list[str]:
    from dure.vocab.coverage import GROUPS

    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in GROUPS]
    if wrong or not names or len(set(names)) < len(names):
        found = f"'{wrong[0]}' is nothing to count by" if wrong else f"'{text}' is no list of different names"
        raise ConfigurationError(Problem("--by", found, f"any of {', '.join(GROUPS)}, separated by commas"))
    return names
