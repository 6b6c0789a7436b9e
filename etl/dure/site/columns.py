"""Which columns of each source the spec reads, held against what the source has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dure.cdm.roles import roles
from dure.errors import Problem
from dure.site.loaded import Site
from dure.site.spec import DatabaseSource, Entry, FileSource, LandedSource, ViewSource
from dure.site.walk import Path, columns_read
from dure.site.yaml_text import closest

# What landing adds to every source.
_LANDED = ("_file", "_row")
_LONGEST_SHOWN = 60
_HEADER_HINT = "is the first line of each file its header? check delimiter, encoding, header and skip_lines"
_VALUE_HINT = "a bare word is a column; a fixed value is {literal: …}"
_EXPRESSION_HINT = "there are no expressions: a named function ({product: […]}, {join: […]}, {first_of: […]}) or a view"


def entry_columns(entry: Entry, at: Path) -> Iterator[tuple[Path, str, bool]]:
    """(path, column, whether it stands in a value) of every column that one entry reads."""
    for role in roles(entry.TABLE).values():
        value = entry.given(role.name)
        if value is not None and role.kind != "relationship":
            for path, column in columns_read(value, (*at, role.name)):
                yield path, column, True
    for path, column in columns_read(entry.key, (*at, "key")):
        yield path, column, False
    for path, column in columns_read(entry.keep, (*at, "keep")):
        yield path, column, False
    for column in entry.where or {}:
        yield (*at, "where", column), column, False


def source_columns(source: LandedSource | ViewSource, at: Path) -> Iterator[tuple[Path, str]]:
    """(path, column) of every column that a source's own declaration names."""
    yield from columns_read(source.key, (*at, "key"))
    if isinstance(source, ViewSource):
        for folded, fold in source.folded.items():
            yield (*at, "folds", folded), fold.rows
        return
    if isinstance(source, DatabaseSource):
        yield from columns_read(source.partition_on, (*at, "partition_on"))
    yield from columns_read(source.keep, (*at, "keep"))
    yield from columns_read(source.nfkc, (*at, "nfkc"))
    for index, rule in enumerate(source.exclude):
        for column in rule.where:
            yield (*at, "exclude", index, "where", column), column
    for reason, columns in source.left_out.items():
        yield from columns_read(columns, (*at, "left_out", reason))


def parent_columns(site: Site, name: str) -> Iterator[tuple[Path, str]]:
    """(path, column) of the columns of a source by which views that fold its rows find the row each belongs to."""
    for view, source in site.spec.sources.items():
        fold = source.folded.get(name) if isinstance(source, ViewSource) else None
        if fold is not None:
            yield from columns_read(fold.parent, ("sources", view, "folds", name, "parent"))


def check_columns(site: Site, headers: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    """Columns that the spec reads and `headers` (source or view -> columns) do not have; other sources are passed over."""
    has = {name: _with_landed(site.spec.sources.get(name), columns) for name, columns in headers.items()}
    read = [
        (name, path, column, False)
        for name, source in site.spec.sources.items()
        for path, column in (*source_columns(source, ("sources", name)), *parent_columns(site, name))
    ]
    read += [(entry.from_, *each) for at, entry in site.entries() for each in entry_columns(entry, at)]
    shown = {name: _shown(site, name, columns, {each[2] for each in read}) for name, columns in headers.items()}
    problems = [
        _missing(site, path, column, name, shown[name], in_value)
        for name, path, column, in_value in read
        if name in has and column not in has[name]
    ]
    return list(dict.fromkeys(problems))


def _shown(site: Site, name: str, header: tuple[str, ...], read: set[str]) -> tuple[str, ...]:
    """The columns that a message may show: none where the first line, as nothing in it is known, may be a patient."""
    source = site.spec.sources.get(name)
    of_file = isinstance(source, FileSource) and source.format == "csv" and source.header is None
    if of_file and not read & set(header):
        return ()
    # A quote left open in the header swallows rows of data.
    return tuple(column for column in header if len(column) <= _LONGEST_SHOWN and "\n" not in column)


def unread_columns(site: Site) -> list[Problem]:
    """Columns of sources of rows, where their header is known, that nothing reads and no left_out names."""
    read: dict[str, set[str]] = {name: set() for name in site.spec.sources}
    for at, entry in site.entries():
        read[entry.from_] |= {column for _, column, _ in entry_columns(entry, at)}
    for name, source in site.spec.sources.items():
        read[name] |= {column for _, column in source_columns(source, ("sources", name))}
        read[name] |= {column for _, column in parent_columns(site, name)}
    in_views = "\n".join(site.views.values())
    through_views = set().union(*(read[name] for name in site.views))
    problems = []
    for name, header in site.headers.items():
        source = site.spec.sources[name]
        if not isinstance(source, LandedSource) or source.role == "lookup" or name in site.spec.ignored:
            continue
        feeds_view = any(_feeds(site, name, view) for view in site.views)
        left = [
            column
            for column in header
            if column not in read[name] and not (feeds_view and (column in through_views or column in in_views))
        ]
        if left:
            do = "map them, or name them under left_out with the reason"
            problems.append(site.document.problem(("sources", name), f"nothing reads {', '.join(left)}", do))
    return problems


def left_behind(site: Site, name: str) -> frozenset[str]:
    """The columns of a file source that left_out names and nothing reads; a view reads whatever its text mentions."""
    source = site.spec.sources[name]
    assert isinstance(source, LandedSource)
    read = {column for at, entry in site.entries() for _, column, _ in entry_columns(entry, at)}
    of_views = [(view, site.spec.sources[view]) for view in site.views]
    read |= {column for view, declared in of_views for _, column in source_columns(declared, ("sources", view))}
    read |= {*_names(source.keep), *(column for rule in source.exclude for column in rule.where)}
    read |= {*(source.key or []), *(source.nfkc or []), *(column for _, column in parent_columns(site, name))}
    # Engines take ID and id for one column.
    mentioned = "\n".join(site.views.values()).casefold()
    read = {column.casefold() for column in read}
    named = {column for columns in source.left_out.values() for column in columns}
    return frozenset(c for c in named if c.casefold() not in read and c.casefold() not in mentioned)


def _names(value: object) -> list[str]:
    return [column for _, column in columns_read(value, ())]


def _feeds(site: Site, name: str, view: str) -> bool:
    return name in site.views[view]


def _with_landed(source: LandedSource | ViewSource | None, columns: tuple[str, ...]) -> frozenset[str]:
    normalised = [f"{name}_nfkc" for name in source.nfkc or []] if isinstance(source, LandedSource) else []
    return frozenset((*columns, *normalised, *_LANDED))


def _missing(site: Site, path: Path, column: str, source: str, header: tuple[str, ...], in_value: bool) -> Problem:
    found = f"no column '{column}' in {source}{closest(column, header)}"
    if in_value:
        do = _EXPRESSION_HINT if any(sign in column for sign in "+-*/()'\"=<>|,") else _VALUE_HINT
    else:
        do = "columns: " + ", ".join(header[:40]) + (", …" if len(header) > 40 else "")
    if not header:
        do = _HEADER_HINT
    return site.document.problem(path, found, do)
