"""`dure rollback`: back to an earlier snapshot."""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dure.cli.options import Command, Given
from dure.cli.starting import (
    debug_option,
    example,
    lake_option,
    log_format_option,
    quiet_option,
    site_argument,
    start,
)
from dure.progress import Format

if TYPE_CHECKING:
    from dure.run.rollback import Standing


@click.command(
    cls=Command,
    epilog=example(
        "dure rollback bada --lake lake --list",
        "dure rollback 바다병원 --lake lake --to 20260315T023000Z",
    ),
)
@site_argument
@lake_option
@click.option("--to", metavar="SNAPSHOT", help="The snapshot to go to.  [default: the one before what readers get]")
@click.option(
    "--only",
    type=click.Choice(["latest", "passed"]),
    help="Move this pointer alone: what the next run goes on from, or what readers get.",
)
@click.option("--list", "listing", is_flag=True, help="Show the snapshots there are; move nothing.")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def rollback(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    to: str | None,
    only: Literal["latest", "passed"] | None,
    listing: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Give readers an earlier snapshot of SITE again.

    Its files are held against its manifest first, and readers get none whose gate did not open. The next run goes on
    from there; no later run makes a snapshot current again that was rolled back. Who did it and when is recorded.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    name, lake = given.required("site", site), given.folder("lake", lake)
    given.check()

    from dure.run.rollback import roll_back, standing
    from dure.snapshot.lake import Lake

    own = Lake(lake).called(name)
    if listing:
        for each in standing(own):
            click.echo(_line(each))
        return
    with own.lock():
        report.stage("rollback")
        done, to_look_at = roll_back(own, to, only, f"{getpass.getuser()}@{socket.gethostname()}", datetime.now(UTC))
        report.done()
    for problem in to_look_at:
        report.warn(problem)
    if quiet:
        return
    if not done.moved:
        click.echo(f"nothing to do: {done.to} is current already")
    for pointer, before in done.moved.items():
        click.echo(f"{pointer}: {before or 'none'} -> {done.to}")
    click.echo(f"readers get {own.current()}")


def _line(each: Standing) -> str:
    gone = each.withdrawn
    words = [each.snapshot, f"gate {each.gate}", *each.pointers]
    if gone is not None:
        words.append(f"rolled back {gone.when.astimezone():%Y-%m-%d %H:%M} by {gone.who}")
    return "  ".join(words)
