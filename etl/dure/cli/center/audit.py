"""`dure center audit`."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, start
from dure.cli.vocab.shown import format_option, show

_FILE = click.Path(path_type=Path)
_COLUMNS = (
    "n", "time", "user", "event", "run", "project", "approvals", "counts", "reasons", "request", "output",
)  # fmt: skip


@click.command(
    cls=Command,
    epilog=example(
        "dure center audit --store center --verify-key keys/signing.pub",
        "dure center audit --store 센터 --package 제공/당뇨연구-0f3a9c21b7de --format csv",
    ),
)
@option("--store", type=FOLDER, metavar="DIR", help="The center's store.")
@click.option(
    "--verify-key",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Public signing keys of the center, all it has used.",
)
@click.option(
    "--package",
    type=_FILE,
    multiple=True,
    metavar="DIR",
    help="Extracts given out (or their manifest.json) to look for.",
)
@format_option
@debug_option
@click.pass_context
def audit(
    ctx: click.Context,
    store: Path | None,
    verify_key: tuple[Path, ...],
    package: tuple[Path, ...],
    shown: str,
    debug: bool,
) -> None:
    """Check the log of extracts and show it.

    Exit code 70, with the line, where a line was altered, removed, moved or put in. Who may write the whole store could
    write a new log: --verify-key finds that unless they had the key too, --package where an extract is at hand.
    """
    start(ctx, None, quiet=True, debug=debug)
    given = Given(ctx)
    store = given.folder("store", store)
    given.check()

    from dure.center.extract.audit import AuditLog, check_package, check_signatures
    from dure.publish.signing import verifying_key
    from dure.snapshot.durable import lake_access
    from dure.snapshot.manifest import MANIFEST

    lines = list(AuditLog(store).lines())
    if verify_key:
        check_signatures(lines, [verifying_key(path) for path in verify_key], store)
    for path in package:
        file = path / MANIFEST if path.is_dir() else path
        with lake_access(file):
            content = file.read_bytes()
        check_package(lines, content, str(path))
    rows = [
        line
        | {
            "approvals": "; ".join(line["approvals"]),
            "reasons": "; ".join(line["reasons"]),
            "counts": ", ".join(f"{name} {n}" for name, n in line["counts"].items()),
        }
        for line in lines
    ]
    if shown == "table":
        rows = [row | {name: row[name][:12] for name in ("request", "output")} for row in rows]
    show(_COLUMNS, lines if shown == "json" else rows, shown)
    if shown == "table":
        signed = sum(bool(line["signature"]) for line in lines)
        checked = "checked" if verify_key else "not checked"
        click.echo(f"{len(lines):,} lines, whole; {signed:,} signed ({checked}); {len(package):,} packages found")
