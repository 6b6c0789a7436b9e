"""`dure forget`."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import (
    debug_option,
    example,
    lake_option,
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
        "dure forget bada --lake lake --keys forget.csv",
        "dure forget 바다병원 --sites 병원설정 --lake lake --keys 삭제.csv",
    ),
)
@site_argument
@lake_option
@sites_option
@click.option(
    "--keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Whom to forget, in the form of exclusions.csv: the parts of the patient key, date, reason.",
)
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def forget(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    sites: tuple[Path, ...],
    keys: Path | None,
    engine: str,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Remove persons from everything that the lake keeps of SITE, for good.

    Their rows go from the landed extracts, the rejects, the failures, the crosswalks and every snapshot; later runs
    leave them out; the next delivery names the pseudonyms to delete. A snapshot that changes must be checked anew.
    Stopped half-way, the same command finishes.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    name, lake, sites = given.required("site", site), given.folder("lake", lake), given.sites(sites)
    keys = given.required("keys", keys)
    given.check()

    from dure.engine import EngineOptions
    from dure.publish.forgetting.forget import ForgetOptions, forget_site

    result = forget_site(ForgetOptions(name, keys, lake, sites, EngineOptions.parse(engine)), report)
    report.done()
    for problem in result.warnings:
        report.warn(problem)
    if not quiet:
        for line in result.lines:
            click.echo(line)
