"""The commands: each reads its options and calls the layer below.

Heavy imports stay inside the commands: `dure --help` and `dure path` answer at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dure.cli.endings import State
from dure.cli.options import Command, Given, option
from dure.errors import ConfigurationError, Problem
from dure.progress import FORMATS, Format, Reporter, reporter

_FOLDER = click.Path(path_type=Path)
_site = click.argument("site", required=False, envvar="DURE_SITE", metavar="SITE")
_lake = option("--lake", type=_FOLDER, metavar="DIR", help="The folder of all snapshots and vocabulary stores.")
_sites = option(
    "--sites",
    type=_FOLDER,
    multiple=True,
    metavar="DIR",
    help="A folder of site folders; may be repeated. Without it: ./sites, then the examples that come with Dure.",
)
_debug = click.option("--debug", is_flag=True, help="Print the traceback of an error; it may show values of patients.")
_log_format = option(
    "--log-format",
    type=click.Choice(FORMATS),
    help="How progress is written. Without it: rich on a terminal, else plain.",
)
_quiet = option("--quiet", is_flag=True, help="Print warnings and errors only.")


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_example("dure run synthea --source extract --vocab athena --lake lake"),
)
@click.version_option(package_name="dure", message="%(prog)s %(version)s")
def cli() -> None:
    """Map a hospital's extract into the OMOP Common Data Model 5.4 and prove the result.

    Options may also stand in dure.yaml in the working directory (lake: /data/lake) or in the environment
    (DURE_LAKE=/data/lake); the environment goes before the file, a flag before both.

    Exit codes: 0 done, 1 gate closed, 2 configuration, 3 extract unreadable, 4 another run holds the site, 70 a bug.
    """


@cli.command(
    cls=Command,
    epilog=_example(
        "dure run synthea --source extract --vocab athena --lake lake --as-of 2026-03-15",
        "dure run 바다병원 --sites 병원설정 --source 자료/2026-03 --vocab lake/vocab/v5.0-1a2b3c --lake lake",
    ),
)
@_site
@option("--source", type=_FOLDER, metavar="DIR", help="The hospital's extract.")
@option("--vocab", type=_FOLDER, metavar="DIR", help="A vocabulary store, or a folder of Athena's CSV files.")
@_lake
@_sites
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]),
    metavar="DATE",
    help="The day that closes open visits and caps periods.  [default: the spec's extract_date]",
)
@click.option("--until", metavar="STAGE", help="Stop after this stage; the snapshot does not become the latest.")
@click.option("--full", is_flag=True, help="Map everything anew, whatever an earlier run left.")
@_quiet
@_log_format
@_debug
@click.pass_context
def run(
    ctx: click.Context,
    site: str | None,
    source: Path | None,
    vocab: Path | None,
    lake: Path | None,
    sites: tuple[Path, ...],
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    as_of: datetime | None,
    until: str | None,
    full: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Map the extract of SITE into a new snapshot of the CDM.

    Prints a summary of what became of every source row. The snapshot becomes the one that `dure path` names only when
    it is whole; a run that stops for any reason leaves the one before.
    """
    report = _start(ctx, log_format, quiet=quiet, debug=debug, lake=lake, writes_snapshot=True)
    given = Given(ctx)
    name, source, vocab = given.required("site", site), given.folder("source", source), given.folder("vocab", vocab)
    lake, sites = given.new_folder("lake", lake), given.sites(sites)
    given.check()

    from dure.engine import EngineOptions

    options = EngineOptions.parse(engine, master, threads, memory)

    from dure.run import RunOptions, run_site

    result = run_site(
        RunOptions(
            site=name,
            source=source,
            vocab=vocab,
            lake=lake,
            sites=sites,
            engine=options,
            as_of=as_of.date() if as_of else None,
            until=until,
            full=full,
        ),
        report,
    )
    report.done()
    for problem in result.warnings:
        if problem not in report.warned:
            report.warn(problem)
    if not quiet:
        for line in result.lines:
            click.echo(line)


