"""`dure vocab compare`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dure.cli.options import Command, Given
from dure.cli.starting import FOLDER, debug_option, example, lake_option, start
from dure.cli.vocab.evidence import code_records, sites_of, store_used
from dure.cli.vocab.shown import format_option, show
from dure.errors import ConfigurationError, Problem

_PARTS = ("agreement", "differences", "adoption", "overrides")
_IN_TABLE = {
    "differences": (
        "same", "code", "description", "records", "distance", "site_a", "targets_a", "names_a", "site_b", "targets_b",
        "names_b",
    ),
    "overrides": ("site", "vocabulary", "code", "description", "records", "own_names", "common_names", "distance"),
}  # fmt: skip


@click.command(
    cls=Command,
    epilog=example(
        "dure vocab compare --lake lake",
        "dure vocab compare bada haneul --lake lake --part differences --format csv > differences.csv",
    ),
)
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@lake_option
@click.option("--vocab", type=FOLDER, metavar="DIR", help="The vocabulary of distances.  [default: a site's last]")
@click.option("--part", type=click.Choice(_PARTS), help="Only this part.  [default: all; with csv: differences]")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Lines a table; 0 for all.")
@format_option
@debug_option
@click.pass_context
def compare(
    ctx: click.Context,
    sites: tuple[str, ...],
    lake: Path | None,
    vocab: Path | None,
    part: str | None,
    limit: int,
    shown: str,
    debug: bool,
) -> None:
    """Show where hospitals send the same code, or the same description, to different concepts.

    Without SITE: all of the lake. Agreement is that of two sites on what both map, by codes and by their records;
    distance is the levels up to the nearest common ancestor and down again. Adoption is the share that the consortium's
    common map decides; overrides are codes on which a site's own map speaks before it.
    """
    report = start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    lake = given.folder("lake", lake)
    if vocab is not None:
        given.folder("vocab", vocab)
    given.check()

    from dure.snapshot.manifest import read_manifest
    from dure.vocab import compare as library
    from dure.vocab.store import open_store

    found = sites_of(lake, sites)
    if len(found) < 2:
        do = "name two sites or more, or none for all of the lake"
        raise ConfigurationError(Problem("SITE", "one site has nobody to be compared with", do))
    releases = {read_manifest(site.latest()).vocabulary.release for site in found}
    if len(releases) > 1:
        told = f"their newest snapshots were made with {len(releases)} vocabularies: {', '.join(sorted(releases))}"
        report.warn(Problem("sites", told, "a code may differ for that reason alone; run all with one release"))
    store = open_store(vocab) if vocab else store_used(found[0])
    made = library.compare({site.site: code_records(site) for site in found}, store)
    parts = [part] if part else ["differences"] if shown == "csv" else list(_PARTS)
    if shown == "json":
        click.echo(json.dumps({name: getattr(made, name) for name in parts}, ensure_ascii=False, indent=1))
        return
    for number, name in enumerate(parts):
        rows = getattr(made, name)
        columns = getattr(library, name.upper())
        if shown == "csv":
            show(columns, rows, shown)
            continue
        click.echo(f"{chr(10) if number else ''}{name}")
        show(_IN_TABLE.get(name, columns), rows[: limit or None], shown)
        if limit and len(rows) > limit:
            click.echo(f"… and {len(rows) - limit:,} more; --limit 0 or --format csv shows all")
