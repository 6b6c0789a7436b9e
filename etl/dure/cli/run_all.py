"""`dure run --all`: every site of a folder, each in a process of its own, and one summary at the end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from dure.cli.children import Child, Children
from dure.cli.night import next_occurrence
from dure.cli.options import Given
from dure.cli.source_pattern import SITE
from dure.errors import ConfigurationError, ExitCode, Problem
from dure.progress import Reporter
from dure.snapshot.durable import lake_access, make_folder, private_files

if TYPE_CHECKING:
    from dure.ledger.facts import RunFacts

# The exit code of all, of those of the sites: the first of these that one of them has. Any other code, such as 137 of a
# process that was killed, comes right after a bug.
WORST_FIRST = (
    ExitCode.BUG,
    None,
    ExitCode.CONFIGURATION,
    ExitCode.SOURCE_UNREADABLE,
    ExitCode.EXTRACT_NOT_READY,
    ExitCode.SITE_LOCKED,
    ExitCode.DEADLINE,
    ExitCode.GATE_CLOSED,
    ExitCode.PASSED,
)
# What the parent does itself, or says in its own words.
_OWN = frozenset({"site", "every", "jobs", "as_json", "log_format", "threads", "facts", "sites"})
# Of a site of which no facts are there.
_OUTCOMES: dict[int | None, str] = {None: "not begun", ExitCode.DEADLINE: "not begun", ExitCode.PASSED: "done"}


def run_all(ctx: click.Context, given: Given, report: Reporter, *, jobs: int, as_json: bool, quiet: bool) -> None:
    """Runs all sites, prints what came of each, and ends with the worst exit code."""
    asked = ctx.params
    sites = _sites(ctx, given)
    given.required("source", asked["source"])
    given.folder("vocab", asked["vocab"])
    lake = given.new_folder("lake", asked["lake"])
    given.check()
    names = _names(sites)
    _check_patterns(names, asked["source"], asked["metrics"])
    with lake_access(lake), private_files():
        make_folder(lake)  # so that the ledger has even a site that fails before it needs the lake
    deadline = next_occurrence(asked.get("deadline"), datetime.now(UTC))

    json_lines = asked["log_format"] == "json"
    with tempfile.TemporaryDirectory(prefix="dure-run-all-") as folder:
        facts_of = {name: Path(folder) / f"{number}.json" for number, name in enumerate(names)}
        shared = [*passed_on(ctx, jobs), *(f"--sites={site.absolute()}" for site in sites)]
        children = [Child(name, ["run", *shared, f"--facts={facts_of[name]}", "--", name]) for name in names]
        codes: dict[str, int] = {}

        def begins(child: Child) -> bool:
            if deadline is not None and datetime.now(UTC) >= deadline:
                codes[child.name] = int(ExitCode.DEADLINE)
                return False
            return True

        def ended(child: Child, code: int) -> None:
            codes[child.name] = code

        try:
            Children(sys.stderr, marked=not json_lines).run(children, jobs, begins, ended)
        finally:
            found = {name: facts_in(file) for name, file in facts_of.items()}
            for name, facts in found.items():
                if facts is not None and facts.outcome is None and name in codes:
                    _end_for(ctx, report, facts, codes[name], lake)
            lines = [_document(names, codes, found)] if as_json else [] if quiet else _table(names, codes, found)
            for line in lines:
                click.echo(line)
    if code := worst(codes.values()):
        ctx.exit(code)


def worst(codes: Iterable[int]) -> int:
    """One exit code of many."""

    def rank(code: int) -> int:
        return WORST_FIRST.index(ExitCode(code) if code in set(map(int, ExitCode)) else None)

    return int(min(codes, key=rank, default=ExitCode.PASSED))


def _sites(ctx: click.Context, given: Given) -> tuple[Path, ...]:
    """The folders that hold the sites; never the examples that come with Dure, unless somebody names them."""
    if ctx.get_parameter_source("site") is ParameterSource.COMMANDLINE and ctx.params["site"]:
        raise ConfigurationError(Problem("--all", "is given together with a SITE", "leave one of the two out"))
    named: tuple[Path, ...] = ctx.params["sites"]
    own = Path.cwd() / "sites"
    if not named and not own.is_dir():
        given.required("sites", None)
    given.sites(named)
    return named or (own,)


def _names(sites: Sequence[Path]) -> list[str]:
    from dure.site.names import site_names

    names = list(dict.fromkeys(site_names(sites)))
    if not names:
        where = ", ".join(map(str, sites))
        raise ConfigurationError(Problem("--sites", f"no site in {where}", "each site is a folder with a site.yaml"))
    return names


def _check_patterns(names: Sequence[str], source: Path, metrics: Path | None) -> None:
    problems = []
    if SITE not in str(source) and len(names) > 1:
        do = f"write {SITE} where the site's name stands, as in 'extracts/{SITE}'"
        problems.append(Problem(f"--source {source}", "is one folder for all sites", do))
    if metrics is not None and metrics.suffix == ".prom" and len(names) > 1:
        do = "name the folder; each site has a file of its own there"
        problems.append(Problem(f"--metrics {metrics}", "is one file for all sites", do))
    if problems:
        raise ConfigurationError(problems)


def passed_on(ctx: click.Context, jobs: int, besides: frozenset[str] = frozenset()) -> list[str]:
    """The flags of this command line that are the children's too; environment and dure.yaml they read themselves.

    `besides` names parameters that are given to each child apart.
    """
    written = ctx.meta["dure.arguments"]
    values, _, _ = ctx.command.make_parser(ctx).parse_args(list(written))
    passed = []
    for parameter in ctx.command.params:
        if parameter.name in _OWN | besides or parameter.name not in values or not isinstance(parameter, click.Option):
            continue
        flag, value = parameter.opts[0], values[parameter.name]
        if parameter.is_flag:
            passed.append(flag)
        else:
            passed += [f"{flag}={each}" for each in (value if parameter.multiple else [value])]
    threads = ctx.params["threads"] or max(1, (os.cpu_count() or 1) // jobs)
    log_format = "json" if ctx.params["log_format"] == "json" else "plain"
    return [*passed, f"--threads={threads}", f"--log-format={log_format}"]


def facts_in(file: Path) -> RunFacts | None:
    """What a child wrote of its run; None where it did not get that far."""
    from dure.ledger.facts import RunFacts

    try:
        return RunFacts.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        return None


def _end_for(ctx: click.Context, report: Reporter, facts: RunFacts, code: int, lake: Path) -> None:
    """Writes for a child whose process is gone what it could not write itself."""
    from dure.cli.recorded import savings
    from dure.ledger.facts import Outcome, ProblemFacts

    killed = f"by signal {code - 128}" if code > 128 else f"with exit code {code}"
    problem = Problem(
        f"site {facts.name}",
        f"its process ended {killed}, without a word",
        "memory may have run out (dmesg tells): give --memory, or fewer --jobs; the snapshot before is unchanged",
    )
    report.warn(problem)
    facts.problems.append(ProblemFacts.of("error", problem))
    now = datetime.now(UTC)
    facts.end(Outcome.DIED, code, now, round((now - facts.started).total_seconds(), 3))
    saves, endings = savings(ctx, report, lake)
    for save in saves:
        save(facts, True)
    from dure.ledger.recording import told

    for ending in endings:
        for trouble in told(ending, facts):
            report.warn(trouble)


def _document(names: Sequence[str], codes: dict[str, int], found: dict[str, RunFacts | None]) -> str:
    rows = []
    for name in names:
        facts = found[name]
        rows.append(
            {"name": name, "exit_code": codes.get(name), "run": facts.model_dump(mode="json") if facts else None}
        )
    return json.dumps(rows, ensure_ascii=False, indent=1)


def _table(names: Sequence[str], codes: dict[str, int], found: dict[str, RunFacts | None]) -> Sequence[str]:
    from dure.cli.columns import columns, number, percent, seconds, text

    head = ("site", "outcome", "exit", "gate", "score", "rows read", "seconds", "snapshot", "run")
    rows = []
    for name in names:
        facts, code = found[name], codes.get(name)
        outcome = (facts.outcome or "has not ended") if facts else _OUTCOMES.get(code, "failed")
        rows.append(
            (
                name,
                str(outcome),
                text(code),
                text(facts.gate if facts else None),
                percent(facts.score if facts else None),
                number(facts.rows_read if facts else None),
                seconds(facts.seconds if facts else None),
                text(facts.snapshot if facts else None),
                text(facts.id if facts else None),
            )
        )
    return list(columns(head, rows, frozenset({"exit", "score", "rows read", "seconds"})))
