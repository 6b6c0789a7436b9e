"""`dure center catalogue`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, log_format_option, quiet_option, start
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example(
        "dure center catalogue --store center --out public --vocab lake/vocab/v5.0-29-FEB-24-049ef22a69fb",
        "dure center catalogue --store 센터 --out 공개 --sites consortium --threshold 20 --round 100",
    ),
)
@option("--store", type=FOLDER, metavar="DIR", help="The center's store.")
@click.option("--out", type=FOLDER, metavar="DIR", help="Where catalogue.json, .html and .csv are written.")
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store: the names of concepts; without it, ids alone.")
@click.option(
    "--threshold",
    type=click.IntRange(min=10),
    default=10,
    show_default=True,
    help="Counts of fewer persons are hidden, and what would let one compute them.",
)
@click.option(
    "--round", "step", type=click.IntRange(min=1), default=10, show_default=True, help="Multiples to round to."
)
@click.option(
    "--sites",
    "places",
    type=click.Choice(["named", "consortium"]),
    default="named",
    show_default=True,
    help="Counts by hospital, or by consortium.",
)
@click.option(
    "--new-form", is_flag=True, help="Allow another threshold, rounding or --sites than the store had before."
)
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def catalogue(
    ctx: click.Context,
    store: Path | None,
    out: Path | None,
    vocab: Path | None,
    threshold: int,
    step: int,
    places: str,
    new_form: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Write what may be shown to researchers and companies who ask what data there is.

    Persons and records by concept, place and year, rounded, without small counts and without anything from which one
    could be computed: a page (Korean and English) to be opened or sent as it is, the same as JSON, and as CSV.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    store, out = given.folder("store", store), given.new_folder("out", out)
    if vocab is not None:
        given.folder("vocab", vocab)
    given.check()

    from dure.center.catalogue.catalogue import PAGE_FILE, CatalogueOptions, make_catalogue
    from dure.vocab.store import open_store

    made = make_catalogue(
        CatalogueOptions(
            store=store,
            out=out,
            day=datetime.now().astimezone().date(),
            threshold=threshold,
            step=step,
            places="named" if places == "named" else "consortium",
            new_form=new_form,
        ),
        open_store(vocab) if vocab else None,
        report,
    )
    report.done()
    if not quiet:
        click.echo(f"catalogue: {out / PAGE_FILE}")
        click.echo(
            f"concepts: {made.concepts:,}, with totals of all counts: {made.totals_of_all:,}; "
            f"counts: {made.cells:,}, hidden: {made.hidden:,}"
        )
