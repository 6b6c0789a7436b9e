"""`dure run --from --to`: the extracts of many days in their order, each run in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.children import Child, Children
from dure.cli.options import Given
from dure.cli.run_all import facts_in, passed_on, worst
from dure.cli.source_pattern import source_of
from dure.errors import ConfigurationError, ExitCode, Problem

if TYPE_CHECKING:
    from datetime import datetime

    from dure.ledger.facts import RunFacts
    from dure.run.backfill import Day

# What each day has of its own.
_OWN = frozenset({"source", "as_of", "first", "last", "allow_gaps"})
# A day whose gate stays closed was built; the next one goes on from it.
_GOES_ON = (int(ExitCode.PASSED), int(ExitCode.GATE_CLOSED))


def run_backfill(ctx: click.Context, given: Given, *, as_json: bool) -> None:
    """Runs the days, prints what came of each, and ends with the worst exit code; the first failure is the last run."""
    from dure.run.backfill import Standing, days_of

    asked = ctx.params
    name = given.required("site", asked["site"])
    pattern = given.required("source", source_of(asked["source"], name))
    given.folder("vocab", asked["vocab"])
    lake, sites = given.new_folder("lake", asked["lake"]), given.sites(asked["sites"])
    first, last = _day(given, "from", asked["first"]), _day(given, "to", asked["last"])
    given.check()
    if asked["as_of"] or asked["until"]:
        found = "cannot be given with --from and --to"
        raise ConfigurationError(Problem("--as-of, --until", found, "each day of a backfill is its own, and is built"))
    days = days_of(name, sites, lake, str(pattern), first.date(), last.date(), allow_gaps=asked["allow_gaps"])
    codes: dict[str, int] = {}
    json_lines = asked["log_format"] == "json"
    with tempfile.TemporaryDirectory(prefix="dure-backfill-") as folder:
        facts_of = {str(each.day): Path(folder) / f"{each.day}.json" for each in days}
        shared = [*passed_on(ctx, 1, _OWN), *(f"--sites={site.absolute()}" for site in sites)]
        children = [
            Child(
                str(each.day),
                [
                    "run",
                    name,
                    *shared,
                    f"--source={each.folder}",
                    f"--as-of={each.day}",
                    f"--facts={facts_of[str(each.day)]}",
                ],
            )
            for each in days
            if each.standing is Standing.TO_RUN
        ]

        def begins(_: Child) -> bool:
            return all(code in _GOES_ON for code in codes.values())

        def ended(child: Child, code: int) -> None:
            codes[child.name] = code

        try:
            Children(sys.stderr, marked=not json_lines).run(children, 1, begins, ended)
        finally:
            found_facts = {day: facts_in(file) for day, file in facts_of.items()}
            lines = [_document(days, codes, found_facts)] if as_json else _table(days, codes, found_facts)
            for line in lines:
                click.echo(line)
    if code := worst(codes.values()):
        ctx.exit(code)


def _day(given: Given, flag: str, value: datetime | None) -> datetime:
    day: datetime = given.required(flag, value)
    return day


def _document(days: Sequence[Day], codes: dict[str, int], found: dict[str, RunFacts | None]) -> str:
    rows = []
    for each in days:
        facts = found[str(each.day)]
        rows.append(
            {
                "day": str(each.day),
                "standing": each.standing.value,
                "exit_code": codes.get(str(each.day)),
                "run": facts.model_dump(mode="json") if facts else None,
            }
        )
    return json.dumps(rows, ensure_ascii=False, indent=1)


def _table(days: Sequence[Day], codes: dict[str, int], found: dict[str, RunFacts | None]) -> Sequence[str]:
    from dure.cli.columns import columns, number, seconds, text
    from dure.run.backfill import Standing

    head = ("day", "outcome", "exit", "gate", "rows read", "seconds", "snapshot")
    rows = []
    for each in days:
        facts, code = found[str(each.day)], codes.get(str(each.day))
        outcome = each.standing.value
        if each.standing is Standing.TO_RUN:
            outcome = "not begun" if code is None else str(facts.outcome) if facts and facts.outcome else "failed"
        rows.append(
            (
                str(each.day),
                outcome,
                text(code),
                text(facts.gate if facts else None),
                number(facts.rows_read if facts else None),
                seconds(facts.seconds if facts else None),
                text((facts.snapshot if facts else None) or each.snapshot),
            )
        )
    return list(columns(head, rows, frozenset({"exit", "rows read", "seconds"})))
