"""Which columns of each source the spec reads, held against what the source has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dure.cdm.roles import roles
from dure.errors import Problem
from dure.site.loaded import Site
from dure.site.spec import Entry, FileSource, ViewSource
from dure.site.walk import Path, columns_read
from dure.site.yaml_text import closest

# What landing adds to every source.
_LANDED = ("_file", "_row")
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


def source_columns(source: FileSource | ViewSource, at: Path) -> Iterator[tuple[Path, str]]:
    """(path, column) of every column that a source's own declaration names."""
    yield from columns_read(source.key, (*at, "key"))
    if isinstance(source, ViewSource):
        for folded, column in source.folds.items():
            yield (*at, "folds", folded), column
        return
    yield from columns_read(source.keep, (*at, "keep"))
    yield from columns_read(source.nfkc, (*at, "nfkc"))
    for index, rule in enumerate(source.exclude):
        for column in rule.where:
            yield (*at, "exclude", index, "where", column), column
    for reason, columns in source.left_out.items():
        yield from columns_read(columns, (*at, "left_out", reason))


def check_columns(site: Site, headers: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    """Columns that the spec reads and `headers` (source or view -> columns) do not have; other sources are passed over."""
    has = {name: _with_landed(site.spec.sources.get(name), columns) for name, columns in headers.items()}
    problems = []
    for name, source in site.spec.sources.items():
        if name in has:
            for path, column in source_columns(source, ("sources", name)):
                if column not in has[name]:
                    problems.append(_missing(site, path, column, name, headers[name], in_value=False))
    for at, entry in site.entries():
        if entry.from_ in has:
            for path, column, in_value in entry_columns(entry, at):
                if column not in has[entry.from_]:
                    problems.append(_missing(site, path, column, entry.from_, headers[entry.from_], in_value))
    return list(dict.fromkeys(problems))


def unread_columns(site: Site) -> list[Problem]:
    """Columns of sources of rows, where their header is known, that nothing reads and no left_out names."""
    read: dict[str, set[str]] = {name: set() for name in site.spec.sources}
    for at, entry in site.entries():
        read[entry.from_] |= {column for _, column, _ in entry_columns(entry, at)}
    for name, source in site.spec.sources.items():
        read[name] |= {column for _, column in source_columns(source, ("sources", name))}
    in_views = "\n".join(site.views.values())
    through_views = set().union(*(read[name] for name in site.views))
    problems = []
    for name, header in site.headers.items():
        source = site.spec.sources[name]
        if not isinstance(source, FileSource) or source.role == "lookup" or name in site.spec.ignored:
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


def _feeds(site: Site, name: str, view: str) -> bool:
    return name in site.views[view]


def _with_landed(source: FileSource | ViewSource | None, columns: tuple[str, ...]) -> frozenset[str]:
    normalised = [f"{name}_nfkc" for name in source.nfkc or []] if isinstance(source, FileSource) else []
    return frozenset((*columns, *normalised, *_LANDED))


def _missing(site: Site, path: Path, column: str, source: str, header: tuple[str, ...], in_value: bool) -> Problem:
    found = f"no column '{column}' in {source}{closest(column, header)}"
    if in_value:
        do = _EXPRESSION_HINT if any(sign in column for sign in "+-*/()'\"=<>|,") else _VALUE_HINT
    else:
        shown = ", ".join(header[:40]) + (", …" if len(header) > 40 else "")
        do = f"columns: {shown}"
    return site.document.problem(path, found, do)
