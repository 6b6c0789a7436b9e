"""`dure demo run`."""

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
from dure.errors import ExitCode
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example("dure demo run --out demo", "dure demo run --patients 100000 --seed 7 --out demo --engine spark"),
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
@click.option("--out", type=FOLDER, required=True, metavar="DIR", help="Where the extracts, the truth and the lake go.")
# Neither from the environment nor from dure.yaml: those speak of the hospitals at home.
@click.option(
    "--vocab", "vocabulary", type=FOLDER, metavar="DIR", help="Another vocabulary than the demonstration's own."
)
@click.option(
    "--sites",
    "folders",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="A folder that has other versions of the three site folders; may be repeated.",
)
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]),
    metavar="DATE",
    help="The day on which the gate decides; a late one finds its waivers expired.  [default: the clock's]",
)
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def run(
    ctx: click.Context,
    patients: int,
    seed: int,
    out: Path,
    vocabulary: Path | None,
    folders: tuple[Path, ...],
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    today: datetime | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Generate three hospitals and map them into one CDM.

    The extracts are generated anew only where patients or seed differ from those in DIR. Prints a line a hospital; the
    digest is the same wherever the rows are, on every engine. Exit code 1 says that the gate of one is closed.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=out / "lake", writes_snapshot=True)
    given = Given(ctx)
    out = given.new_folder("out", out)
    if vocabulary is not None:
        vocabulary = given.folder("vocab", vocabulary)
    if folders:
        folders = given.sites(folders)
    given.check()

    from dure.demo.consortium import Demonstration, closing_lines, table_lines
    from dure.engine import EngineOptions

    options = EngineOptions.parse(engine, master, threads, memory)
    day = (today or datetime.now().astimezone()).date()
    asked = Demonstration(out, patients, seed, folders, vocabulary, options, day)
    results = asked.run(report)
    report.done()
    for line in (*table_lines(results), "", *closing_lines(asked, results)):
        click.echo(line)
    if any(result.gate_open is False for result in results):
        ctx.exit(int(ExitCode.GATE_CLOSED))
