"""`dure vocab local`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given
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
from dure.cli.vocab.evidence import code_records, sites_of
from dure.cli.vocab.shown import show
from dure.errors import ConfigurationError, Problem
from dure.progress import Format

if TYPE_CHECKING:
    from dure.site.loaded import Site
    from dure.site.local_concepts import LocalConcept
    from dure.vocab.registry import LocalCode


@click.command(
    cls=Command,
    epilog=example(
        "dure vocab local bada --lake lake --dry-run",
        "dure vocab local bada --lake lake --codes 검사코드.csv --vocabulary BADA_TEST",
    ),
)
@site_argument
@lake_option
@sites_option
@click.option("--vocabulary", multiple=True, metavar="ID", help="Only codes of this vocabulary; may be repeated.")
@click.option("--codes", type=FOLDER, metavar="FILE", help="A map or list that names codes, instead of the records'.")
@click.option("--mapped", is_flag=True, help="Codes that have a concept too, not only those without one.")
@click.option("--for-consortium", is_flag=True, help="In the consortium's block and folder, to share and adopt.")
@click.option("--dry-run", is_flag=True, help="Show the new concepts and write nothing.")
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def local(
    ctx: click.Context,
    site: str | None,
    lake: Path | None,
    sites: tuple[Path, ...],
    vocabulary: tuple[str, ...],
    codes: Path | None,
    mapped: bool,
    for_consortium: bool,
    dry_run: bool,
    quiet: bool,
    log_format: Format | None,
    debug: bool,
) -> None:
    """Give codes of SITE's own vocabularies concepts, with ids of its block that stay theirs for good.

    Without --codes they are the codes that the newest snapshot has no concept for. New lines go to concepts.csv and
    registry.csv in the site's folder; check them in. The next run writes them as source concepts; a map of the
    consortium that has one as its target makes it standard.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug)
    given = Given(ctx)
    name, folders = given.required("site", site), given.sites(sites)
    if codes is None:
        lake = given.folder("lake", lake)
    given.check()

    from dure.site.load import load_site
    from dure.vocab.registry import codes_seen, unfit

    loaded = load_site(name, folders)
    wanted = _vocabularies(loaded, vocabulary)
    if codes is not None:
        found = _listed(codes, wanted, given_one=len(vocabulary) == 1)
    else:
        assert lake is not None
        found = codes_seen(code_records(sites_of(lake, [loaded.spec.site.id])[0]), wanted, mapped_too=mapped)
    for problem in unfit(found):
        report.warn(problem)
    owner, folder, first = _owner(loaded, for_consortium=for_consortium)
    with _alone(folder):
        new, count = _give(load_site(name, folders), folder, owner, first, found, dry_run=dry_run)
    if not quiet:
        records = {code.code: code.records for code in found}
        columns = ("concept_id", "vocabulary_id", "concept_code", "concept_name", "domain_id", "records")
        rows = [
            each.row()
            | {
                "concept_id": str(each.concept_id),
                "records": records[each.vocabulary_id, each.concept_code],
            }
            for each in new
        ]
        show(columns, rows, "table")
        verb = "would be added" if dry_run else "added"
        click.echo(f"{len(new)} concepts {verb} to {folder / 'concepts.csv'}; {count} codes of {owner} have an id")


def _give(
    site: Site, folder: Path, owner: str, first: int, found: list[LocalCode], *, dry_run: bool
) -> tuple[list[LocalConcept], int]:
    """(the new concepts, how many codes have an id then), written to the owner's files."""
    from dure.site.local_concepts import BLOCK
    from dure.site.local_ids import registry_text
    from dure.vocab.registry import assigned, concepts_text, fits, local_concept

    known = _registry(folder, owner, first)
    concepts = {(each.vocabulary_id, each.concept_code): each for each in site.local_concepts}
    own = {code: each.concept_id for code, each in concepts.items() if first <= each.concept_id < first + BLOCK}
    fitting = {code.code: code for code in found if fits(code) and code.code not in concepts}
    ids = known | own
    ids |= assigned(fitting, ids, (), first)
    new = [local_concept(code, ids[code.code]) for code in fitting.values()]
    if not dry_run and (new or ids != known):
        _replace(folder / "concepts.csv", concepts_text(_text(folder / "concepts.csv"), new))
        _replace(folder / "registry.csv", registry_text(ids))
    return new, len(ids)


