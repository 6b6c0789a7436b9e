"""`dure vocab suggest`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dure.cli.options import Command, Given, option
from dure.cli.starting import FOLDER, debug_option, example, lake_option, log_format_option, quiet_option, start
from dure.cli.vocab.shown import show
from dure.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from dure.vocab.store import VocabularyStore
    from dure.vocab.suggest.question import LocalCode
    from dure.vocab.suggest.suggester import Suggestion

_SHOWN = ("code", "description", "rank", "concept_id", "concept", "domain", "score", "reasons")


@click.command(
    cls=Command,
    epilog=example(
        "dure vocab suggest bada --lake lake --maps maps/procedure.csv --format csv",
        "dure vocab suggest worklist.csv --vocab lake/vocab/STORE --domain Procedure --top 3",
    ),
)
@click.argument("source", metavar="FILE|SITE")
@lake_option
@option("--vocab", type=FOLDER, metavar="DIR", help="A vocabulary store. For a SITE, else the one it was run with.")
@click.option(
    "--maps",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="A map whose approved rows teach words and precedents; may be repeated.",
)
@click.option("--top", type=click.IntRange(1, 100), default=5, show_default=True, help="How many candidates a code.")
@click.option("--codes", type=click.IntRange(1), metavar="N", help="Only the N codes with most records.")
@click.option(
    "--domain", "domains", multiple=True, metavar="NAME", help="Candidates of this domain only; may be repeated."
)
@click.option(
    "--target-vocabulary",
    "vocabularies",
    multiple=True,
    metavar="ID",
    help="Candidates of this vocabulary only, such as SNOMED; may be repeated.",
)
@click.option("--specimen", "specimens", multiple=True, metavar="NAME", help="Measurements in this specimen only.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME", help="Measurements of this LOINC property only."
)
@click.option(
    "--format",
    "shown",
    type=click.Choice(["table", "csv", "usagi", "json"]),
    default="table",
    show_default=True,
    help="A table for people, a Dure map as CSV, a file for Usagi (the best candidate a code), JSON for programs.",
)
@quiet_option
@log_format_option
@debug_option
@click.pass_context
def suggest(
    ctx: click.Context,
    source: str,
    lake: Path | None,
    vocab: Path | None,
    maps: tuple[Path, ...],
    top: int,
    codes: int | None,
    domains: tuple[str, ...],
    vocabularies: tuple[str, ...],
    specimens: tuple[str, ...],
    properties: tuple[str, ...],
    shown: str,
    quiet: bool,
    log_format: str | None,
    debug: bool,
) -> None:
    """Rank standard concepts, with reasons, for codes that have none.

    The codes are those of FILE (a run's worklist.csv, a table with columns code and description, or a map's rows that
    nobody approved), or the work list of SITE's newest snapshot. Each candidate is a row with status `unchecked`: no
    run applies it before a reviewer has set its status to approved. Nothing leaves the machine.
    """
    report = start(ctx, log_format, quiet=quiet, debug=debug)  # type: ignore[arg-type]
    asked, store = _asked(Given(ctx), source, lake, vocab)
    asked = asked[:codes]

    from dure.vocab.suggest.approved import approved_rows
    from dure.vocab.suggest.candidates import Filters, candidates_of
    from dure.vocab.suggest.details import domains_of_all, specimens_in
    from dure.vocab.suggest.suggester import Suggester
    from dure.vocab.suggest.written import DURE_COLUMNS, USAGI_COLUMNS, dure_rows, usagi_rows

    filters = Filters(
        domains=frozenset(domains),
        vocabularies=frozenset(vocabularies),
        specimens=frozenset[str]().union(*map(specimens_in, specimens)),
        properties=frozenset(text.lower() for text in properties),
    )
    _check_specimens(specimens, filters.specimens)
    rows = approved_rows(maps)
    found: list[list[Suggestion]] = []
    if asked:
        candidates = candidates_of(store, domains or domains_of_all(asked), vocabularies)
        found = list(Suggester(candidates, rows, filters).suggest(asked, top))
    report.done()
    if shown == "csv":
        show(DURE_COLUMNS, dure_rows(found), "csv")
    elif shown == "usagi":
        show(USAGI_COLUMNS, usagi_rows(found), "csv")
    elif shown == "json":
        show(DURE_COLUMNS, dure_rows(found), "json")
    else:
        show(_SHOWN, [_line(one) for ranked in found for one in ranked], "table")
    if not quiet:
        empty = sum(not ranked for ranked in found)
        click.echo(f"{len(found)} codes, {empty} of them without a candidate; all rows are unchecked", err=True)


def _asked(given: Given, source: str, lake: Path | None, vocab: Path | None) -> tuple[list[LocalCode], VocabularyStore]:
    from dure.vocab.store import open_store
    from dure.vocab.suggest.codes import read_codes

    path = Path(source)
    if path.is_file() or path.suffix:
        if vocab is None:
            raise ConfigurationError(Problem("--vocab", "not given", "name the vocabulary store of the candidates"))
        return read_codes(path), open_store(vocab)
    from dure.cli.vocab.evidence import sites_of, store_used
    from dure.vocab.worklist import WORKLIST_FILE

    lake = given.folder("lake", lake)
    given.check()
    site = sites_of(lake, [source])[0]
    codes = read_codes(site.reports(site.latest().name) / WORKLIST_FILE)
    return codes, open_store(vocab) if vocab else store_used(site)


def _check_specimens(given: Sequence[str], understood: frozenset[str]) -> None:
    if given and not understood:
        from dure.vocab.suggest.english import rows_of

        names = ", ".join(sorted({row["specimen"] for row in rows_of("specimens.csv")}))
        raise ConfigurationError(Problem("--specimen", f"no known specimen in '{given[0]}'", f"any of {names}"))


def _line(one: Suggestion) -> dict[str, object]:
    code = one.code
    return {
        "code": code.code,
        "description": code.korean or code.english,
        "rank": one.rank,
        "concept_id": str(one.concept_id),
        "concept": one.name,
        "domain": one.domain,
        "score": f"{one.score:.2f}",
        "reasons": "; ".join(one.reasons),
    }
