"""`dure center receive`."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, log_format_option, quiet_option, start
from dure.errors import Problem
from dure.progress import Format

if TYPE_CHECKING:
    from dure.center.receive.receive import Received

_FILE = click.Path(path_type=Path)
_SEED_BITS = 32


@click.command(
    cls=Command,
    epilog=example(
        "dure center receive inbox/bada-000003 --store center --vocab vocab/v5.0-1a2b3c",
        "dure center receive 받은것/*.dure --store 센터 --identity 열쇠/center.key --vocab vocab/v5.0-1a2b3c",
    ),
)
@click.argument("packages", nargs=-1, required=True, type=_FILE, metavar="PACKAGE...")
@option("--store", type=FOLDER, metavar="DIR", help="The folder of the center's deliveries.")
@click.option("--hospitals", type=_FILE, metavar="FILE", help="Who may send.  [default: hospitals.yaml in the store]")
@click.option("--identity", type=_FILE, metavar="FILE", help="center.key, for packages that are encrypted.")
@option(
    "--vocab",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="A vocabulary store, to count checks again; may be repeated, one for each release that hospitals use.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Draws the checks that are counted again.  [default: random]",
)
@option("--engine", default="sail", show_default=True, metavar="NAME", help="sail, spark or sc://host:port.")
@option("--master", default="local[*]", show_default=True, metavar="URL", help="Where --engine spark runs.")
@option("--threads", type=click.IntRange(min=1), help="Processor cores to use.  [default: all]")
@option("--memory", metavar="SIZE", help="Memory for the engine, such as 4g.  [default: the engine's own]")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def receive(
    ctx: click.Context,
    packages: tuple[Path, ...],
    store: Path | None,
    hospitals: Path | None,
    identity: Path | None,
    vocab: tuple[Path, ...],
    seed: int | None,
    engine: str,
    master: str,
    threads: int | None,
    memory: str | None,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Verify what hospitals sent, and file it or keep it out.

    Each PACKAGE is a folder, a .tar or a .dure file. What may not come in leaves a report in STORE/quarantine, in Korean
    and English, which the hospital can be sent; the deliveries stay as they were. A delivery that is here already is
    recognised. Exit codes: 0 received or here already, 1 a package was refused, 2 configuration, 4 the store is in use;
    with several packages the worst.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    store = given.new_folder("store", store) if store is not None else given.required("store", store)
    given.check()

    from dure.center.receive.receive import ReceiveOptions, receive_packages, worst
    from dure.engine import EngineOptions

    results = receive_packages(
        ReceiveOptions(
            packages=packages,
            store=store,
            now=datetime.now().astimezone(),
            seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
            hospitals=hospitals,
            identity=identity,
            vocab=vocab,
            engine=EngineOptions.parse(engine, master, threads, memory),
        ),
        report,
    )
    report.done()
    code = worst(results)
    problems = [_named(result, problem) for result in results for problem in result.problems]
    if problems:
        report.failed(problems, code)
    if not quiet:
        for result in results:
            click.echo(_line(result))
    if code:
        ctx.exit(code)


def _named(result: Received, problem: Problem) -> Problem:
    """The problem with its package before the place in it."""
    name = result.package.name
    return Problem(problem.where if name in problem.where else f"{name}: {problem.where}", problem.found, problem.do)


def _line(result: Received) -> str:
    delivery = f"{result.site or '?'} {result.sequence or '?'}"
    rows = f"{result.rows:,} rows" if result.rows else ""
    return f"{result.outcome:<13} {delivery:<24} {rows:>16}  {result.place or result.package}"
