"""`dure demo center`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import (
    FOLDER,
    debug_option,
    example,
    log_format_option,
    quiet_option,
    start,
)
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example("dure demo center --out demo-center", "dure demo center --patients 300 --seed 7 --out 센터시범"),
)
@click.option(
    "--patients",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many persons there are; some are seen by two hospitals.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="S", help="Another seed, other persons."
)
@click.option(
    "--out", type=FOLDER, required=True, metavar="DIR", help="Where the hospitals, the center and its report go."
)
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]),
    metavar="DATE",
    help="The day of the demonstration.  [default: the clock's]",
)
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def center(
    ctx: click.Context,
    patients: int,
    seed: int,
    out: Path,
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    today: datetime | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Let three generated hospitals publish to a standards center that receives, compares and shows them.

    Runs the hospitals of `dure demo run`, sends what each may publish, signed and encrypted, and prints what the center
    took in and where its report and its catalogue lie. Exit code 1 says that a hospital's gate is closed or that the
    center refused a package.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=out / "lake", writes_snapshot=True)
    given = Given(ctx)
    out = given.new_folder("out", out)
    given.check()

    from dure.demo.center import CenterDemonstration, closing_lines
    from dure.demo.consortium import Demonstration, table_lines
    from dure.engine import EngineOptions

    options = EngineOptions.parse(engine, master, threads, memory)
    now = today.astimezone() if today else datetime.now().astimezone()
    asked = CenterDemonstration(Demonstration(out, patients, seed, (), None, options, now.date()), now)
    made = asked.run(report)
    report.done()
    if not quiet:
        for line in (*table_lines(made.hospitals), "", *closing_lines(asked, made)):
            click.echo(line)
    ctx.exit(made.exit_code)
