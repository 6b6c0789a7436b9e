"""`dure verify`: a second opinion on a snapshot."""

from __future__ import annotations

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
from dure.errors import ConfigurationError, ExitCode, Problem
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example(
        "dure verify bada --lake lake",
        "dure verify 바다병원 --lake lake --sample 1 --engine spark --memory 8g",
        "dure verify bada --lake lake --snapshot 20260315T023000Z --seed 7",
    ),
)
@site_argument
@lake_option
@sites_option
@click.option("--latest", is_flag=True, help="The newest snapshot built, whether or not the gate opened for it.")
@click.option("--snapshot", metavar="ID", help="This snapshot.  [default: the one that readers get]")
@click.option(
    "--sample",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.01,  # dure.run.verify.options.SAMPLE, which would load too much here
    show_default=True,
    help="The share of the persons; 1 is everybody.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another number draws other persons."
)
# Not by the environment or dure.yaml: the engine that stands there is the one that makes the snapshots.
@click.option(
    "--engine",
    "second",
    metavar="NAME",
    help="sail, spark or sc://host:port.  [default: another one than made the snapshot]",
)
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store.  [default: the one that made the snapshot]")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def verify(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    sites: tuple[Path, ...],
    latest: bool,
    snapshot: str | None,
    sample: float,
    seed: int,
    second: str | None,
    master: str,
    threads: int | None,
    memory: str | None,
    vocab: Path | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Work out a sample of SITE's persons again and compare them row for row with its snapshot.

    Starts from what landed for that snapshot, on another engine, and waits for no run. Prints which tables and columns
    differ and how often, never a value or an id, and leaves the same as JSON and CSV in the folder that
    `dure path SITE --reports` prints. Exit code 0 says that both are equal, 1 that they differ.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    name, lake, sites = given.required("site", site), given.folder("lake", lake), given.sites(sites)
    given.check()
    if latest and snapshot is not None:
        raise ConfigurationError(Problem("--latest", "given beside --snapshot", "write one of them"))

    from dataclasses import replace

    from dure.engine import EngineOptions
    from dure.run.verify import VerifyOptions, verify_site

    chosen = EngineOptions.parse(second or "sail", master, threads, memory)
    opinion = verify_site(
        VerifyOptions(
            site=name,
            lake=lake,
            sites=sites,
            snapshot=snapshot,
            latest=latest,
            sample=sample,
            seed=seed,
            engine=chosen if second else replace(chosen, name=""),
            vocab=vocab,
        ),
        report,
    )
    report.ended(next(opinion.lines()), equal=str(opinion.equal).lower())
    if not quiet:
        for line in opinion.lines():
            click.echo(line)
    if not opinion.equal:
        ctx.exit(int(ExitCode.GATE_CLOSED))
