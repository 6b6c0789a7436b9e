"""The commands at the top, and the groups of others: each reads its options and calls the layer below.

Heavy imports stay inside the commands: `dure --help` and `dure path` answer at once.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dure.cli.check import check
from dure.cli.demo import demo
from dure.cli.forget import forget
from dure.cli.init import init
from dure.cli.keygen import keygen
from dure.cli.options import Command, Given, option
from dure.cli.publish import publish
from dure.cli.starting import (
    FOLDER,
    debug_option,
    example,
    lake_option,
    log_format_option,
    print_path,
    quiet_option,
    site_argument,
    sites_option,
    start,
)
from dure.cli.vocab import vocab
from dure.errors import ConfigurationError, ExitCode, Problem
from dure.progress import Format


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=example("dure run synthea --source extract --vocab athena --lake lake"),
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
    epilog=example(
        "dure run synthea --source extract --vocab athena --lake lake --as-of 2026-03-15",
        "dure run 바다병원 --sites 병원설정 --source 자료/2026-03 --vocab lake/vocab/v5.0-1a2b3c --lake lake",
    ),
)
@site_argument
@option("--source", type=FOLDER, metavar="DIR", help="The hospital's extract.")
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store, or a folder of Athena's CSV files.")
@lake_option
@sites_option
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
@click.option("--no-check", is_flag=True, help="Build the snapshot without checking it; `dure check` does that later.")
@quiet_option
@log_format_option
@debug_option
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
    no_check: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Map the extract of SITE into a new snapshot of the CDM, and check whether it may leave the hospital.

    Prints a summary of what became of every source row, then the verdict of the gate. The snapshot becomes the latest
    only when it is whole, and the one that `dure path` names when the gate opens for it; a run that stops for any
    reason leaves the one before. Exit code 1 says that the snapshot was built and the gate is closed.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake, writes_snapshot=True)
    given = Given(ctx)
    name, source, vocab = given.required("site", site), given.folder("source", source), given.folder("vocab", vocab)
    lake, sites = given.new_folder("lake", lake), given.sites(sites)
    given.check()

    from dure.engine import EngineOptions

    options = EngineOptions.parse(engine, master, threads, memory)

    from dure.run import RunOptions, proving, run_site

    unproved = no_check or until is not None
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
        prove=None if unproved else proving(datetime.now().astimezone().date(), report),
    )
    report.done()
    for problem in result.warnings:
        if problem not in report.warned:
            report.warn(problem)
    if not quiet:
        for line in result.lines:
            click.echo(line)
    if result.gate_open is False:
        ctx.exit(int(ExitCode.GATE_CLOSED))


@cli.command(
    cls=Command,
    epilog=example(
        "dure validate synthea",
        "dure validate 바다병원 --sites 병원설정 --source 자료/2026-03",
    ),
)
@site_argument
@option("--source", type=FOLDER, metavar="DIR", help="The hospital's extract, to check the columns of its files too.")
@sites_option
@quiet_option
@log_format_option
@debug_option
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
    """Check the files of SITE, without reading a row of the extract: the spec, views, maps and opt-outs, and the
    policy, waivers and expectations of the gate.

    Every mistake is reported at once, with file and line.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    name, sites = given.required("site", site), given.sites(sites)
    extract = given.folder("source", source) if source else None
    given.check()

    from dure.landing import header_of
    from dure.quality.gate.site_files import gate_files_too
    from dure.site import load_site, of_one_id
    from dure.site.names import folder_of
    from dure.stages.land import opted_out_of
    from dure.stages.supported import check_supported

    with gate_files_too(folder_of(name, sites)):
        loaded = load_site(name, sites, extract, header_of)
        check_supported(loaded)
        opted_out_of(loaded)
    warnings = (*loaded.warnings, *of_one_id(loaded, sites))
    for problem in warnings:
        report.warn(problem)
    if quiet:
        return
    entries: dict[str, int] = {}
    for table, _, _ in loaded.spec.entries():
        entries[table] = entries.get(table, 0) + 1
    click.echo(f"{name}: no mistakes in {loaded.folder}")
    click.echo(
        f"sources: {len(loaded.spec.sources)}, of them views: {len(loaded.views)}; maps: {len(loaded.maps)}; "
        f"vocabularies: {len(loaded.vocabularies)}; warnings: {len(warnings)}"
    )
    for table, count in entries.items():
        click.echo(f"  {table:<24}{count:>4} {'entry' if count == 1 else 'entries'}")


@cli.command(
    cls=Command,
    epilog=example("dure path synthea --lake lake", 'ls "$(dure path 바다병원 --lake lake --latest --reports)"'),
)
@site_argument
@lake_option
@click.option("--latest", is_flag=True, help="The newest snapshot built, whether or not the gate opened for it.")
@click.option("--reports", is_flag=True, help="The folder of the snapshot's evidence instead of its tables.")
@debug_option
@click.pass_context
def path(ctx: click.Context, site: str | None, lake: Path | None, latest: bool, reports: bool, debug: bool) -> None:
    """Print the folder of SITE's snapshot: the stable way in for other programs.

    It is the newest one that passed the gate; as long as none has, the newest one built.
    """
    start(ctx, None, quiet=True, debug=debug)
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
    print_path(folder)


cli.add_command(check)
cli.add_command(demo)
cli.add_command(init)
cli.add_command(vocab)
cli.add_command(forget)
cli.add_command(keygen)
cli.add_command(publish)
