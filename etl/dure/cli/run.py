"""`dure run`: a new snapshot of a site, and its gate."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import (
    FOLDER,
    debug_option,
    example,
    lake_option,
    log_format_option,
    quiet_option,
    site_argument,
    sites_option,
    start,
)
from dure.errors import ExitCode
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example(
        "dure run synthea --source extract --vocab athena --lake lake --as-of 2026-03-15",
        "dure run 바다병원 --sites 병원설정 --source 자료/2026-03 --vocab lake/vocab/v5.0-1a2b3c --lake lake",
    ),
)
@site_argument
@option("--source", type=FOLDER, metavar="DIR", help="The hospital's extract.")
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store, or a folder of Athena's CSV files.")
@lake_option
@sites_option
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]),
    metavar="DATE",
    help="The day that closes open visits and caps periods.  [default: the spec's extract_date]",
)
@click.option("--until", metavar="STAGE", help="Stop after this stage; the snapshot does not become the latest.")
@click.option("--full", is_flag=True, help="Map everything anew, whatever an earlier run left.")
@click.option("--no-check", is_flag=True, help="Build the snapshot without checking it; `dure check` does that later.")
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
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    as_of: datetime | None,
    until: str | None,
    full: bool,
    no_check: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Map the extract of SITE into a new snapshot of the CDM, and check whether it may leave the hospital.

    Prints a summary of what became of every source row, then the verdict of the gate. The snapshot becomes the latest
    only when it is whole, and the one that `dure path` names when the gate opens for it; a run that stops for any
    reason leaves the one before. Exit code 1 says that the snapshot was built and the gate is closed.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake, writes_snapshot=True)
    given = Given(ctx)
    name, source, vocab = given.required("site", site), given.folder("source", source), given.folder("vocab", vocab)
    lake, sites = given.new_folder("lake", lake), given.sites(sites)
    given.check()

    from dure.engine import EngineOptions

    options = EngineOptions.parse(engine, master, threads, memory)

    from dure.run import RunOptions, proving, run_site

    unproved = no_check or until is not None
    result = run_site(
        RunOptions(
            site=name,
            source=source,
            vocab=vocab,
            lake=lake,
            sites=sites,
            engine=options,
            as_of=as_of.date() if as_of else None,
            until=until,
            full=full,
        ),
        report,
        prove=None if unproved else proving(datetime.now().astimezone().date(), report),
    )
    report.done()
    for problem in result.warnings:
        if problem not in report.warned:
            report.warn(problem)
    if not quiet:
        for line in result.lines:
            click.echo(line)
    if result.gate_open is False:
        ctx.exit(int(ExitCode.GATE_CLOSED))
