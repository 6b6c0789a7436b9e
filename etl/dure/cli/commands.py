"""The commands at the top, and the groups of others: each reads its options and calls the layer below.

Heavy imports stay inside the commands: `dure --help` and `dure path` answer at once.
"""

from __future__ import annotations

import click

from dure.cli.center import center
from dure.cli.check import check
from dure.cli.demo import demo
from dure.cli.forget import forget
from dure.cli.history import history
from dure.cli.init import init
from dure.cli.keygen import keygen
from dure.cli.path import path
from dure.cli.prune import prune
from dure.cli.publish import publish
from dure.cli.rollback import rollback
from dure.cli.run import run
from dure.cli.show import show
from dure.cli.starting import example
from dure.cli.status import status
from dure.cli.validate import validate
from dure.cli.verify import verify
from dure.cli.vocab import vocab


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=example("dure run synthea --source extract --vocab athena --lake lake"),
)
@click.version_option(package_name="dure", message="%(prog)s %(version)s")
def cli() -> None:
    """Map a hospital's extract into the OMOP Common Data Model 5.4 and prove the result.

    Options may also stand in dure.yaml in the working directory (lake: /data/lake) or in the environment
    (DURE_LAKE=/data/lake); the environment goes before the file, a flag before both.

    Exit codes: 0 done, 1 gate closed, 2 configuration, 3 extract unreadable, 4 another run holds the site,
    5 extract missing, late or too small, 6 stopped at the deadline, 70 a bug.
    """


for command in (
    run,
    status,
    history,
    show,
    validate,
    check,
    path,
    publish,
    verify,
    rollback,
    prune,
    forget,
    keygen,
    init,
    vocab,
    demo,
    center,
):
    cli.add_command(command)
