"""`dure demo score`."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command, Given
from dure.cli.starting import FOLDER, debug_option, example, lake_option, start


@click.command(
    cls=Command,
    epilog=example(
        "dure demo score demo/extract/truth --lake demo/lake",
        "dure demo score demo/extract/truth --lake demo/lake --of bada --missing 20",
    ),
)
@click.argument("truth", type=FOLDER, metavar="TRUTH_DIR")
@lake_option
@click.option("--of", "only", multiple=True, metavar="SITE", help="Only this hospital; may be repeated.")
@click.option(
    "--missing",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Also the N concepts of which most facts are missing, or rows unexplained.  [default: 0]",
)
@debug_option
@click.pass_context
def score(ctx: click.Context, truth: Path, lake: Path | None, only: tuple[str, ...], missing: int, debug: bool) -> None:
    """Compare the newest snapshots in the lake with what `dure demo generate` wrote into TRUTH_DIR.

    A fact is a person, table, concept, start date, value, operator, category and unit. Found is the share of the facts
    that are in the snapshot; surplus are the rows that no fact explains.
    """
    start(ctx, None, quiet=True, debug=debug, lake=lake)
    given = Given(ctx)
    folder, lake = given.folder("truth", truth), given.folder("lake", lake)
    given.check()

    from dure.demo.score import score_lake, score_lines

    for one in score_lake(folder, lake, only):
        for line in score_lines(one, missing):
            click.echo(line)
