"""What ties rows of a site's sources together: rows that share the value of a tie are mapped together or not at all.

Mapping is then a sum: what all rows of the sources become is what some of them become, and what the others become, as
long as no tie leads from the ones to the others. Everything in the pipeline that looks at more than one row is a tie
here, or the site is not provable and each of its nights is a full one:

- rows with one key, of which duplicates are told and `keep` chooses;
- rows that name one record, which they are merged into;
- rows that point at a record of another row: a person, a visit, a note, …;
- rows that a view joins, groups, or numbers together.

Location, care site and provider belong to no person, and nearly everybody shares one with somebody. They are not ties:
entries of these tables are mapped whole in each run (`Ties.common`), and so are sources that no person's rows come from
(`Ties.whole`): who points at what changed there is touched, and nobody is touched by who else points at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dure.cdm.roles import REFERENCE_TABLES, REFERRED_TO, roles
from dure.run.delta.view_ties import Origins, origins_of
from dure.site.columns import entry_columns, source_columns
from dure.site.loaded import Site
from dure.site.spec import LandedSource, ViewSource
from dure.site.values import EventRow, KeyPart, RefTo
from dure.tables.links import reference_of
from dure.tables.rule import Rule

COMMON_TABLES = ("location", "care_site", "provider")
# Where a row stands in its file: what other rows are added or taken away moves it.
_POSITION = frozenset({"_file", "_row"})


class Unprovable(Exception):
    """Why the rows of a site cannot be told apart by person; the message is for people."""


@dataclass(frozen=True)
class Fixed:
    """A part of a key that is a text of the spec."""

    text: str


Parts = tuple[str | Fixed, ...]


@dataclass(frozen=True)
class Tie:
    """Columns of a source whose values, as key text, tie its rows to all rows with that value in the same space.

    Rows that `define` are those that others point at: where none of them has a value, rows that point there have nothing in
    common. With `nulls` rows without a value are tied together, too.
    """

    source: str
    parts: Parts
    space: str
    defines: bool
    nulls: bool = False
    person: bool = False  # names a person by the person's own row

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True)
class Pointer:
    """Columns of a personal source that point at a record of a common table, or are joined with a whole source."""

    source: str
    parts: Parts
    to: str


@dataclass(frozen=True)
class Ties:
    """What of a site's sources belongs together.

    `personal` sources are cut by person, `whole` ones are not. `common` rules are those of location, care_site and
    provider, `own` all others. `pointers` lead to common tables by their name. `joined` are ties of personal sources to
    columns of a whole one (in `columns_of_whole`, by space); `loose` whole sources have no such columns: any change of
    theirs may concern anybody.
    """

    personal: tuple[str, ...]
    whole: tuple[str, ...]
    own: tuple[Rule, ...]
    common: tuple[Rule, ...]
    ties: tuple[Tie, ...]
    pointers: tuple[Pointer, ...]
    joined: tuple[Tie, ...]
    loose: frozenset[str]

    @property
    def person_space(self) -> str:
        """The space in which rows are one person's."""
        return next(
            (tie.space for rule in self.own if rule.table == "person" for tie in self.of(rule.root) if tie.person), ""
        )

    def of(self, source: str) -> tuple[Tie, ...]:
        return tuple(tie for tie in self.ties if tie.source == source)


