"""`dure init`: a site folder to start from, like an example or from the files of an extract."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, log_format_option, quiet_option, site_argument, start
from dure.errors import ConfigurationError, Problem
from dure.settings import shipped_sites


@click.command(
    cls=Command,
    epilog=example(
        "dure init haneul --like synthea",
        "dure init saebyeok --from extract",
        "dure init 바다병원 --from 자료/2026-03 --sites 병원설정",
    ),
)
@site_argument
@click.option("--like", metavar="SITE", help="Copy this site: one of yours, or an example that comes with Dure.")
@click.option(
    "--from", "extract", type=FOLDER, metavar="DIR", help="Look at the files of this extract and draft a site.yaml."
)
@option(
    "--sites",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="The folder of site folders to make the new one in.  [default: ./sites]",
)
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def init(
    ctx: click.Context,
    site: str | None,
    like: str | None,
    extract: Path | None,
    sites: tuple[Path, ...],
    quiet: bool,
    log_format: str | None,
    debug: bool,
) -> None:
    """Make the folder of a new SITE, either like another site or from the files of an extract.

    Nothing that is there is overwritten. A draft holds names of files and columns, never a cell of the extract.
    """
    start(ctx, log_format, quiet=quiet, debug=debug)  # type: ignore[arg-type]
    given = Given(ctx)
    name = given.required("site", site)
    given.check()
    if (like is None) == (extract is None):
        raise ConfigurationError(Problem("--like, --from", "exactly one of them is needed", "dure init --help"))
    home = sites[0] if sites else Path("sites")
    where = "" if home == Path("sites") else f" --sites {shlex.quote(str(home))}"
    if like is not None:
        _copied(name, like, home, sites, where, quiet=quiet)
    elif extract is not None:
        if not extract.is_dir():
            raise ConfigurationError(Problem("--from", f"{extract} is no folder", "name the folder of the extract"))
        _drafted(name, extract, home, where, quiet=quiet)


def _copied(name: str, like: str, home: Path, sites: tuple[Path, ...], where: str, *, quiet: bool) -> None:
    from dure.site.new_site import copy_site, is_identifier

    known = [folder for folder in (*sites, home, shipped_sites()) if folder is not None and folder.is_dir()]
    made = copy_site(name, like, known, home)
    if quiet:
        return
    click.echo(f"{made.folder}: a copy of {like}")
    for path in made.left_behind:
        click.echo(f"  without {path.name}, which stays at {path}")
    if made.consortium:
        click.echo(f"  it names the consortium {made.consortium}: join it, or take that key out of site")
    own = "name, holder" if is_identifier(name) else "id, name, holder"
    _next_steps(
        f"edit {made.folder}/site.yaml: first {own} and extract_date under site, then sources and tables",
        f"dure validate {shlex.quote(name)}{where} --source EXTRACT",
    )


def _drafted(name: str, extract: Path, home: Path, where: str, *, quiet: bool) -> None:
    from dure.site.draft_spec import draft_spec
    from dure.site.new_site import is_identifier, new_folder
    from dure.site.sniff import sniff

    guesses = sniff(extract)
    if not guesses:
        raise ConfigurationError(Problem("--from", f"{extract} has no files", "name the folder of the extract"))
    if not any(guess.fields for guess in guesses):
        raise ConfigurationError([Problem(guess.path, guess.unsure, f"in {extract}") for guess in guesses])
    text = draft_spec(name if is_identifier(name) else "hospital", name, guesses)
    folder = new_folder(name, home, lambda staging: _write(staging / "site.yaml", text))
    if quiet:
        return
    click.echo(f"{folder}: a draft for {len(guesses)} kinds of files")
    for guess in guesses:
        written = guess.format if guess.format == "parquet" else f"{guess.format}, {guess.encoding}"
        said = f"{written}, {guess.fields} {'places' if guess.format == 'fixed' else 'columns'}" if guess.fields else ""
        click.echo(f"  {guess.path} ({guess.files}): " + "; ".join(part for part in (said, guess.unsure) if part))
    _next_steps(
        f"edit {folder}/site.yaml: look at every guess, then describe one source after the other under tables",
        f"dure validate {shlex.quote(name)}{where} --source {shlex.quote(str(extract))}",
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _next_steps(*steps: str) -> None:
    click.echo("next:")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")
