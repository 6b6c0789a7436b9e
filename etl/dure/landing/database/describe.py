"""What a query gives, asked of the database without reading a row."""

from __future__ import annotations

from collections.abc import Sequence

from dure.errors import ExtractNotReadyError, Problem, SourceError
from dure.landing.database.place import place_of
from dure.landing.database.session import Session
from dure.landing.database.trouble import ConnectionLostError
from dure.landing.header import NFKC_SUFFIX, ROW_COLUMNS, landed_columns
from dure.landing.layout import Layout
from dure.site.spec import DatabaseSource, Defaults


def header_of_query(name: str, source: DatabaseSource, defaults: Defaults) -> tuple[str, ...]:
    """The column names of a source (`COL_nfkc` among them); raises the errors of `land_database`."""
    layout = layout_of_query(name, source, defaults)
    place = place_of(name, source.connection)
    try:
        with Session(place, source) as session:
            names = [column.name for column in session.columns()]
    except ConnectionLostError as lost:
        problem = Problem(place.where, lost.found, lost.do)
    else:
        refuse_unusable(layout, names)
        return landed_columns(layout, names)
    raise ExtractNotReadyError(problem)


def layout_of_query(name: str, source: DatabaseSource, defaults: Defaults) -> Layout:
    """How the rows of a query become landed rows."""
    null_values = defaults.null_values if source.null_values is None else source.null_values
    return Layout(
        source=name,
        format="database",
        encoding="utf-8",
        delimiter=",",
        quote='"',
        header=None,
        columns={},
        unit="characters",
        skip_lines=0,
        footer=(),
        optional=(),
        may_be_empty=True,
        null_values=tuple(null_values),
        key=tuple(source.key or ()),
        nfkc=tuple(source.nfkc or ()),
    )


def refuse_unusable(layout: Layout, names: Sequence[str]) -> None:
    """Raises SourceError for names that landed rows cannot have; engines take Id and ID for one column."""
    where, problems = f"{layout.where}.query", []
    known: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name:
            problems.append(Problem(where, f"column {place} of {len(names)} has no name", "write … AS NAME"))
        elif name in ROW_COLUMNS:
            problems.append(Problem(where, f"gives a column '{name}', a name of Dure's own", "write … AS another name"))
        elif name.casefold() in known:
            found = f"gives two columns '{name}', or names that differ only in case"
            problems.append(Problem(where, found, "name the columns that are wanted, each once"))
        known.add(name.casefold())
    for name in layout.nfkc:
        if (name + NFKC_SUFFIX).casefold() in known:
            found = f"gives a column '{name}{NFKC_SUFFIX}', which nfkc would add"
            problems.append(Problem(where, found, f"take {name} out of nfkc"))
    if problems:
        raise SourceError(problems)