def ties_of(site: Site, rules: Sequence[Rule], headers: Mapping[str, tuple[str, ...]]) -> Ties:
    """The ties of a site; `headers` are the landed columns of its sources.

    Raises Unprovable, with the reason, where the spec does not tell them.
    """
    _refuse_positions(site)
    common = tuple(rule for rule in rules if rule.table in COMMON_TABLES)
    own = tuple(rule for rule in rules if rule.table not in COMMON_TABLES)
    files = [name for name, source in site.spec.sources.items() if isinstance(source, LandedSource)]
    views = {name: source for name, source in site.spec.sources.items() if isinstance(source, ViewSource)}
    folded = {name for view in views.values() for name in view.folds}
    personal = tuple(name for name in files if name in folded or any(rule.root == name for rule in own))
    origins = origins_of(site, headers, frozenset(personal))
    if isinstance(origins, str):
        raise Unprovable(origins)
    for rule in common:
        _refuse_entangled(site, rule, personal)
    found: list[Tie] = []
    pointers: list[Pointer] = []
    for rule in own:
        if rule.root not in personal:
            raise Unprovable(f"{rule.name} reads a view whose rows are of no source")
        found += _records(rule, origins)
        for table, parts in _references(rule, origins):
            if table in COMMON_TABLES:
                pointers.append(Pointer(rule.root, parts, table))
            else:
                found.append(Tie(rule.root, parts, table, defines=False))
    joined: list[Tie] = []
    for link in origins.links:
        if link.source in personal:
            found.append(Tie(link.source, (link.column,), link.space, defines=True, nulls=link.nulls))
        else:
            joined.append(Tie(link.source, (link.column,), link.space, defines=True))
    # Rows that are joined with a whole source are no neighbours of each other through it.
    spaces = {tie.space for tie in joined}
    beside = [replace(tie, defines=False, nulls=False) for tie in found if tie.space in spaces]
    found = [tie for tie in found if tie.space not in spaces]
    found += _folds(site, views)
    for name in personal:
        found += _same_key(site, name, found)
    return Ties(
        personal=personal,
        whole=tuple(name for name in files if name not in personal),
        own=own,
        common=common,
        ties=_needed(_united(found)),
        pointers=tuple(dict.fromkeys(pointers)),
        joined=(*joined, *dict.fromkeys(beside)),
        loose=origins.loose,
    )


def _refuse_positions(site: Site) -> None:
    read = [column for at, entry in site.entries() for _, column, _ in entry_columns(entry, at)]
    read += [column for name, source in site.spec.sources.items() for _, column in source_columns(source, (name,))]
    if moving := sorted(_POSITION & set(read)):
        raise Unprovable(f"the spec reads {', '.join(moving)} as a column, which moves when other rows come or go")


def _refuse_entangled(site: Site, rule: Rule, personal: Sequence[str]) -> None:
    """Entries of common tables may read personal sources, but only as they are, and choose by nothing of other tables."""
    if rule.root not in personal:
        return
    if rule.source != rule.root:
        raise Unprovable(f"{rule.name} makes records of nobody from a view over rows of persons")
    for role in roles(rule.table).values():
        value = rule.entry.given(role.name)
        if role.kind == "ref" and isinstance(value, RefTo) and value.missing == "reject":
            raise Unprovable(f"{rule.name} rejects rows of persons by records of nobody")


def _records(rule: Rule, origins: Origins) -> Iterator[Tie]:
    """The records that rows name, where others point at them or several rows are merged into one."""
    entry = rule.entry
    if rule.table == "death" and entry.key is None:
        return  # the record is the person's, and so is the tie
    if rule.table in REFERRED_TO or entry.key or entry.keep:
        space = rule.table if rule.table in REFERRED_TO else f"records of {rule.table}"
        if entry.key is not None:
            parts = _parts(entry.key)
        elif rule.source_key is not None:
            parts = rule.source_key
        else:
            raise Unprovable(f"{rule.name} makes records that others point at, and its source has no key")
        yield Tie(rule.root, _traced(rule, parts, origins), space, defines=True, person=rule.table == "person")


def _references(rule: Rule, origins: Origins) -> Iterator[tuple[str, Parts]]:
    """(table, the columns of the root source) of each record that an entry's rows point at."""
    for role in roles(rule.table).values():
        value = rule.entry.given(role.name)
        name: str | None = role.name
        if value is None or role.kind not in ("ref", "event"):
            continue
        if role.kind == "event":
            if isinstance(value, EventRow):
                if value.row in COMMON_TABLES:
                    raise Unprovable(f"{rule.name} links to a row of {value.row}")
                continue
            name, value = reference_of(value) or (None, None)
        key = value.key if isinstance(value, RefTo) else value
        assert name is not None and isinstance(key, list | tuple)
        yield REFERENCE_TABLES[name], _traced(rule, _parts(key), origins)


