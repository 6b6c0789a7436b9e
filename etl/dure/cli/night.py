"""The options of an unattended run: when it stops, whether it begins anew, what it asks of the disk and leaves on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from dure.cli.options import option
from dure.cli.retention import retention_options
from dure.errors import ConfigurationError, Problem

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def night_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --restart, --deadline, --no-disk-check and the options of retention."""
    command = retention_options(command)
    for decorate in (
        option("--no-disk-check", is_flag=True, help="Do not ask first whether the disk has room for the run."),
        option("--deadline", metavar="HH:MM", help="Stop between two stages at this time; the next run goes on there."),
        click.option("--restart", is_flag=True, help="Begin anew where a run that was cut off could be gone on with."),
    ):
        command = decorate(command)
    return command


def next_occurrence(time: str | None, now: datetime) -> datetime | None:
    """The next moment after `now`, which has a zone, at which local clocks show a time such as 06:30.

    None where no time is given; ConfigurationError for one that no clock shows.
    """
    if time is None:
        return None
    found = _TIME.fullmatch(time.strip())
    if found is None:
        raise ConfigurationError(Problem("--deadline", f"'{time}' is no time of day", "write HH:MM, such as 06:30"))
    local = now.astimezone()
    for days in (0, 1):
        # By the wall clock, so that a night with a change to summer time ends when people's clocks say so.
        naive = (local + timedelta(days=days)).replace(tzinfo=None, second=0, microsecond=0)
        moment = naive.replace(hour=int(found[1]), minute=int(found[2])).astimezone()
        if moment > now:
            break
    return moment
