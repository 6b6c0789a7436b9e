"""`dure show`: one run with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given
from dure.cli.recorded import history_of, ledger_option, tell
from dure.cli.starting import debug_option, example, lake_option, start
from dure.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from dure.ledger.facts import RunFacts


@click.command(
    cls=Command,
    epilog=example("dure show 20260315T023000Z-5f0c9a1e --lake lake", "dure show 20260315T0230 --lake lake --json"),
)
@click.argument("run", metavar="RUN")
@lake_option
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document for programs.")
@debug_option
@click.pass_context
def show(ctx: click.Context, run: str, lake: Path | None, ledger: str | None, as_json: bool, debug: bool) -> None:
    """Show one run: versions, stages, tables with rows and seconds, input files with hashes, verdict and problems.

    RUN is an id that `dure history` lists, the beginning of one, or the name of the snapshot that it made.
    """
    report = start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    lake = given.folder("lake", lake)
    given.check()
    history = history_of(ctx, lake)
    found = history.named(run)
    tell(report, history)
    if len(found) != 1:
        raise ConfigurationError(_not_one(run, found))
    for line in [found[0].model_dump_json(indent=1)] if as_json else _lines(found[0]):
        click.echo(line)


def _not_one(run: str, found: Sequence[RunFacts]) -> Problem:
    if not found:
        return Problem(f"RUN {run}", "no run of this lake has that id", "`dure history` lists them")
    return Problem(f"RUN {run}", f"{len(found)} runs begin so", f"write more of {', '.join(each.id for each in found)}")


def _lines(run: RunFacts) -> Iterator[str]:
    from dure.cli.columns import columns, local, number, percent, seconds, text

    facts = {
        "run": run.id,
        "command": run.command,
        "site": run.site if run.site == run.name else f"{run.site} ({run.name})",
        "started": local(run.started),
        "ended": f"{local(run.ended)}, after {seconds(run.seconds)} s" if run.ended else "-",
        "outcome": f"{run.outcome or 'has not ended'}, exit code {text(run.exit_code)}",
        "gate": f"{run.gate}, score {percent(run.score)}" if run.gate else "-",
        "snapshot": text(run.snapshot),
        "as of": text(run.as_of),
        "target": text(run.target),
        "persons": number(run.persons),
        "engine": f"{text(run.engine)} {run.engine_version or ''}".strip(),
        "vocabulary": f"{run.vocabulary} ({run.vocabulary_digest})" if run.vocabulary else "-",
        "spec": text(run.spec_digest),
        "versions": f"dure {run.dure_version}, CDM {text(run.cdm_version)}, Python {text(run.python_version)}, "
        f"PySpark {text(run.pyspark_version)}, pysail {text(run.pysail_version)}",
        "ran on": f"{run.host} as {run.user}, process {run.pid}" if run.host else "-",
        "lake": run.lake,
    }
    first, *others = [(name, said) for name, said in facts.items() if said != "-"]
    yield from columns(first, others)
    for problem in run.problems:
        yield (
            f"\n{problem.level}: {problem.where}: {problem.found}"
            if problem.where
            else f"\n{problem.level}: {problem.found}"
        )
        if problem.do:
            yield f"    {problem.do}"
    for title, head, rows in _parts(run):
        if rows:
            yield f"\n{title}"
            yield from columns(head, rows, frozenset({"rows", "seconds", "bytes", *_OUTCOMES}))


_OUTCOMES = ("read", "before", "changed", "mapped", "unmapped", "rejected", "excluded", "folded")


def _parts(run: RunFacts) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    from dure.cli.columns import local, number, seconds

    yield "stages", ("stage", "seconds"), [(stage.name, seconds(stage.seconds)) for stage in run.stages]
    yield (
        "sources",
        ("source", *_OUTCOMES),
        [(source.name, *(number(getattr(source, name)) for name in _OUTCOMES)) for source in run.sources],
    )
    took = {each.name: each.seconds for each in run.written if each.stage in ("tables", "derive")}
    yield (
        "tables",
        ("table", "rows", "bytes", "seconds"),
        [(table.name, number(table.rows), number(table.bytes), seconds(took.get(table.name))) for table in run.tables],
    )
    yield (
        "written",
        ("stage", "what", "rows", "seconds"),
        [(each.stage, each.name, number(each.rows), seconds(each.seconds)) for each in run.written],
    )
    yield (
        "input files",
        ("source", "file", "bytes", "modified", "sha256"),
        [(file.source, file.path, number(file.bytes), local(file.modified), file.sha256) for file in run.files],
    )
    yield "files of the site", ("file", "sha256"), [(each.path, each.sha256) for each in run.maps]
