"""`dure vocab …`: a module a command."""

from __future__ import annotations

import click

from dure.cli.vocab.compare import compare
from dure.cli.vocab.convert import convert
from dure.cli.vocab.coverage import coverage
from dure.cli.vocab.diff import diff
from dure.cli.vocab.lint import lint
from dure.cli.vocab.load import load
from dure.cli.vocab.local import local
from dure.cli.vocab.suggest import suggest


@click.group()
def vocab() -> None:
    """Vocabulary stores (Athena's files as Parquet, one folder a release) and the maps of local codes."""


for command in (compare, convert, coverage, diff, lint, load, local, suggest):
    vocab.add_command(command)
