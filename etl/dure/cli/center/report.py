"""`dure center report`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, log_format_option, quiet_option, start
from dure.progress import Format

if TYPE_CHECKING:
    from dure.quality.evidence.report.words import Language


@click.command(
    cls=Command,
    epilog=example(
        "dure center report --store center --out report --vocab lake/vocab/v5.0-1a2b3c",
        "dure center report --store 센터 --out 보고서 --lang ko --threshold 20",
    ),
)
@option("--store", type=FOLDER, metavar="DIR", help="The folder of the center's deliveries.")
@click.option("--out", type=FOLDER, metavar="DIR", help="Where report.html, report.json and the lists are written.")
@option(
    "--vocab",
    type=FOLDER,
    metavar="DIR",
    help="A vocabulary store: names of concepts and steps of the hierarchy; without it, ids alone.",
)
@click.option(
    "--hospitals",
    type=FOLDER,
    metavar="FILE",
    help="Who may send, to name who has not.  [default: hospitals.yaml in the store]",
)
@click.option(
    "--threshold",
    type=click.IntRange(min=10),
    default=10,
    show_default=True,
    help="Counts of fewer persons or records are not shown, nor what would tell them.",
)
@option(
    "--lang",
    type=click.Choice(["en", "ko"]),
    default="en",
    show_default=True,
    help="The language that the page opens in; it can be switched.",
)
@option(
    "--today",
    type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]),
    metavar="DATE",
    help="The day from which ages of deliveries are counted.  [default: the clock's]",
)
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def report(
    ctx: click.Context,
    store: Path | None,
    out: Path | None,
    vocab: Path | None,
    hospitals: Path | None,
    threshold: int,
    lang: Language,
    today: datetime | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Compare what all hospitals delivered last, and propose a common map.

    Writes one page (Korean and English, without a network), the same as JSON, and as CSV where hospitals map a code to
    different concepts, the proposed map for the mapping desk, and the codes without a proposal. Prints the page's path.
    """
    progress = start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    store, out = given.folder("store", store), given.new_folder("out", out)
    if vocab is not None:
        given.folder("vocab", vocab)
    given.check()

    import pyarrow as pa

    from dure.center.report.command import ReportOptions, make_report
    from dure.center.report.written import PAGE

    # The codes of all hospitals are many large columns, read once: this pool gives their memory back.
    pa.set_memory_pool(pa.system_memory_pool())
    made = make_report(
        ReportOptions(
            store=store,
            registry=hospitals,
            vocab=vocab,
            out=out,
            threshold=threshold,
            language=lang,
            today=(today or datetime.now().astimezone()).date(),
        ),
        progress,
    )
    progress.done()
    if not quiet:
        click.echo(f"report: {out / PAGE}")
        click.echo(
            f"hospitals: {made.hospitals:,}; codes that differ: {made.differing:,}; codes proposed: {made.proposed:,}"
        )
