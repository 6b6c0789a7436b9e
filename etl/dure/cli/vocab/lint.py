"""`dure vocab lint`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, lake_option, quiet_option, start
from dure.errors import ConfigurationError, ExitCode, Problem
from dure.progress import Reporter

if TYPE_CHECKING:
    from dure.vocab.lint import Finding
    from dure.vocab.lint.linted import Concepts
    from dure.vocab.maps import MapTable

_SEVERITIES = ("error", "warning", "info")


@click.command(
    cls=Command,
    epilog=example(
        "dure vocab lint maps/edi.csv maps/검사.xlsx",
        "dure vocab lint maps/*.csv --vocab lake/vocab/v5.0-1a2b3c --format json",
        "dure vocab lint maps/edi.csv --fix --dry-run",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES...")
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store, or Athena's files: checks the targets too.")
@lake_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--severity", type=click.Choice(_SEVERITIES), default="info", show_default=True, help="Leave out what weighs less."
)
@click.option("--own", multiple=True, metavar="ID", help="A source vocabulary of your own; may be repeated.")
@click.option("--many-targets", multiple=True, metavar="ID", help="A source vocabulary whose codes may have several.")
@click.option("--sheet", metavar="NAME", help="The sheet of a workbook.  [default: the first that is a map]")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Lines a rule; 0 for all.")
@click.option("--fix", is_flag=True, help="Make the repairs that are certain, and show the difference.")
@click.option("--dry-run", is_flag=True, help="With --fix: show the difference, change no file.")
@quiet_option
@debug_option
@click.pass_context
def lint(
    ctx: click.Context,
    files: tuple[Path, ...],
    vocab: Path | None,
    lake: Path | None,
    form: str,
    severity: str,
    own: tuple[str, ...],
    many_targets: tuple[str, ...],
    sheet: str | None,
    limit: int,
    fix: bool,
    dry_run: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Find the defects of map files before they become wrong data.

    FILES are maps in any format a run reads: OMOP's source_to_concept_map, Usagi's export, Excel, Dure's own CSV.
    Without --vocab the rules that ask the vocabulary do not run. A site.yaml or consortium.yaml beside the maps says
    which vocabularies are its own and which may have several targets. With --fix the findings are those that remain.

    Exit codes: 0 nothing found, 1 something found, 2 a file cannot be read.
    """
    report = start(ctx, None, quiet=quiet, debug=debug)
    given = Given(ctx)
    if vocab is not None:
        given.folder("vocab", vocab)
    given.check()
    if dry_run and not fix:
        raise ConfigurationError(Problem("--dry-run", "given without --fix", "it shows what --fix would change"))

    from dure.vocab.lint import lint as findings_of
    from dure.vocab.lint.surroundings import declared_around

    tables, problems = _read(files, sheet, report)
    concepts = _concepts(vocab, lake, tables) if vocab is not None else None

    def found_in(table: MapTable) -> list[Finding]:
        declared = declared_around(table.path)
        return findings_of(
            table,
            concepts,
            own=declared.own.union(own),
            many_targets=declared.many_targets.union(many_targets),
            file=str(table.path),
        )

    found: list[Finding] = []
    for table in tables:
        if fix:
            table = _fixed(table, sheet, found_in, dry_run=dry_run, to_stderr=form == "json", report=report)
        found += found_in(table)
    kept = [finding for finding in found if _SEVERITIES.index(finding.severity) <= _SEVERITIES.index(severity)]
    if form == "json":
        _print_json(kept, problems)
    else:
        _print_text(kept, limit, len(tables), asked_vocabulary=concepts is not None, quiet=quiet)
    report.done()
    if problems:
        raise ConfigurationError(problems)
    ctx.exit(int(ExitCode.GATE_CLOSED) if kept else int(ExitCode.PASSED))


