"""`dure center extract`."""

from __future__ import annotations

import os
import pwd
from datetime import datetime
from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, log_format_option, quiet_option, start
from dure.progress import Format

_FILE = click.Path(path_type=Path)


@click.command(
    cls=Command,
    epilog=example(
        "dure center extract request.yaml --store center --vocab vocab --to given --key project.key --dry-run",
        "dure center extract 당뇨연구.yaml --store 센터 --vocab vocab --to 제공 --key project.key"
        " --sign-key keys/signing.key --encrypt-to project.pub",
    ),
)
@click.argument("request", type=_FILE)
@option("--store", type=FOLDER, metavar="DIR", help="The center's store.")
@option("--vocab", type=FOLDER, metavar="DIR", help="The vocabulary store that descendants are taken from.")
@click.option("--to", type=FOLDER, metavar="DIR", help="The folder in which the extract becomes a folder or a file.")
@click.option("--key", type=_FILE, metavar="FILE", help="The project's key of pseudonyms.  [or DURE_PUBLISH_KEY]")
@click.option("--sign-key", type=_FILE, metavar="FILE", help="The center's signing key; only a dry run needs none.")
@click.option("--encrypt-to", type=_FILE, metavar="FILE", help="The project's age public key; the result is one file.")
@click.option("--dry-run", is_flag=True, help="Say how many persons and rows it would be; on record, too.")
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def extract(
    ctx: click.Context,
    request: Path,
    store: Path | None,
    vocab: Path | None,
    to: Path | None,
    key: Path | None,
    sign_key: Path | None,
    encrypt_to: Path | None,
    dry_run: bool,
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Give a project what its REQUEST file asks for and its approvals allow, and no more.

    Persons with a record of every concept set asked for, in the tables and columns listed, under pseudonyms of the
    project's own key. Every attempt goes on record first. Exit code 1, with every reason, where it may not be given: an
    approval that ended, another key, an unknown hospital or concept, fewer than ten persons.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    store, vocab, to = given.folder("store", store), given.folder("vocab", vocab), given.new_folder("to", to)
    given.check()

    from dure.center.extract.extract import ExtractOptions
    from dure.center.extract.extract import extract as run
    from dure.engine import EngineOptions
    from dure.vocab.store import open_store

    done = run(
        ExtractOptions(
            request=request,
            store=store,
            vocabulary=open_store(vocab),
            to=to,
            now=datetime.now().astimezone(),
            user=_user(),
            key=key,
            sign_key=sign_key,
            encrypt_to=encrypt_to,
            dry_run=dry_run,
            engine=EngineOptions.parse(engine, master, threads, memory),
        ),
        report,
    )
    report.done()
    if not quiet or dry_run:
        for line in done.lines:
            click.echo(line)


def _user() -> str:
    """By the process, not by a variable that anybody can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
