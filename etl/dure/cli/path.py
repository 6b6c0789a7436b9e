"""`dure path`: where the snapshot that other programs read lies."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command, Given
from dure.cli.starting import (
    debug_option,
    example,
    lake_option,
    print_path,
    site_argument,
    start,
)
from dure.errors import ConfigurationError, Problem


@click.command(
    cls=Command,
    epilog=example("dure path synthea --lake lake", 'ls "$(dure path 바다병원 --lake lake --latest --reports)"'),
)
@site_argument
@lake_option
@click.option("--latest", is_flag=True, help="The newest snapshot built, whether or not the gate opened for it.")
@click.option("--reports", is_flag=True, help="The folder of the snapshot's evidence instead of its tables.")
@debug_option
@click.pass_context
def path(ctx: click.Context, site: str | None, lake: Path | None, latest: bool, reports: bool, debug: bool) -> None:
    """Print the folder of SITE's snapshot: the stable way in for other programs.

    It is the newest one that passed the gate; as long as none has, the newest one built.
    """
    start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    name, lake = given.required("site", site), given.required("lake", lake)
    given.check()

    from dure.snapshot.lake import Lake

    of_site = Lake(lake).called(name)
    folder = of_site.latest() if latest else of_site.current()
    if reports:
        folder = of_site.reports(folder.name)
        if not folder.is_dir():
            raise ConfigurationError(Problem(str(folder), "no such folder", "restore it, or run the site again"))
    print_path(folder)
