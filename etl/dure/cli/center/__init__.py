"""`dure center …`: a module a command."""

from __future__ import annotations

import click

from dure.cli.center.audit import audit
from dure.cli.center.catalogue import catalogue
from dure.cli.center.extract import extract
from dure.cli.center.receive import receive
from dure.cli.center.report import report

COMMANDS: tuple[click.Command, ...] = (audit, catalogue, extract, receive, report)


@click.group()
def center() -> None:
    """The standards center: receive what hospitals publish, compare them, and serve projects."""


for command in COMMANDS:
    center.add_command(command)
