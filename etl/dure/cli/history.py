"""`dure history`: what ran, the newest first."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from dure.cli.options import Command, Given
from dure.cli.recorded import history_of, ledger_option, tell
from dure.cli.starting import debug_option, example, lake_option, start

_AGO = re.compile(r"([1-9][0-9]{0,4})([dh])")


class Since(click.ParamType[datetime]):
    """A day, a moment, or how long ago."""

    name = "since"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if ago := _AGO.fullmatch(str(value)):
            length = timedelta(**{"days" if ago[2] == "d" else "hours": int(ago[1])})
            return datetime.now(UTC) - length
        try:
            return datetime.fromisoformat(str(value)).astimezone()
        except ValueError:
            self.fail(f"'{value}' is neither a day such as 2026-03-15 nor a time ago such as 7d or 12h", param, ctx)


@click.command(
    cls=Command, epilog=example("dure history --lake lake", "dure history 바다병원 --lake lake --since 7d --json")
)
@click.argument("site", required=False, metavar="[SITE]")
@lake_option
@ledger_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many runs.")
@click.option(
    "--since", type=Since(), metavar="WHEN", help="Runs that began since a day (2026-03-15), or 7d or 12h ago."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document for programs.")
@debug_option
@click.pass_context
def history(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    ledger: str | None,
    limit: int,
    since: datetime | None,
    as_json: bool,
    debug: bool,
) -> None:
    """List the runs of a lake, or of SITE, the newest first: runs, checks and publications with their outcome.

    Snapshots that were built before there was a ledger are listed too, as far as they tell of their run.
    """
    report = start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    lake = given.folder("lake", lake)
    given.check()

    from dure.snapshot.lake import Lake

    found = history_of(ctx, lake)
    sites = (site, Lake(lake).called(site).site) if site else ()
    runs = found.runs(sites, since, limit)
    tell(report, found)
    if as_json:
        from dure.ledger.facts import SUMMARY

        click.echo(
            json.dumps([run.model_dump(mode="json", include=SUMMARY) for run in runs], ensure_ascii=False, indent=1)
        )
        return
    if not runs:
        click.echo("no run", err=True)
        return
    from dure.cli.columns import columns, local, number, percent, seconds, text

    head = ("run", "command", "site", "started", "seconds", "outcome", "exit", "gate", "score", "rows read", "snapshot")
    rows = [
        (
            run.id,
            run.command,
            run.site,
            local(run.started),
            seconds(run.seconds),
            text(run.outcome or "has not ended"),
            text(run.exit_code),
            text(run.gate),
            percent(run.score),
            number(run.rows_read),
            text(run.snapshot),
        )
        for run in runs
    ]
    for line in columns(head, rows, frozenset({"seconds", "exit", "score", "rows read"})):
        click.echo(line)
