"""The SQL of a view, parsed and held to what both engines do alike: one SELECT over declared sources.

The engines can read any file that their user can, and take table functions, so whatever is not a plain SELECT over
declared sources is refused before it reaches one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, TokenError

from dure.errors import Problem
from dure.site.yaml_text import closest

ROW_COLUMNS = ("_file", "_row")
# The draft of the grammar named the file column so.
_OLD_FILE_COLUMN = "_source_file"

_CLOCK = frozenset(
    {"current_date", "curdate", "current_timestamp", "now", "localtimestamp", "unix_timestamp", "current_time"}
)
_CHANCE = frozenset({"rand", "random", "randn", "uuid", "shuffle", "monotonically_increasing_id", "spark_partition_id"})
_OUTSIDE = frozenset(
    {
        "reflect",
        "java_method",
        "try_reflect",
        "input_file_name",
        "input_file_block_start",
        "input_file_block_length",
        "read_files",
        "current_user",
        "current_database",
        "current_catalog",
        "session_user",
        "user",
    }
)
_NOT_PORTABLE: tuple[tuple[type[exp.Expr], str, str], ...] = (
    (exp.Qualify, "QUALIFY", "neither engine has it; number the rows in a sub-select and select from that"),
    (exp.QueryTransform, "TRANSFORM", "it runs a program; write the expression in SQL"),
    (exp.Pivot, "PIVOT or UNPIVOT", "engines differ on empty cells; write stack(…), and IS NOT NULL around it"),
    (exp.TableSample, "TABLESAMPLE", "a view must give the same rows each time; remove it"),
    (exp.Placeholder, "a parameter", "write the value out"),
    (exp.Parameter, "a parameter", "write the value out"),
)


@dataclass(frozen=True)
class View:
    """One parsed view: the sources it reads and the sources whose `_file` and `_row` come out of it."""

    reads: frozenset[str]
    rows_of: frozenset[str]
    old_file_column: bool


def parse_view(sql: str, shown: str, sources: frozenset[str]) -> tuple[View | None, list[Problem]]:
    """The view, or None where it does not parse as one SELECT; `sources` are the names that it may read."""
    try:
        tokens = sqlglot.tokenize(sql, read="spark")
        if tokens and tokens[0].text.upper() not in ("SELECT", "WITH"):
            found = f"{tokens[0].text.upper()} …, where a view is one SELECT"
            return None, [Problem(f"{shown}:{tokens[0].line}", found, "write SELECT … FROM …")]
        statements = [statement for statement in sqlglot.parse(sql, read="spark") if statement is not None]
    except TokenError:
        return None, [Problem(f"{shown}:1", "not SQL: a quote or a comment is not closed", "close it")]
    except ParseError as error:
        return None, [_unparsed(error, shown)]
    problems = list(_bare_hangul(tokens, shown))
    if len(statements) != 1:
        found = "no statement" if not statements else f"{len(statements)} statements"
        return None, [
            *problems,
            Problem(f"{shown}:1", f"{found}, where a view is one SELECT", "keep one SELECT in the file"),
        ]
    root = statements[0]
    if not isinstance(root, exp.Select):
        kind = "UNION or its like" if isinstance(root, exp.SetOperation) else root.key.upper()
        do = "give each SELECT a view and an entry of its own"
        return None, [*problems, Problem(f"{shown}:1", f"{kind}, where a view is one SELECT", do)]
    if root.args.get("into"):
        problems.append(Problem(f"{shown}:1", "SELECT … INTO writes a table", "remove INTO"))
    lines = _Lines(tokens)
    reads = set()
    for node in root.walk():
        problems += [Problem(f"{shown}:{lines.of(node)}", found, do) for found, do in _refused(node)]
    for table in root.find_all(exp.Table):
        name, wrong = _source_read(table, sources)
        if wrong:
            problems.append(Problem(f"{shown}:{lines.of(table)}", *wrong))
        elif name:
            reads.add(name)
    return View(frozenset(reads), frozenset(_rows_of(root)), _uses_old_file_column(root)), problems


def in_order(views: Mapping[str, str], parsed: Mapping[str, View]) -> list[str]:
    """The views, each after those that it reads; a circle, reported elsewhere, stays as it stands."""
    graph = {name: (parsed[name].reads if name in parsed else frozenset()) & set(views) for name in views}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return list(views)


def _unparsed(error: ParseError, shown: str) -> Problem:
    detail = error.errors[0] if error.errors else {}
    what = str(detail.get("description") or "it does not parse").rstrip(".")
    near = str(detail.get("highlight") or "")
    if "<class" in what:
        what = "something is missing"
    found = f"not SQL: {what[:1].lower()}{what[1:]}" + (f" (near '{near}')" if near else "")
    return Problem(f"{shown}:{detail.get('line') or 1}", found, "a view is one Spark SQL SELECT over declared sources")


def _bare_hangul(tokens: list[Token], shown: str) -> Iterator[Problem]:
    for token in tokens:
        if token.token_type in (
            TokenType.STRING,
            TokenType.IDENTIFIER,
            TokenType.NATIONAL_STRING,
            TokenType.RAW_STRING,
        ):
            continue
        if not token.text.isascii():
            do = f"write `{token.text}`; Spark refuses such names bare, Sail does not"
            yield Problem(f"{shown}:{token.line}", f"name {token.text} without backticks", do)


class _Lines:
    """The line of a parsed node, by the place of the identifiers inside it."""

    def __init__(self, tokens: list[Token]) -> None:
        self.by_text: dict[str, int] = {}
        for token in tokens:
            self.by_text.setdefault(token.text.casefold(), token.line)

    def of(self, node: exp.Expr) -> int:
        for inner in node.walk():
            if "line" in inner.meta:
                return int(inner.meta["line"])
        names = (node.name, node.key, node.sql_name() if isinstance(node, exp.Func) else "")
        return next((self.by_text[n.casefold()] for n in names if n and n.casefold() in self.by_text), 1)


def _refused(node: exp.Expr) -> Iterator[tuple[str, str]]:
    """(what was found, what to do) for a node that a view may not hold."""
    for kind, name, do in _NOT_PORTABLE:
        if isinstance(node, kind):
            yield f"{name} in a view", do
    if isinstance(node, exp.DML | exp.DDL | exp.Command) and not isinstance(node, exp.Query):
        yield f"{node.key.upper()} in a view", "a view only selects"
    if isinstance(node, exp.Select):
        yield from _twice_named(node)
    if isinstance(node, exp.Star) and (node.args.get("except_") or node.args.get("except")):
        yield "* EXCEPT in a view", "Sail does not have it; name the columns"
    name = _function_name(node)
    if name in _CLOCK:
        yield f"{name}() reads the clock", "a run must give the same rows on another day; compare with a column"
    elif name in _CHANCE:
        yield f"{name}() gives other values in each run", "order by columns and number the rows"
    elif name in _OUTSIDE:
        yield f"{name}() reads more than the rows of a source", "remove it; the file of a row is _file"


def _function_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.name).casefold()
    return node.sql_name().casefold() if isinstance(node, exp.Func) else ""


def _twice_named(select: exp.Select) -> Iterator[tuple[str, str]]:
    """A SELECT whose stars name the key columns of a join twice."""
    joins = [j for j in select.args.get("joins") or [] if str(j.args.get("kind") or "").upper() not in ("SEMI", "ANTI")]
    stars = [item for item in select.expressions if item.is_star]
    if len(stars) > 1:
        names = ", ".join(star.sql(dialect="spark") for star in stars)
        yield f"SELECT {names} names columns twice", "keep the star of the source whose rows these are; name the others"
    elif stars and isinstance(stars[0], exp.Star) and joins:
        yield "SELECT * over a join names columns twice", "write a.*, b.COL, … for the columns that you need of b"


def _source_read(table: exp.Table, sources: frozenset[str]) -> tuple[str | None, tuple[str, str] | None]:
    """(declared source that a table of the SQL is, what is wrong with it)."""
    if not isinstance(table.this, exp.Identifier):
        what = f"table function {table.this.name or table.this.key}"
        return None, (what, "a view selects from declared sources only")
    if table.args.get("db") or table.args.get("catalog"):
        path = ".".join(part.name for part in table.parts)
        return None, (
            f"'{path}' is not a declared source",
            "a view selects from declared sources only, never from files",
        )
    name = table.name
    if name.casefold() in _ctes_in_sight(table):
        return None, None
    declared = {source.casefold(): source for source in sources}
    if name.casefold() in declared:
        return declared[name.casefold()], None
    return None, (f"no source '{name}'{closest(name, sources)}", "sources: " + ", ".join(sorted(sources)))


def _ctes_in_sight(node: exp.Expr) -> set[str]:
    names: set[str] = set()
    outer = node.parent
    while outer is not None:
        with_ = outer.args.get("with_") or outer.args.get("with")
        if isinstance(with_, exp.With):
            names |= {cte.alias.casefold() for cte in with_.expressions}
        outer = outer.parent
    return names


def _uses_old_file_column(root: exp.Select) -> bool:
    return any(column.name == _OLD_FILE_COLUMN for column in root.find_all(exp.Column))


# ------------------------------------------------------------------------------ whose _file and _row come out


def _rows_of(query: exp.Expr | None, ctes: Mapping[str, exp.Expr] | None = None) -> set[str]:
    """The sources whose `_file` and `_row` a query carries out, as far as its text says."""
    if isinstance(query, exp.Subquery):
        return _rows_of(query.this, ctes)
    if isinstance(query, exp.SetOperation):
        return _rows_of(query.left, ctes) & _rows_of(query.right, ctes)
    if not isinstance(query, exp.Select):
        return set()
    with_ = query.args.get("with_") or query.args.get("with")
    seen = dict(ctes or {})
    for cte in with_.expressions if isinstance(with_, exp.With) else []:
        seen[cte.alias.casefold()] = cte.this
    origins = dict(_origins(query, seen))
    everything = set().union(*origins.values())
    carried: dict[str, set[str]] = {column: set() for column in ROW_COLUMNS}
    for item in query.expressions:
        qualifier = item.table.casefold() if isinstance(item, exp.Column) else ""
        of = origins.get(qualifier, set()) if qualifier else everything
        if item.is_star:
            for column in carried:
                carried[column] |= of
            continue
        name = item.alias_or_name.casefold()
        name = "_file" if name == _OLD_FILE_COLUMN else name
        if name in carried:
            for column in item.find_all(exp.Column):
                carried[name] |= origins.get(column.table.casefold(), set()) if column.table else everything
    return carried["_file"] & carried["_row"]


def _origins(select: exp.Select, ctes: Mapping[str, exp.Expr]) -> Iterator[tuple[str, set[str]]]:
    """(alias, sources whose rows it carries) of everything in the FROM of a SELECT."""
    from_ = select.args.get("from_") or select.args.get("from")
    items = [from_.this] if from_ is not None else []
    items += [join.this for join in select.args.get("joins") or []]
    for item in items:
        alias = item.alias_or_name.casefold()
        if isinstance(item, exp.Table):
            name = item.name.casefold()
            inner = {key: query for key, query in ctes.items() if key != name}
            yield alias, _rows_of(ctes[name], inner) if name in ctes else {name}
        elif isinstance(item, exp.Subquery):
            yield alias, _rows_of(item, ctes)
        else:
            yield alias, set()
