"""`dure demo generate`."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command, Given
from dure.cli.starting import FOLDER, debug_option, example, log_format_option, print_path, quiet_option, start
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example(
        "dure demo generate --patients 1000 --seed 1 --out demo/extract",
        "dure demo generate --patients 1000000 --seed 2 --out /data/시연자료",
    ),
)
@click.option(
    "--patients",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many persons there are; with the same seed, more persons change none of the others.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="S", help="Another seed, other persons."
)
@click.option("--out", type=FOLDER, metavar="DIR", help="Where to write; a folder that this command wrote is replaced.")
@click.option("--force", is_flag=True, help="Replace DIR even where it holds something else.")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def generate(
    ctx: click.Context,
    patients: int,
    seed: int,
    out: Path | None,
    force: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Write the extracts of three hospitals that never were, and the truth about their patients, to DIR.

    haneul (UTF-8, English), bada (CP949, Korean) and gangsan (insurance claims) each become a folder of CSV files,
    with dirt planted; DIR/truth says what they should become in the CDM, and where the dirt belongs.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    folder = given.new_folder("out", out)
    given.check()

    from dure.demo.generate.generate import generate as write

    made = write(patients, seed, folder, report, force=force)
    report.done()
    print_path(folder)
    if not quiet:
        for name, files in made.files.items():
            click.echo(f"  {name:<10}{len(files):>3} files{sum(files.values()):>15,} rows")
        click.echo(f"  {'truth':<10}{made.truth['records']:>23,} records, {made.truth['dirt']:,} rows of dirt")