@cli.command(
    cls=Command,
    epilog=_example(
        "dure validate synthea",
        "dure validate 바다병원 --sites 병원설정 --source 자료/2026-03",
    ),
)
@_site
@option("--source", type=_FOLDER, metavar="DIR", help="The hospital's extract, to check the columns of its files too.")
@_sites
@_quiet
@_log_format
@_debug
@click.pass_context
def validate(
    ctx: click.Context,
    site: str | None,
    source: Path | None,
    sites: tuple[Path, ...],
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Check the spec, the views and the maps of SITE, without reading a row.

    Every mistake is reported at once, with file and line.
    """
    report = _start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    name, sites = given.required("site", site), given.sites(sites)
    extract = given.folder("source", source) if source else None
    given.check()

    from dure.landing import header_of
    from dure.site import load_site
    from dure.stages.supported import check_supported

    loaded = load_site(name, sites, extract, header_of)
    check_supported(loaded)
    for problem in loaded.warnings:
        report.warn(problem)
    if quiet:
        return
    entries: dict[str, int] = {}
    for table, _, _ in loaded.spec.entries():
        entries[table] = entries.get(table, 0) + 1
    click.echo(f"{name}: no mistakes in {loaded.folder}")
    click.echo(
        f"sources: {len(loaded.spec.sources)}, of them views: {len(loaded.views)}; maps: {len(loaded.maps)}; "
        f"vocabularies: {len(loaded.vocabularies)}; warnings: {len(loaded.warnings)}"
    )
    for table, count in entries.items():
        click.echo(f"  {table:<24}{count:>4} {'entry' if count == 1 else 'entries'}")


@cli.group()
def vocab() -> None:
    """Vocabulary stores: Athena's files as Parquet, one folder a release."""


@vocab.command(
    cls=Command,
    epilog=_example("dure vocab load athena --lake lake", 'STORE="$(dure vocab load athena --lake lake --quiet)"'),
)
@click.argument("directory", type=_FOLDER, metavar="DIR")
@_lake
@_quiet
@_log_format
@_debug
@click.pass_context
def load(
    ctx: click.Context, directory: Path, lake: Path | None, quiet: bool, log_format: Format | None, debug: bool
) -> None:
    """Turn the Athena download in DIR into a vocabulary store of the lake.

    Prints the folder of the store, for --vocab, and how many rows each table has (--quiet: the folder alone). The same
    content is stored once.
    """
    report = _start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    directory, lake = given.folder("directory", directory), given.new_folder("lake", lake)
    given.check()

    from dure.snapshot.durable import lake_access, make_folder, private_files
    from dure.snapshot.lake import Lake
    from dure.vocab.load import load_athena

    stores = Lake(lake).stores
    with private_files(), lake_access(stores):
        make_folder(stores)
        store = load_athena(directory, stores, report)
    report.done()
    _print_path(store.folder)
    if not quiet:
        for line in _counts(store.counts):
            click.echo(line)


def _counts(counts: Mapping[str, Any]) -> Iterator[str]:
    """A line a table: its rows, and how many of them name a concept that the release lacks."""
    dangling = counts.get("dangling", {})
    for table, rows in counts["rows"].items():
        line = f"  {table:<24}{rows:>14,} rows"
        if dangling.get(table):
            line += f", {dangling[table]:,} of them name a concept that is not in this download"
        yield line
    if counts.get("absent"):
        yield f"  not in this download, so stored empty: {', '.join(counts['absent'])}"


@cli.command(
    cls=Command,
    epilog=_example("dure path synthea --lake lake", 'ls "$(dure path 바다병원 --lake lake --latest --reports)"'),
)
@_site
@_lake
@click.option("--latest", is_flag=True, help="The newest snapshot built, whether or not the gate opened for it.")
@click.option("--reports", is_flag=True, help="The folder of the snapshot's evidence instead of its tables.")
@_debug
@click.pass_context
def path(ctx: click.Context, site: str | None, lake: Path | None, latest: bool, reports: bool, debug: bool) -> None:
    """Print the folder of SITE's snapshot: the stable way in for other programs.

    It is the newest one that passed the gate; as long as none has, the newest one built.
    """
    _start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    name, lake = given.required("site", site), given.required("lake", lake)
    given.check()

    from dure.snapshot.lake import Lake

    of_site = Lake(lake).called(name)
    folder = of_site.latest() if latest else of_site.current()
    if reports:
        folder = of_site.reports(folder.name)
        if not folder.is_dir():
            raise ConfigurationError(Problem(str(folder), "no such folder", "restore it, or run the site again"))
    _print_path(folder)


def _start(
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


def _print_path(folder: Path) -> None:
    """In the bytes that the file system knows it by, whatever the terminal's encoding."""
    click.echo(os.fsencode(folder))
