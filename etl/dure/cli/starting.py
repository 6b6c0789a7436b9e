"""How every command begins: the options that many share, the reporter of its progress, and what it prints alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dure.cli.endings import State
from dure.cli.options import option
from dure.progress import FORMATS, Format, Reporter, reporter

FOLDER = click.Path(path_type=Path)
site_argument = click.argument("site", required=False, envvar="DURE_SITE", metavar="SITE")
lake_option = option("--lake", type=FOLDER, metavar="DIR", help="The folder of all snapshots and vocabulary stores.")
sites_option = option(
    "--sites",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="A folder of site folders; may be repeated. Without it: ./sites, then the examples that come with Dure.",
)
debug_option = click.option(
    "--debug", is_flag=True, help="Print the traceback of an error; it may show values of patients."
)
log_format_option = option(
    "--log-format",
    type=click.Choice(FORMATS),
    help="How progress is written. Without it: rich on a terminal, else plain.",
)
quiet_option = option("--quiet", is_flag=True, help="Print warnings and errors only.")

_engine_options = (
    option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port."),
    option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs."),
    option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]"),
    option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]"),
)


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--engine, --master, --threads and --memory."""
    for each in reversed(_engine_options):
        command = each(command)
    return command


def example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def start(
    ctx: click.Context,
    log_format: Format | None,
    *,
    quiet: bool,
    debug: bool,
    lake: Path | None = None,
    writes_snapshot: bool = False,
) -> Reporter:
    state = ctx.ensure_object(State)
    state.reporter = reporter(log_format, quiet=quiet)
    state.debug, state.lake, state.writes_snapshot = debug, lake, writes_snapshot
    return state.reporter


def print_path(folder: Path) -> None:
    """In the bytes that the file system knows it by, whatever the terminal's encoding."""
    click.echo(os.fsencode(folder))
