"""`dure publish`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.recorded import ledger_option, record
from dure.cli.starting import (
    FOLDER,
    debug_option,
    example,
    lake_option,
    log_format_option,
    quiet_option,
    site_argument,
    start,
)
from dure.progress import Format

_FILE = click.Path(path_type=Path)


@click.command(
    cls=Command,
    epilog=example(
        "dure publish bada --lake lake --to outbox --key keys/pseudonym.key --sign-key keys/signing.key --dry-run",
        "dure publish 바다병원 --lake lake --to 보낼것/바다.dure --key keys/pseudonym.key --sign-key keys/signing.key"
        " --encrypt-to center.pub",
        "dure publish bada --lake lake --to env:CENTER_DATABASE --profile 과제.yaml --key keys/pseudonym.key",
    ),
)
@site_argument
@lake_option
@click.option(
    "--to",
    metavar="TARGET",
    help="A folder, a file x.dure, x.tar or x.duckdb, postgresql://host/database/schema, env:NAME, file:PATH.",
)
@click.option("--profile", default="center", show_default=True, metavar="P", help="center, unshifted, or a file.")
@click.option("--key", type=_FILE, metavar="FILE", help="The project's key of pseudonyms.  [or DURE_PUBLISH_KEY]")
@click.option("--sign-key", type=_FILE, metavar="FILE", help="The hospital's signing key; packages need one.")
@click.option("--encrypt-to", type=_FILE, metavar="FILE", help="The center's public key; the package becomes one file.")
@click.option("--dry-run", is_flag=True, help="Say what would leave, what not and why; write nothing.")
@click.option("--strict-ddl", is_flag=True, help="PostgreSQL: the CDM's text lengths; what is cut is counted.")
@click.option(
    "--accept-missing-concepts",
    is_flag=True,
    help="PostgreSQL: load rows that name a concept which the vocabulary lacks; their foreign keys are not enforced.",
)
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store.  [default: the one that made the snapshot]")
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@ledger_option
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def publish(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    to: str | None,
    profile: str,
    key: Path | None,
    sign_key: Path | None,
    encrypt_to: Path | None,
    dry_run: bool,
    strict_ddl: bool,
    accept_missing_concepts: bool,
    vocab: Path | None,
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    ledger: str | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Send the snapshot of SITE that passed the gate, de-identified, to TARGET.

    Only the bytes that passed are sent: a snapshot that was not checked, failed or changed since ends in exit code 1,
    with every reason, and the target stays as it was. The profile says what leaves the hospital and in which form.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug, lake=lake)
    given = Given(ctx)
    name, lake, target = given.required("site", site), given.required("lake", lake), given.required("to", to)
    given.check()
    report = record(ctx, report, "publish", site=None if dry_run else name, lake=lake)

    from dure.engine import EngineOptions
    from dure.publish.publish import PublishOptions, publish_site

    published = publish_site(
        PublishOptions(
            site=name,
            to=target,
            lake=lake,
            today=datetime.now().astimezone().date(),
            profile=profile,
            key=key,
            sign_key=sign_key,
            encrypt_to=encrypt_to,
            vocab=vocab,
            strict_ddl=strict_ddl,
            accept_missing_concepts=accept_missing_concepts,
            dry_run=dry_run,
            engine=EngineOptions.parse(engine, master, threads, memory),
        ),
        report,
    )
    report.done()
    report.succeed_publish(published.place)
    if not quiet or dry_run:
        for line in published.lines:
            click.echo(line)
