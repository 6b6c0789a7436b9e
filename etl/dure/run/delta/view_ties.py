"""What the SQL of a site's views does with rows of several: which columns come from where, and which rows meet.

Only what is understood is let through. A view may join sources by equal columns, group or number rows within the value of
a column, and work out what it likes within one row; anything else that looks at more than one row of a personal source
makes the site unprovable, and the reason names the view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from dure.site.loaded import Site
from dure.site.spec import LandedSource, ViewSource

# (source, column)
Origin = tuple[str, str]
_POSITION = frozenset({"_file", "_row"})
# Functions that sqlglot does not know by kind, and that work within one row.
_ROW_BY_ROW = frozenset(
    [
        "stack",
        "inline",
        "inline_outer",
        "posexplode_outer",
        "try_to_timestamp",
        "try_to_date",
        "try_to_number",
        "to_number",
        "make_date",
        "make_timestamp",
        "make_timestamp_ntz",
        "try_make_timestamp",
        "try_divide",
        "try_add",
        "try_subtract",
        "try_multiply",
        "char_length",
        "character_length",
        "octet_length",
        "bit_length",
        "overlay",
        "elt",
        "find_in_set",
        "btrim",
        "translate",
        "conv",
        "crc32",
        "xxhash64",
        "hash",
        "nullif",
        "ifnull",
        "nvl",
        "nvl2",
        "nullifzero",
        "zeroifnull",
        "substring_index",
        "format_string",
        "printf",
        "soundex",
        "split_part",
        "regexp_instr",
        "regexp_substr",
        "regexp_count",
        "regexp_like",
        "rlike",
        "to_char",
        "to_varchar",
        "date_part",
        "weekday",
        "last_day",
        "next_day",
        "bround",
        "rint",
        "pmod",
        "shiftleft",
        "shiftright",
        "positive",
        "negative",
        "url_decode",
        "url_encode",
        "bin",
        "unbase64",
        "base64",
        "unhex",
        "hex",
        "ascii",
        "char",
        "chr",
        "space",
        "repeat",
        "reverse",
        "left",
        "right",
        "lpad",
        "rpad",
        "initcap",
        "lower",
        "upper",
        "trim",
        "ltrim",
        "rtrim",
        "date_add",
        "date_sub",
        "datediff",
        "add_months",
        "months_between",
    ]
)


@dataclass(frozen=True)
class Linked:
    """Rows of a source that meet in a view where they have one value of a column; `space` is one for all that may meet."""

    source: str
    column: str
    space: str
    nulls: bool = False


class NotUnderstood(Exception):
    """Why a view is not let through."""


@dataclass
class Origins:
    """What all views say: `links` between rows, `loose` sources that may concern any row when they change."""

    queries: dict[str, _Query] = field(default_factory=dict)
    links: list[Linked] = field(default_factory=list)
    loose: frozenset[str] = frozenset()

    def column(self, view: str, name: str) -> Origin | None:
        """The column of a file source that a column of a view is, as it stands; None where it is worked out."""
        return self.queries[view].output(name)


def origins_of(site: Site, headers: Mapping[str, tuple[str, ...]], personal: frozenset[str]) -> Origins | str:
    """What the views of a site do; a text that says why where one of them is not understood."""
    made = Origins()
    loose: set[str] = set()
    for name, sql in site.views.items():
        view = site.spec.sources[name]
        assert isinstance(view, ViewSource)
        try:
            root = sqlglot.parse_one(sql, read="spark")
            if not isinstance(root, exp.Select):
                raise NotUnderstood("is not one SELECT")
            reader = _Reader(site, headers, personal, made, name)
            query = reader.query(root, {})
            _check_positions(root)
            made.queries[name] = query
            loose |= reader.loose
        except NotUnderstood as why:
            return f"the view {name} {why}"
    made.loose = frozenset(loose)
    return made


def _check_positions(root: exp.Select) -> None:
    """`_file` and `_row` may only be handed on under their names."""
    for column in root.find_all(exp.Column):
        if column.name.casefold() not in _POSITION:
            continue
        parent = column.parent
        if isinstance(parent, exp.Alias) and parent.alias.casefold() == column.name.casefold():
            parent = parent.parent
        if not isinstance(parent, exp.Select):
            raise NotUnderstood(f"works with {column.name}, which moves when other rows come or go")


class _Item:
    """Something that a SELECT reads."""

    def __init__(self, sources: frozenset[str]) -> None:
        self.sources = sources

    def output(self, name: str) -> Origin | None:
        raise NotImplementedError


class _File(_Item):
    def __init__(self, source: str, header: tuple[str, ...]) -> None:
        super().__init__(frozenset({source}))
        self._source = source
        self._header = {column.casefold(): column for column in header}
        self._twice = len(self._header) < len(header)

    def output(self, name: str) -> Origin | None:
        column = self._header.get(name.casefold())
        return (self._source, column) if column is not None and not self._twice else None

    def has(self, name: str) -> bool:
        return name.casefold() in self._header


class _Query(_Item):
    """One SELECT: what its columns are.

    What a LEFT JOIN adds has no value in rows without a partner, whatever they are: such a column tells nothing of them.
    """

    def __init__(self, select: exp.Select, items: Mapping[str, _Item], more: frozenset[str]) -> None:
        super().__init__(frozenset().union(*(item.sources for item in items.values())) | more)
        self._select, self._items = select, items
        sided = [join for join in select.args.get("joins") or [] if join.args.get("side")]
        self._optional = {join.this.alias_or_name.casefold() for join in sided}

    def output(self, name: str) -> Origin | None:
        stars: list[_Item] = []
        for part in self._select.expressions:
            if part.is_star:
                alias = part.table.casefold() if isinstance(part, exp.Column) else ""
                stars += [
                    item for name_, item in self._items.items() if alias in ("", name_) and name_ not in self._optional
                ]
            elif part.alias_or_name.casefold() == name.casefold():
                return self.sure_origin(part.this if isinstance(part, exp.Alias) else part)
        found = [origin for item in stars if (origin := item.output(name)) is not None]
        return found[0] if len(found) == 1 else None

    def sure_origin(self, part: exp.Expr) -> Origin | None:
        """The same, but None for a column that some rows have no value of for want of a partner."""
        return None if isinstance(part, exp.Column) and part.table.casefold() in self._optional else self.origin(part)

    def origin(self, part: exp.Expr) -> Origin | None:
        """The column that an expression of this SELECT is; None where it is more than a column."""
        if not isinstance(part, exp.Column) or part.is_star:
            return None
        if part.table:
            item = self._items.get(part.table.casefold())
            return item.output(part.name) if item is not None else None
        found = [origin for item in self._items.values() if (origin := item.output(part.name)) is not None]
        return found[0] if len(found) == 1 and len(self._items) == 1 else None


class _Reader:
    """Reads one view from the inside out."""

    def __init__(
        self, site: Site, headers: Mapping[str, tuple[str, ...]], personal: frozenset[str], known: Origins, view: str
    ) -> None:
        self._site, self._headers, self._personal, self._known, self._view = site, headers, personal, known, view
        self.loose: set[str] = set()
        self._spaces = 0

    def query(self, select: exp.Expr, ctes: Mapping[str, exp.Expr]) -> _Query:
        if isinstance(select, exp.Subquery):
            return self.query(select.this, ctes)
        if not isinstance(select, exp.Select):
            raise NotUnderstood("unites several SELECTs")
        with_ = select.args.get("with_") or select.args.get("with")
        here = dict(ctes)
        for cte in with_.expressions if isinstance(with_, exp.With) else []:
            if cte.args["alias"].args.get("columns"):
                raise NotUnderstood("gives columns other names beside an alias")
            here[cte.alias.casefold()] = cte.this
        items = self._items(select, here)
        inner = self._within_expressions(select, here)
        query = _Query(select, items, inner)
        self._check(select, query, items)
        return query

    def _items(self, select: exp.Select, ctes: Mapping[str, exp.Expr]) -> dict[str, _Item]:
        from_ = select.args.get("from_") or select.args.get("from")
        parts = [from_.this] if from_ is not None else []
        parts += [join.this for join in select.args.get("joins") or []]
        items: dict[str, _Item] = {}
        for part in parts:
            name = part.alias_or_name.casefold()
            if name in items or not name:
                raise NotUnderstood("reads two things under one name")
            items[name] = self._item(part, ctes)
        return items

    def _item(self, part: exp.Expr, ctes: Mapping[str, exp.Expr]) -> _Item:
        alias = part.args.get("alias")
        if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
            raise NotUnderstood("gives columns other names beside an alias")
        if isinstance(part, exp.Subquery):
            if part.args.get("pivots") or part.args.get("joins"):
                raise NotUnderstood("joins inside brackets")
            return self.query(part.this, ctes)
        if not isinstance(part, exp.Table) or part.args.get("joins") or part.args.get("pivots"):
            raise NotUnderstood("reads from something else than a source or a SELECT")
        name = part.name.casefold()
        if name in ctes:
            return self.query(ctes[name], {key: cte for key, cte in ctes.items() if key != name})
        for source in self._site.spec.sources:
            if source.casefold() == name:
                if source in self._known.queries:
                    return self._known.queries[source]
                return _File(source, self._headers.get(source, ()))
        raise NotUnderstood(f"reads {part.name}, which is no source")

    def _within_expressions(self, select: exp.Select, ctes: Mapping[str, exp.Expr]) -> frozenset[str]:
        """SELECTs inside expressions may only read sources that are no person's."""
        read: set[str] = set()
        for name, arg in select.args.items():
            if name in ("from_", "from", "joins", "with_", "with"):
                continue
            for part in arg if isinstance(arg, list) else [arg]:
                if not isinstance(part, exp.Expr):
                    continue
                for inner in part.find_all(exp.Select):
                    read |= self.query(inner, ctes).sources
        for join in select.args.get("joins") or []:
            on = join.args.get("on")
            for inner in on.find_all(exp.Select) if on is not None else []:
                read |= self.query(inner, ctes).sources
        if read & self._personal:
            raise NotUnderstood("asks rows of persons inside an expression")
        self.loose |= read
        return frozenset(read)

    def _check(self, select: exp.Select, query: _Query, items: Mapping[str, _Item]) -> None:
        if not query.sources & self._personal:
            return
        if select.args.get("limit") or select.args.get("offset") or select.args.get("windows"):
            raise NotUnderstood("takes some rows of many, or names a window")
        for lateral in select.args.get("laterals") or []:
            if next(lateral.find_all(exp.Select), None) is not None:
                raise NotUnderstood("has a LATERAL SELECT")
        self._check_joins(select, query, items)
        own = [part for part in self._parts(select) if not isinstance(part, exp.Select)]
        called = {p.name.lower() for p in own if isinstance(p, exp.Anonymous)}
        called |= {p.key for p in own if isinstance(p, exp.Any | exp.All)}
        if strange := sorted(called - _ROW_BY_ROW):
            raise NotUnderstood(
                f"calls {', '.join(strange)}, of which is not known here whether it looks at one row alone"
            )
        windows = [part for part in own if isinstance(part, exp.Window)]
        for window in windows:
            self._within(query, window.args.get("partition_by") or [], "numbers or sums rows over several persons")
        in_windows = {id(part) for window in windows for part in window.find_all(exp.AggFunc)}
        aggregates = [part for part in own if isinstance(part, exp.AggFunc) and id(part) not in in_windows]
        group = select.args.get("group")
        if group is not None:
            if any(group.args.get(kind) for kind in ("rollup", "cube", "grouping_sets", "all", "totals")):
                raise NotUnderstood("groups in more than one way")
            self._within(query, group.expressions, "groups rows of several persons")
        elif aggregates or select.args.get("having"):
            raise NotUnderstood("sums rows of all persons")
        if select.args.get("distinct"):
            # Rows that are alike have this column in common, too.
            self._within(query, select.expressions, "leaves rows out that are alike")

    def _parts(self, select: exp.Select) -> Iterator[exp.Expr]:
        """The parts of a SELECT that are not of a SELECT inside it."""
        for name, arg in select.args.items():
            if name in ("from_", "from", "joins", "with_", "with"):
                continue
            for part in arg if isinstance(arg, list) else [arg]:
                if isinstance(part, exp.Expr):
                    yield from part.walk(prune=lambda node: isinstance(node, exp.Select))

    def _within(self, query: _Query, by: list[exp.Expr], what: str) -> None:
        """Rows meet where they have one value of the first of these that is a column of a personal source."""
        for part in by:
            inner = part.this if isinstance(part, exp.Alias) else part
            origin = query.sure_origin(inner)
            if origin is not None and origin[0] in self._personal:
                self._link([origin], nulls=True)
                return
        if by and what.startswith("leaves") and self._hands_on_rows(by):
            return
        raise NotUnderstood(what)

    def _hands_on_rows(self, parts: list[exp.Expr]) -> bool:
        names = {part.alias_or_name.casefold() for part in parts}
        return names >= _POSITION

    def _check_joins(self, select: exp.Select, query: _Query, items: Mapping[str, _Item]) -> None:
        names = list(items)
        personal = {name for name, item in items.items() if item.sources & self._personal}
        first = names[0]
        for join in select.args.get("joins") or []:
            name = join.this.alias_or_name.casefold()
            kind, side = str(join.args.get("kind") or "").upper(), str(join.args.get("side") or "").upper()
            if side in ("RIGHT", "FULL") or join.args.get("method") or kind in ("STRAIGHT", "ASOF"):
                raise NotUnderstood(f"has a {side or join.args.get('method') or kind} JOIN")
            pairs = list(self._equal(join, query, items, name))
            if name in personal:
                if first not in personal:
                    raise NotUnderstood("joins rows of persons to rows of nobody")
                both = [(a, b) for a, b in pairs if a[0] in self._personal and b[0] in self._personal]
                if not both:
                    raise NotUnderstood("joins rows of persons by something else than equal columns")
                self._link(list(both[0]))
            else:
                one = [(a, b) for a, b in pairs if (a[0] in self._personal) and b[0] not in self._personal]
                if one and isinstance(items[name], _File) and self._tells(*one[0][1]):
                    self._link(list(one[0]))
                else:
                    self.loose |= items[name].sources

    def _tells(self, source: str, column: str) -> bool:
        """Whether rows of a source that may decide about each other have one value of a column: those of one key."""
        found = self._site.spec.sources[source]
        return isinstance(found, LandedSource) and (found.key is None or column in found.key)

    def _equal(
        self, join: exp.Join, query: _Query, items: Mapping[str, _Item], name: str
    ) -> Iterator[tuple[Origin, Origin]]:
        """(column of what stands before, column of what is joined) for each pair that must be equal."""
        for using in join.args.get("using") or []:
            there = items[name].output(using.name)
            before = [o for other, item in items.items() if other != name and (o := item.output(using.name))]
            if there is not None and len(before) == 1:
                yield before[0], there
        on = join.args.get("on")
        for part in on.flatten() if isinstance(on, exp.And) else [on]:
            part = part.unnest() if part is not None else None
            if not isinstance(part, exp.EQ):
                continue
            left, right = part.this.unnest(), part.expression.unnest()
            one, two = query.origin(left), query.origin(right)
            if one is None or two is None:
                continue
            if left.table.casefold() == name and right.table.casefold() != name:
                yield two, one
            elif right.table.casefold() == name and left.table.casefold() != name:
                yield one, two

    def _link(self, origins: list[Origin], nulls: bool = False) -> None:
        self._spaces += 1
        space = f"{self._view} {self._spaces}"
        self._known.links += [Linked(source, column, space, nulls) for source, column in origins]
