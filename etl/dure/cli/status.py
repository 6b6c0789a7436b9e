"""`dure status`: how each site of a lake stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dure.cli.options import Command, Given
from dure.cli.recorded import history_of, ledger_option, tell
from dure.cli.starting import debug_option, example, lake_option, start

if TYPE_CHECKING:
    from dure.watch.standing import Pointed, Standing


@click.command(
    cls=Command, epilog=example("dure status --lake lake", "dure status 바다병원 gangsan --lake lake --json")
)
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@lake_option
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document for programs.")
@debug_option
@click.pass_context
def status(
    ctx: click.Context, sites: tuple[str, ...], lake: Path | None, ledger: str | None, as_json: bool, debug: bool
) -> None:
    """Show each site of the lake: its snapshots and their age, its last run, what runs now, and what to do next.

    A site is `running` while a process holds it and `died` when that process is gone; else `idle`.
    """
    report = start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    lake = given.folder("lake", lake)
    given.check()

    from dure.watch.standing import standings

    history = history_of(ctx, lake)
    found = standings(lake, history, sites)
    tell(report, history)
    now = datetime.now(UTC)
    lines = [json.dumps([_document(site, now) for site in found], ensure_ascii=False, indent=1)] if as_json else []
    for line in lines or _lines(found, now):
        click.echo(line)


def _lines(found: list[Standing], now: datetime) -> list[str]:
    from dure.cli.columns import columns, local, text

    if not found:
        return ["no site ever ran in this lake"]
    head = ("site", "state", "latest", "passed", "published", "as of", "last run", "outcome", "next")
    rows = []
    for site in found:
        latest = site.pointers.get("latest")
        pointed = {
            name: "the latest" if p == latest and name != "latest" else _named(p, now)
            for name, p in site.pointers.items()
        }
        last = site.last
        outcome = "-" if last is None else text(last.outcome) + (f" ({last.exit_code})" if last.exit_code else "")
        state = site.state
        since = f" since {local(site.holder.since)}" if site.holder else ""
        rows.append(
            (
                site.site,
                f"{state}{since}",
                *(pointed.get(name, "-") for name in ("latest", "passed", "published")),
                text(latest.as_of if latest else None),
                local(last.started if last else None),
                outcome,
                site.next,
            )
        )
    return list(columns(head, rows))


def _named(pointed: Pointed, now: datetime) -> str:
    from dure.cli.columns import age

    return f"{pointed.snapshot} ({age(pointed.created, now)})" if pointed.created else pointed.snapshot


def _document(site: Standing, now: datetime) -> dict[str, Any]:
    from dure.ledger.facts import SUMMARY

    return {
        "site": site.site,
        "names": list(site.names),
        "state": site.state,
        "holder": vars(site.holder) | {"since": site.holder.since.isoformat()} if site.holder else None,
        "snapshots": {
            name: {
                "snapshot": p.snapshot,
                "created": p.created.isoformat() if p.created else None,
                "age_seconds": round((now - p.created).total_seconds()) if p.created else None,
                "as_of": p.as_of,
                "persons": p.persons,
                "trouble": p.trouble,
            }
            for name, p in site.pointers.items()
        },
        "last_run": site.last.model_dump(mode="json", include=SUMMARY) if site.last else None,
        "next": site.next,
    }
