"""`dure run`: a new snapshot of a site, and its gate; `--all` does that for every site of a folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dure.cli.night import next_occurrence, night_options
from dure.cli.options import Command, Given, option
from dure.cli.recorded import record, watching_options
from dure.cli.retention import retention
from dure.cli.source_pattern import source_of
from dure.cli.starting import (
    FOLDER,
    debug_option,
    engine_options,
    example,
    lake_option,
    log_format_option,
    quiet_option,
    site_argument,
    sites_option,
    start,
)
from dure.progress import Format

_DAY = click.DateTime(["%Y-%m-%d", "%Y%m%d"])


@click.command(
    cls=Command,
    epilog=example(
        "dure run synthea --source extract --vocab athena --lake lake --as-of 2026-03-15",
        "dure run 바다병원 --sites 병원설정 --source 자료/2026-03 --vocab lake/vocab/v5.0-1a2b3c --lake lake",
        "dure run synthea --from 2026-01-01 --to 2026-03-31 --source 'extracts/{date}' --vocab athena --lake lake",
        "dure run --all --sites hospitals --source 'extracts/{site}' --vocab athena --lake lake --jobs 2",
    ),
)
@site_argument
# What is read, and where the snapshot goes.
@option("--source", type=FOLDER, metavar="DIR", help="The hospital's extract; {site} in it stands for the site's name.")
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store, or a folder of Athena's CSV files.")
@lake_option
@sites_option
@option(
    "--as-of",
    type=_DAY,
    metavar="DATE",
    help="The day that closes open visits and caps periods.  [default: the spec's extract_date]",
)
# How much is done.
@option(
    "--accept-small-extract",
    "accept_small",
    is_flag=True,
    help="Take an extract that has far fewer rows than the one before.",
)
@click.option("--until", metavar="STAGE", help="Stop after this stage; the snapshot does not become the latest.")
@click.option("--full", is_flag=True, help="Map everything anew, whatever an earlier run left.")
@click.option("--dry-run", is_flag=True, help="Say what the night changes and whom it concerns; build nothing.")
@click.option("--no-check", is_flag=True, help="Build the snapshot without checking it; `dure check` does that later.")
@night_options
# Many days.
@click.option(
    "--from", "first", type=_DAY, metavar="DATE", help="Run each day from this one; --source has {date} in it."
)
@click.option("--to", "last", type=_DAY, metavar="DATE", help="The last day of --from.")
@click.option("--allow-gaps", is_flag=True, help="With --from: days without a folder had no changes.")
# Many sites.
@click.option("--all", "every", is_flag=True, help="Run every site of --sites, each in a process of its own.")
@option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="With --all: sites at one time.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts of the run, or runs, as JSON.")
# On what it runs, and who is told.
@engine_options
@watching_options
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def run(
    ctx: click.Context,
    site: str | None,
    source: Path | None,
    vocab: Path | None,
    lake: Path | None,
    sites: tuple[Path, ...],
    as_of: datetime | None,
    accept_small: bool,
    until: str | None,
    full: bool,
    dry_run: bool,
    no_check: bool,
    restart: bool,
    deadline: str | None,
    no_disk_check: bool,
    keep: int | None,
    keep_days: int | None,
    keep_reports: int | None,
    first: datetime | None,
    last: datetime | None,
    allow_gaps: bool,
    every: bool,
    jobs: int,
    as_json: bool,
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    ledger: str | None,
    metrics: Path | None,
    webhook: str | None,
    facts: Path | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Map the extract of SITE into a new snapshot of the CDM, and check whether it may leave the hospital.

    Prints a summary of what became of every source row, then the verdict of the gate. The snapshot becomes the latest
    only when it is whole, and the one that `dure path` names when the gate opens for it; a run that stops for any
    reason leaves the one before. Exit code 1 says that the snapshot was built and the gate is closed.

    With --from and --to the extracts of many days are run in their order, each in a process of its own, until one fails;
    days up to the latest snapshot's are done, so the same command goes on where it stopped.

    With --all a site that fails, or whose process is killed, harms no other; the exit code is the worst of theirs.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake, writes_snapshot=True)
    given = Given(ctx)
    if every:
        from dure.cli.run_all import run_all

        run_all(ctx, given, report, jobs=jobs, as_json=as_json, quiet=quiet)
        return
    if first or last:
        from dure.cli.run_backfill import run_backfill

        run_backfill(ctx, given, as_json=as_json)
        return
    folders = given.sites(sites)
    report = record(ctx, report, "run", site=site, lake=lake, sites=folders, facts_file=facts)
    name, source = given.required("site", site), given.required("source", source_of(source, site))
    vocab, lake = given.folder("vocab", vocab), given.new_folder("lake", lake)
    given.check()

    from dure.engine import EngineOptions

    options = EngineOptions.parse(engine, master, threads, memory)

    from dure.run import RunOptions, proving, run_site

    unproved = no_check or dry_run or until is not None
    result = run_site(
        RunOptions(
            site=name,
            source=source,
            vocab=vocab,
            lake=lake,
            sites=folders,
            engine=options,
            as_of=as_of.date() if as_of else None,
            until=until,
            full=full,
            dry_run=dry_run,
            restart=restart,
            deadline=next_occurrence(deadline, datetime.now().astimezone()),
            check_disk=not no_disk_check,
            keep=retention(keep, keep_days, keep_reports),
            run_id=report.run_id,
            accept_small=accept_small,
        ),
        report,
        prove=None if unproved else proving(datetime.now().astimezone().date(), report),
    )
    report.done()
    for problem in result.warnings:
        if problem not in report.warned:
            report.warn(problem)
    code = report.succeed_run(result.gate_open, None if until or dry_run else result.snapshot)
    if as_json:
        click.echo(report.as_json())
    elif not quiet:
        for line in result.lines:
            click.echo(line)
    if code:
        ctx.exit(int(code))
