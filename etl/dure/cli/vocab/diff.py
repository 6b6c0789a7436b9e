"""`dure vocab diff`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given
from dure.cli.starting import FOLDER, debug_option, example, lake_option, sites_option, start
from dure.cli.vocab.evidence import code_records, sites_of, store_used
from dure.cli.vocab.shown import format_option, show
from dure.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from dure.site.loaded import Site
    from dure.vocab.diff import Request, Weight
    from dure.vocab.diff_sides import Compared
    from dure.vocab.store import VocabularyStore

_IN_TABLE = (
    "change", "vocabulary", "code", "description", "records",
    "old_targets", "old_names", "old_tables", "new_targets", "new_names", "new_tables",
)  # fmt: skip


@click.command(
    cls=Command,
    epilog=example(
        "dure vocab diff lake/vocab/v5.0-29-FEB-24-049ef22a69fb athena-new --site bada --lake lake",
        "dure vocab diff old/local_lab.csv sites/bada/maps/local_lab.csv --site bada --lake lake --format csv",
        "dure vocab diff before/sites/bada sites/bada --lake lake --format json",
    ),
)
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@click.option("--site", metavar="SITE", help="Compare what SITE has: its codes, under its maps, by its records.")
@lake_option
@sites_option
@click.option("--vocab", type=FOLDER, metavar="DIR", help="The vocabulary for maps.  [default: the last run's of SITE]")
@click.option("--vocabulary", metavar="ID", help="The source vocabulary of maps whose rows name none.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Lines of a table; 0 for all.")
@format_option
@debug_option
@click.pass_context
def diff(
    ctx: click.Context,
    old: Path,
    new: Path,
    site: str | None,
    lake: Path | None,
    sites: tuple[Path, ...],
    vocab: Path | None,
    vocabulary: str | None,
    limit: int,
    shown: str,
    debug: bool,
) -> None:
    """Show what would change if NEW took the place of OLD, before anyone runs it.

    OLD and NEW are two vocabularies (stores, or Athena folders), two site folders, or two maps. Both go through the
    resolver of a run, so that authority, validity and moved targets count. With a site, its records weigh each code:
    those of the years that a change touches, in the newest snapshot of the lake.

    Exit codes: 0 no difference, 1 differences, 2 something cannot be read.
    """
    start(ctx, None, quiet=True, debug=debug, lake=lake)
    given = Given(ctx)
    if lake is not None or site is not None:
        lake = given.folder("lake", lake)
    folders = given.sites(sites)
    given.check()

    from dure.tables.routing import EVENT_TABLES, domain_tables
    from dure.vocab.diff import COLUMNS, Routes, differences, summary
    from dure.vocab.diff_sides import kind_of_both

    kind = kind_of_both(old, new)
    with _stores(lake) as stores:
        compared = _compared(kind, old, new, site, lake, folders, vocab, vocabulary, stores)
        rows = differences(compared.old, compared.new, compared.codes, Routes(domain_tables(), frozenset(EVENT_TABLES)))
    if shown == "table" and not rows:
        click.echo(f"no difference in {len(compared.codes):,} codes")
    elif shown == "table":
        show(("vocabulary", "change", "codes", "records"), summary(rows), shown)
        click.echo()
        show(_IN_TABLE, rows[: limit or None], shown)
        if limit and len(rows) > limit:
            click.echo(f"… and {len(rows) - limit:,} more; --limit 0 or --format csv shows all")
    else:
        show(COLUMNS, rows, shown)
    ctx.exit(1 if rows else 0)


def _compared(
    kind: str,
    old: Path,
    new: Path,
    name: str | None,
    lake: Path | None,
    folders: tuple[Path, ...],
    vocab: Path | None,
    vocabulary: str | None,
    stores: Path,
) -> Compared:
    from dure.site.load import load_site
    from dure.vocab import open_vocabulary
    from dure.vocab.diff_sides import (
        SITE_FOLDER,
        VOCABULARY,
        read_site_folder,
        two_maps,
        two_sites,
        two_vocabularies,
    )

    if kind == SITE_FOLDER:
        before, after = read_site_folder(old), read_site_folder(new)
        name = name or after.spec.site.id
        store = open_vocabulary(vocab, stores) if vocab else _last_store(name, lake)
        return two_sites(before, after, store, _weights(name, lake))
    site: Site | None = load_site(name, folders) if name else None
    if kind == VOCABULARY:
        return two_vocabularies(open_vocabulary(old, stores), open_vocabulary(new, stores), site, _weights(name, lake))
    store = open_vocabulary(vocab, stores) if vocab else _last_store(name, lake)
    return two_maps(old, new, store, site, vocabulary, _weights(name, lake))


def _weights(name: str | None, lake: Path | None) -> Mapping[Request, Weight]:
    from dure.vocab.diff import weights

    if name is None or lake is None:
        return {}
    return weights(code_records(sites_of(lake, [name])[0]))


def _last_store(name: str | None, lake: Path | None) -> VocabularyStore:
    if name is None or lake is None:
        do = "a map's targets are checked against it; or give --site and --lake to take the last run's"
        raise ConfigurationError(Problem("--vocab", "not given", do))
    return store_used(sites_of(lake, [name])[0])


@contextmanager
def _stores(lake: Path | None) -> Iterator[Path]:
    """Where Athena folders are loaded to: the lake's stores, where the next run finds them, else a folder that goes."""
    if lake is None:
        with tempfile.TemporaryDirectory(prefix="dure-diff-") as folder:
            yield Path(folder)
        return

    from dure.snapshot.durable import lake_access, make_folder, private_files
    from dure.snapshot.lake import Lake

    stores = Lake(lake).stores
    with private_files(), lake_access(stores):
        make_folder(stores)
        yield stores
