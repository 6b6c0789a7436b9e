"""The options that say which snapshots stay, as `dure run` and `dure prune` share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dure.cli.options import option

if TYPE_CHECKING:
    from dure.snapshot.pruning import Retention


def retention_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --keep, --keep-days and --keep-reports."""
    for decorate in (
        option("--keep-reports", type=click.IntRange(min=0), metavar="N", help="Keep the evidence of the newest N."),
        option("--keep-days", type=click.IntRange(min=0), metavar="N", help="Keep also what is younger than N days."),
        option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N snapshots.  [default: all]"),
    ):
        command = decorate(command)
    return command


def retention(keep: int | None, keep_days: int | None, keep_reports: int | None) -> Retention | None:
    """The policy; None where all snapshots stay."""
    from dure.snapshot.pruning import Retention

    return Retention(keep, keep_days or 0, keep_reports or 0) if keep else None
