"""`dure keygen`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from dure.cli.options import Command, Given
from dure.cli.starting import FOLDER, debug_option, example, start


@click.command(cls=Command, epilog=example("dure keygen --out keys", "dure keygen --out 센터열쇠 --for center"))
@click.option("--out", type=FOLDER, metavar="DIR", help="Where the files go; files that are there are never replaced.")
@click.option(
    "--for",
    "owner",
    type=click.Choice(["site", "center"]),
    default="site",
    show_default=True,
    help="site: pseudonyms and signature. center: what packages are encrypted to.",
)
@debug_option
@click.pass_context
def keygen(ctx: click.Context, out: Path | None, owner: Literal["site", "center"], debug: bool) -> None:
    """Make the keys of a hospital, or of the center, and print their fingerprints.

    Read the fingerprint of a public key to the other side on the phone before it is trusted. Private keys have mode
    0600; keep a copy where only their owner gets at it: without pseudonym.key no later delivery fits an earlier one.
    """
    start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    folder = given.new_folder("out", given.required("out", out)) if out is not None else given.required("out", out)
    given.check()

    from dure.publish.keygen import make_keys

    for line in make_keys(folder, owner):
        click.echo(line)