def _vocabularies(site: Site, asked: tuple[str, ...]) -> list[str]:
    """The vocabularies of the spec that are the hospital's own: Athena has none of the name and none is named as same."""
    from dure.site.checks import athena_vocabularies

    known = athena_vocabularies()
    own = [name for name, spec in site.vocabularies.items() if name not in known and spec.same_as is None]
    wrong = [name for name in asked if name not in own]
    if wrong:
        found = f"'{wrong[0]}' is no vocabulary of the hospital's own"
        raise ConfigurationError(Problem("--vocabulary", found, f"one of {', '.join(own) or 'none'}"))
    if not own:
        do = "declare one under vocabularies; codes of Athena's vocabularies have concepts there"
        raise ConfigurationError(Problem(site.where("vocabularies"), "no vocabulary is the hospital's own", do))
    return list(asked) or own


def _listed(path: Path, vocabularies: list[str], *, given_one: bool) -> list[LocalCode]:
    """The codes that a map or list names, of these vocabularies; rows without one are of the only one asked for."""
    from dure.vocab.maps import read_map
    from dure.vocab.registry import LocalCode

    if not path.is_file():
        raise ConfigurationError(Problem("--codes", f"{path} is not a file", "name a map, such as Dure's own CSV"))
    found: dict[tuple[str, str], LocalCode] = {}
    for entry in read_map(path).entries():
        name = entry.source_vocabulary_id or (vocabularies[0] if given_one else "")
        if not name:
            where = f"{path}:{entry.row}"
            raise ConfigurationError(Problem(where, "names no source vocabulary", "give one --vocabulary"))
        if name in vocabularies and entry.source_code:
            told = entry.description or entry.description_ko or entry.description_en or entry.source_code
            code = LocalCode(name, entry.source_code, told, entry.target_domain_id or "Observation")
            found.setdefault(code.code, code)
    return [found[code] for code in sorted(found)]


def _owner(site: Site, *, for_consortium: bool) -> tuple[str, Path, int]:
    """(owner, its folder, the first id of its block)."""
    from dure.site.local_concepts import BLOCK, FIRST_LOCAL, read_blocks

    owner, folder = site.spec.site.id, site.folder
    if for_consortium:
        if site.consortium_folder is None:
            do = "name it under site.consortium, or leave --for-consortium out"
            raise ConfigurationError(Problem(site.where("site"), "the site has no consortium", do))
        owner, folder = str(site.spec.site.consortium), site.consortium_folder
    home = site.consortium_folder or site.folder
    path = home / "blocks.csv"
    blocks, problems = read_blocks(path.read_bytes(), str(path)) if path.exists() else ({}, [])
    if problems:
        raise ConfigurationError(problems)
    if owner not in blocks:
        free = next(n for n in range(FIRST_LOCAL, 2**31 - BLOCK, BLOCK) if n not in blocks.values())
        line = f"{owner},{free}" if path.exists() else f"owner,first_concept_id` and below it `{owner},{free}"
        do = f"ask who keeps the blocks, then add the line `{line}`; each owner has one block of {BLOCK} ids"
        raise ConfigurationError(Problem(str(path), f"{owner} has no block of concept ids", do))
    return owner, folder, blocks[owner]


def _registry(folder: Path, owner: str, first: int) -> dict[tuple[str, str], int]:
    from dure.site.local_ids import read_local_ids

    path = folder / "registry.csv"
    if not path.exists():
        return {}
    known, problems = read_local_ids(path.read_bytes(), str(path), owner, {owner: first})
    if problems:
        raise ConfigurationError(problems)
    return dict(known.ids)


def _text(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8-sig") if path.exists() else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other command gives ids in the folder; the lock goes with the process."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, text: str) -> None:
    from dure.snapshot.durable import lake_access, replace_file

    mode = path.stat().st_mode if path.exists() else 0o644
    with lake_access(path, "no id was given"):
        replace_file(path, text.encode())
        path.chmod(mode)
