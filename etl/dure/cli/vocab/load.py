"""`dure vocab load`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from dure.cli.options import Command, Given
from dure.cli.starting import (
    FOLDER,
    debug_option,
    example,
    lake_option,
    log_format_option,
    print_path,
    quiet_option,
    start,
)
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example("dure vocab load athena --lake lake", 'STORE="$(dure vocab load athena --lake lake --quiet)"'),
)
@click.argument("directory", type=FOLDER, metavar="DIR")
@lake_option
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def load(
    ctx: click.Context, directory: Path, lake: Path | None, quiet: bool, log_format: Format | None, debug: bool
) -> None:
    """Turn the Athena download in DIR into a vocabulary store of the lake.

    Prints the folder of the store, for --vocab, and how many rows each table has (--quiet: the folder alone). The same
    content is stored once.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    directory, lake = given.folder("directory", directory), given.new_folder("lake", lake)
    given.check()

    from dure.snapshot.durable import lake_access, make_folder, private_files
    from dure.snapshot.lake import Lake
    from dure.vocab.load import load_athena

    stores = Lake(lake).stores
    with private_files(), lake_access(stores):
        make_folder(stores)
        store = load_athena(directory, stores, report)
    report.done()
    print_path(store.folder)
    if not quiet:
        for line in _counts(store.counts):
            click.echo(line)


def _counts(counts: Mapping[str, Any]) -> Iterator[str]:
    """A line a table: its rows, and how many of them name a concept that the release lacks."""
    dangling = counts.get("dangling", {})
    for table, rows in counts["rows"].items():
        line = f"  {table:<24}{rows:>14,} rows"
        if dangling.get(table):
            line += f", {dangling[table]:,} of them name a concept that is not in this download"
        yield line
    if counts.get("absent"):
        yield f"  not in this download, so stored empty: {', '.join(counts['absent'])}"
