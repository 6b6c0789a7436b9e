"""`dure validate`: the files of a site, without a row of its extract."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import (
    FOLDER,
    debug_option,
    example,
    log_format_option,
    quiet_option,
    site_argument,
    sites_option,
    start,
)
from dure.progress import Format


@click.command(
    cls=Command,
    epilog=example(
        "dure validate synthea",
        "dure validate 바다병원 --sites 병원설정 --source 자료/2026-03",
    ),
)
@site_argument
@option("--source", type=FOLDER, metavar="DIR", help="The hospital's extract, to check the columns of its files too.")
@click.option("--connect", is_flag=True, help="With --source: ask databases for the columns of their queries too.")
@sites_option
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def validate(
    ctx: click.Context,
    site: str | None,
    source: Path | None,
    connect: bool,
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

    from dure.landing import header_of, header_of_files
    from dure.quality.gate.site_files import gate_files_too
    from dure.site import load_site, of_one_id
    from dure.site.names import folder_of
    from dure.stages.land import opted_out_of
    from dure.stages.supported import check_supported

    with gate_files_too(folder_of(name, sites)):
        loaded = load_site(name, sites, extract, header_of if connect else header_of_files)
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