def _read(files: Iterable[Path], sheet: str | None, report: Reporter) -> tuple[list[MapTable], list[Problem]]:
    """The maps among the files, and what is wrong with those that are none."""
    from dure.vocab.maps import read_map
    from dure.vocab.maps.grid import FixedListError

    tables: list[MapTable] = []
    problems: list[Problem] = []
    for file in dict.fromkeys(files):
        try:
            tables.append(read_map(file, sheet))
        except FixedListError:
            report.note(f"{file}: a fixed list of values, which `dure validate` checks; left out")
        except ConfigurationError as error:
            problems += error.problems
    return tables, problems


def _concepts(vocab: Path, lake: Path | None, tables: Sequence[MapTable]) -> Concepts:
    import tempfile

    from dure.vocab import open_vocabulary
    from dure.vocab.lint import concepts_of

    if lake is not None:
        from dure.snapshot.durable import lake_access, make_folder, private_files
        from dure.snapshot.lake import Lake

        stores = Lake(lake).stores
        with private_files(), lake_access(stores):
            make_folder(stores)
            return concepts_of(open_vocabulary(vocab, stores), tables)
    with tempfile.TemporaryDirectory(prefix="dure-lint-") as folder:
        return concepts_of(open_vocabulary(vocab, Path(folder)), tables)


def _fixed(
    table: MapTable,
    sheet: str | None,
    found_in: Callable[[MapTable], list[Finding]],
    *,
    dry_run: bool,
    to_stderr: bool,
    report: Reporter,
) -> MapTable:
    """The map after its repairs, which are shown, and written unless it is a dry run."""
    from dure.vocab.lint.repair import repaired, replace_file
    from dure.vocab.maps.grid import read_grid
    from dure.vocab.maps.read import MapTable

    result = repaired(table, sheet, found_in)
    if result is None:
        return table
    click.echo(result.difference, err=to_stderr)
    if dry_run:
        report.note(f"{table.path}: {result.changes} cells or rows would change; nothing is written")
        return MapTable(read_grid(table.path, sheet, result.content))
    try:
        replace_file(table.path, result.content)
    except OSError as error:
        raise ConfigurationError(
            Problem(str(table.path), f"cannot be written: {error.strerror}", "make it writable, or use --dry-run")
        ) from error
    report.note(f"{table.path}: {result.changes} cells or rows changed")
    return MapTable(read_grid(table.path, sheet))


def _print_json(findings: Iterable[Finding], problems: Iterable[Problem]) -> None:
    unreadable = []
    for problem in problems:
        file, _, row = problem.where.rpartition(":")
        known = file and row.isdecimal()
        unreadable.append(
            {
                "file": file if known else problem.where,
                "row": int(row) if known else None,
                "rule": "unreadable",
                "severity": "error",
                "message": problem.found,
                "fix": None,
            }
        )
    click.echo(json.dumps([*(each.as_json() for each in findings), *unreadable], ensure_ascii=False, indent=1))


def _print_text(findings: Sequence[Finding], limit: int, files: int, *, asked_vocabulary: bool, quiet: bool) -> None:
    from dure.vocab.lint import by_rule

    shown: dict[tuple[str, str], int] = {}
    lines = []
    for each in findings:
        number = shown[each.file, each.rule] = shown.get((each.file, each.rule), 0) + 1
        if not limit or number <= limit:
            where = each.file if each.row is None else f"{each.file}:{each.row}"
            fix = f" [--fix: {each.fix}]" if each.fix else ""
            lines.append(f"{where}: {each.severity} {each.rule}: {each.message}{fix}")
    if lines:
        click.echo("\n".join(lines))
    if quiet:
        return
    counts = list(by_rule(findings))
    if lines:
        click.echo()
    for file, rule, severity, count in counts:
        more = f"  ({limit} shown; --limit 0 shows all)" if limit and shown[file, rule] > limit else ""
        click.echo(f"{count:>7,}  {severity:<8} {rule:<30} {file}{more}")
    asked = "" if asked_vocabulary else "; without --vocab targets were not looked up"
    click.echo(f"{len(findings):,} findings in {files} {'map' if files == 1 else 'maps'}{asked}")
