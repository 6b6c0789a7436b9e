"""`dure prune`: removes old snapshots."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from dure.cli.options import Command, Given
from dure.cli.retention import retention, retention_options
from dure.cli.starting import (
    debug_option,
    example,
    lake_option,
    log_format_option,
    quiet_option,
    site_argument,
    start,
)
from dure.errors import ConfigurationError, Problem
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example(
        "dure prune bada --lake lake --keep 7 --dry-run",
        "dure prune 바다병원 --lake lake --keep 7 --keep-days 30 --keep-reports 60",
    ),
)
@site_argument
@lake_option
@retention_options
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def prune(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    keep: int | None,
    keep_days: int | None,
    keep_reports: int | None,
    dry_run: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Remove the old snapshots of SITE, with what was landed for them and their evidence.

    The newest, the one that passed and the one that was published stay, whatever the policy says. `dure run` does the
    same at its end with these options.
    """
    start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    name, lake = given.required("site", site), given.folder("lake", lake)
    given.check()
    policy = retention(keep, keep_days, keep_reports)
    if policy is None:
        raise ConfigurationError(
            Problem("--keep", "not given", "say how many snapshots stay, such as --keep 7, or `keep: 7` in dure.yaml")
        )

    from dure.snapshot.lake import Lake
    from dure.snapshot.pruning import prune as prune_site
    from dure.snapshot.pruning import to_prune

    own = Lake(lake).called(name)
    own.latest()  # says what is wrong with a name that no snapshot has
    now = datetime.now(UTC)
    if dry_run:
        pruned = to_prune(own, policy, now)
    else:
        with own.lock():
            pruned = prune_site(own, policy, now)
    if quiet:
        return
    did = "would remove" if dry_run else "removed"
    for snapshot in pruned.snapshots:
        click.echo(f"{did} {snapshot}")
    for snapshot in pruned.reports:
        if snapshot not in pruned.snapshots:
            click.echo(f"{did} the evidence of {snapshot}")
    click.echo(f"{did} {len(pruned.snapshots)} snapshots, {pruned.bytes / (1 << 20):,.1f} MiB")
