"""`dure center …`: a module a command."""

from __future__ import annotations

import click

COMMANDS: tuple[click.Command, ...] = ()


@click.group()
def center() -> None:
    """The standards center: receive what hospitals publish, compare them, and serve projects."""


for command in COMMANDS:
    center.add_command(command)