def _parts(key: Iterable[object]) -> Parts:
    return tuple(Fixed(part.literal) if isinstance(part, KeyPart) else str(part) for part in key)


def _traced(rule: Rule, parts: Parts, origins: Origins) -> Parts:
    """The parts of a key as columns of the root source."""
    if rule.source == rule.root:
        return parts
    traced: list[str | Fixed] = []
    for part in parts:
        origin = part if isinstance(part, Fixed) else origins.column(rule.source, part)
        if isinstance(origin, Fixed):
            traced.append(origin)
        elif origin is not None and origin[0] == rule.root:
            traced.append(origin[1])
        else:
            raise Unprovable(
                f"{part} of the view {rule.source}, which {rule.name} points by, is no column of {rule.root}"
            )
    return tuple(traced)


def _folds(site: Site, views: dict[str, ViewSource]) -> Iterator[Tie]:
    for name, view in views.items():
        for other, fold in view.folded.items():
            of = site.spec.sources.get(view.of) if view.of else None
            if fold.parent and (not isinstance(of, LandedSource) or of.key is None):
                raise Unprovable(f"the view {name} folds rows into those of another view, or of a source without a key")
            if fold.parent and view.of and isinstance(of, LandedSource) and of.key is not None:
                yield Tie(other, tuple(fold.parent), f"rows folded by {name}", defines=False)
                yield Tie(view.of, tuple(of.key), f"rows folded by {name}", defines=True)


def _same_key(site: Site, name: str, ties: Sequence[Tie]) -> Iterator[Tie]:
    """The tie of rows with one key; where a tie of some of the key's columns holds already, that one does for it."""
    source = site.spec.sources[name]
    assert isinstance(source, LandedSource)
    space = f"rows of {name} with one key"
    if source.key is None:
        # Rows without a key are alike in all columns: their hash stands for them.
        yield Tie(name, ("_row_hash",), space, defines=True)
        return
    key = tuple(source.key)
    inside = [tie for tie in ties if tie.source == name and tie.columns and set(tie.parts) <= set(key)]
    if inside:
        tie = min(inside, key=lambda tie: (len(tie.parts), not tie.defines))
        yield replace(tie, defines=True, nulls=True)
    else:
        yield Tie(name, key, space, defines=True, nulls=True)


def _needed(ties: Sequence[Tie]) -> tuple[Tie, ...]:
    """Without the ties that no other source has, where a tie of fewer of their columns holds among the same rows."""

    def alone(tie: Tie) -> bool:
        return all(other is tie or other.space != tie.space for other in ties)

    def wider(tie: Tie) -> bool:
        return any(
            other is not tie and other.source == tie.source and other.defines and other.nulls
            and set(other.parts) < set(tie.parts)
            for other in ties
        )  # fmt: skip

    return tuple(tie for tie in ties if not (alone(tie) and wider(tie)))


def _united(ties: Iterable[Tie]) -> list[Tie]:
    """The ties, spaces made one where they share the columns of a source, so that each column is looked at once."""
    ties = list(ties)
    names = {tie.space: tie.space for tie in ties}

    def root(space: str) -> str:
        while names[space] != space:
            space = names[space]
        return space

    first: dict[tuple[str, Parts], str] = {}
    for tie in ties:
        seen = first.setdefault((tie.source, tie.parts), tie.space)
        names[root(tie.space)] = root(seen)
    merged: dict[tuple[str, Parts], Tie] = {}
    for tie in ties:
        known = merged.get((tie.source, tie.parts))
        merged[tie.source, tie.parts] = Tie(
            tie.source,
            tie.parts,
            root(tie.space),
            tie.defines or bool(known and known.defines),
            tie.nulls or bool(known and known.nulls),
            tie.person or bool(known and known.person),
        )
    return list(merged.values())
