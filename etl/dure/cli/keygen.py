"""`dure keygen`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from dure.cli.options import Command, Given
from dure.cli.starting import FOLDER, debug_option, example, start
from dure.errors import ConfigurationError, Problem

_DAY = click.DateTime(["%Y-%m-%d", "%Y%m%d"])


@click.command(
    cls=Command,
    epilog=example(
        "dure keygen --out keys",
        "dure keygen --out 센터열쇠 --for center",
        "dure keygen --out keys-2027 --rotate keys/signing.key --site bada --from 2027-01-01",
    ),
)
@click.option("--out", type=FOLDER, metavar="DIR", help="Where the files go; files that are there are never replaced.")
@click.option(
    "--for",
    "owner",
    type=click.Choice(["site", "center"]),
    default="site",
    show_default=True,
    help="site: pseudonyms and signature. center: what packages are encrypted to.",
)
@click.option(
    "--rotate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The signing key that the new one follows: makes a signing pair alone, vouched for by this key.",
)
@click.option("--site", metavar="SITE", help="With --rotate: whose key it is, as the center's registry names it.")
@click.option("--from", "since", type=_DAY, metavar="DATE", help="With --rotate: the first day of the new key.")
@click.option("--until", type=_DAY, metavar="DATE", help="With --rotate: its last day.  [default: none]")
@debug_option
@click.pass_context
def keygen(
    ctx: click.Context,
    out: Path | None,
    owner: Literal["site", "center"],
    rotate: Path | None,
    site: str | None,
    since: datetime | None,
    until: datetime | None,
    debug: bool,
) -> None:
    """Make the keys of a hospital, or of the center, and print their fingerprints.

    Read the fingerprint of a public key to the other side on the phone before it is trusted. Private keys have mode
    0600; keep a copy where only their owner gets at it: without pseudonym.key no later delivery fits an earlier one.
    """
    start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    folder = given.new_folder("out", given.required("out", out)) if out is not None else given.required("out", out)
    given.check()
    together = {"--rotate": rotate, "--site": site, "--from": since}
    if any((*together.values(), until)) and not all(together.values()):
        missing = [name for name, value in together.items() if not value]
        do = "name the old key, the site, and the first day of the new key"
        raise ConfigurationError([Problem(name, "not given, and a rotation needs it", do) for name in missing])

    from dure.publish.keygen import make_keys, make_next_key

    if rotate and site and since:
        if owner != "site":
            raise ConfigurationError(Problem("--for", "center has no signing key to rotate", "leave it out"))
        lines = make_next_key(folder, rotate, site, since.date(), until.date() if until else None)
    else:
        lines = make_keys(folder, owner)
    for line in lines:
        click.echo(line)
