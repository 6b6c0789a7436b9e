"""`dure check`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given, option
from dure.cli.recorded import ledger_option, record, webhook_option
from dure.cli.starting import (
    FOLDER,
    debug_option,
    example,
    lake_option,
    log_format_option,
    quiet_option,
    site_argument,
    sites_option,
    start,
)
from dure.errors import ExitCode
from dure.progress import Format

if TYPE_CHECKING:
    from dure.quality.evidence.report.words import Language


@click.command(
    cls=Command,
    epilog=example(
        "dure check bada --lake lake --lang ko",
        "dure check 바다병원 --lake lake --tables measurement --checks 'field_isforeignkey_*'",
        "dure check --explain field_isrequired_person_year_of_birth",
    ),
)
@site_argument
@lake_option
@sites_option
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store.  [default: the one that made the snapshot]")
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@click.option("--tables", metavar="NAMES", help="Only the checks of these tables, such as person,measurement.")
@click.option(
    "--checks", metavar="PATTERNS", help="Only checks with these ids or types, such as 'fkDomain,*_person_*'."
)
@click.option("--explain", metavar="CHECK", help="Say what a check means and how to find its rows; check nothing.")
@option(
    "--lang",
    type=click.Choice(["en", "ko"]),
    default="en",
    show_default=True,
    help="The language of report.html.",
)
@option(
    "--data-docs",
    type=FOLDER,
    metavar="DIR",
    help="Also build Great Expectations' Data Docs in this folder; they open offline and hold counts only.",
)
@option(
    "--today",
    type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]),
    metavar="DATE",
    help="The day of the checks, for limits that move and waivers that expire.  [default: the clock's]",
)
@ledger_option
@webhook_option
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def check(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    sites: tuple[Path, ...],
    vocab: Path | None,
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    tables: str | None,
    checks: str | None,
    explain: str | None,
    lang: Language,
    data_docs: Path | None,
    today: datetime | None,
    ledger: str | None,
    webhook: str | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Check the newest snapshot of SITE and decide whether it may leave the hospital.

    Runs every check of the catalogue, writes the evidence into the folder that `dure path SITE --reports` prints, and
    opens or closes the gate by the policy. Exit code 1 says that the gate is closed. --tables and --checks run a part,
    print it, and decide nothing.
    """
    if explain:
        start(ctx, log_format, quiet=quiet, debug=debug)
        from dure.quality.explain import explained

        for line in explained(explain):
            click.echo(line)
        return
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    name, lake, sites = given.required("site", site), given.required("lake", lake), given.sites(sites)
    given.check()
    report = record(ctx, report, "check", site=name, lake=lake)

    from dure.engine import EngineOptions
    from dure.quality.check import Pages, Selection
    from dure.quality.command import CheckOptions, check_site

    checked = check_site(
        CheckOptions(
            site=name,
            lake=lake,
            sites=sites,
            vocab=vocab,
            engine=EngineOptions.parse(engine, master, threads, memory),
            today=(today or datetime.now().astimezone()).date(),
            selection=Selection(_names(tables), _names(checks)),
            pages=Pages(lang, data_docs),
        ),
        report,
    )
    report.succeed_check(checked.open, decides=not (tables or checks))
    if not quiet:
        for line in checked.lines:
            click.echo(line)
    if not checked.open:
        ctx.exit(int(ExitCode.GATE_CLOSED))


def _names(written: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (written or "").split(",") if part.strip())
