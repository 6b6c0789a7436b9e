"""`dure demo …`: a module a command."""

from __future__ import annotations

import click

from dure.cli.demo.center import center
from dure.cli.demo.generate import generate
from dure.cli.demo.run import run
from dure.cli.demo.score import score


@click.group()
def demo() -> None:
    """Three generated hospitals: what Dure makes of them, measured against the truth."""


for command in (generate, run, score, center):
    demo.add_command(command)
