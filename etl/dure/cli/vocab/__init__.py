"""`dure vocab …`: a module a command."""

from __future__ import annotations

import click

from dure.cli.vocab.load import load


@click.group()
def vocab() -> None:
    """Vocabulary stores (Athena's files as Parquet, one folder a release) and the maps of local codes."""


for command in (load,):
    vocab.add_command(command)
