"""The command line: options, commands, and endings with the exit codes of `dure.errors.ExitCode`.

Results go to standard output, all else to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from dure.cli.commands import cli
from dure.cli.endings import State, apologised, ended_by_signals, failed, stopped
from dure.errors import DureError, ExitCode

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code; nothing but a BaseException that is no error leaves it."""
    state = State()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Korean legacy terminal lacks characters; losing a run for one is worse
            stream.reconfigure(errors="backslashreplace")
    with ended_by_signals():
        try:
            given = None if arguments is None else list(arguments)
            ended = cli.main(given, prog_name="dure", standalone_mode=False, obj=state)
            # What a command gave to `ctx.exit`: findings, differences.
            code = ended if isinstance(ended, int) else int(ExitCode.PASSED)
        except click.ClickException as error:
            error.show()
            code = int(ExitCode.CONFIGURATION)
        except click.Abort as error:
            code = stopped(state, error)
        except DureError as error:
            code = failed(state, error)
        except Exception as error:
            code = apologised(state, error)
    return code
