"""The SQL of views: what is taken, what is refused, whose rows come out."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_folder import SPEC, changed, mistakes

from dure.site.views import parse_view

SOURCES = frozenset({"orders", "code_table", "lab"})


def said(sql: str) -> list[str]:
    return [str(problem) for problem in parse_view(sql, "v.sql", SOURCES)[1]]


@pytest.mark.parametrize(
    ("sql", "reads", "rows_of"),
    [
        (
            "SELECT o.*, t.`코드명` FROM orders o LEFT JOIN code_table t ON t.a = o.a",
            {"orders", "code_table"},
            {"orders"},
        ),
        ("SELECT o.* FROM orders o LEFT SEMI JOIN lab l ON l.a = o.a;", {"orders", "lab"}, {"orders"}),
        ("-- 주석 한글\nSELECT *, '한글' AS `열` FROM orders", {"orders"}, {"orders"}),
        ("WITH c AS (SELECT * FROM orders) SELECT * FROM c", {"orders"}, {"orders"}),
        ("SELECT _file, _row, stack(2, 'a', a, 'b', b) AS (k, v) FROM lab", {"lab"}, {"lab"}),
        ("SELECT * FROM (SELECT _file, _row, a FROM lab) WHERE a IS NOT NULL", {"lab"}, {"lab"}),
        ("SELECT o._FILE, o._ROW FROM Orders o", {"orders"}, {"orders"}),
        ("SELECT min(_file) AS _file, min(_row) AS _row, a FROM lab GROUP BY a", {"lab"}, {"lab"}),
        ("SELECT a FROM lab", {"lab"}, set()),
        ("SELECT o._file, l._row FROM orders o JOIN lab l ON o.a = l.a", {"orders", "lab"}, set()),
        ("SELECT l.*, e FROM lab l LATERAL VIEW explode(split(a, ',')) x AS e", {"lab"}, {"lab"}),
    ],
)
def test_a_select_over_declared_sources(sql: str, reads: set[str], rows_of: set[str]) -> None:
    view, problems = parse_view(sql, "v.sql", SOURCES)
    assert problems == []
    assert view is not None
    assert (view.reads, view.rows_of) == (reads, rows_of)


_FILES = "a view selects from declared sources only, never from files"
_CLOCK = "a run must give the same rows on another day; compare with a column"


@pytest.mark.parametrize(
    ("sql", "found", "do"),
    [
        ("SELECT * FROM csv.`/etc/passwd`", "'csv./etc/passwd' is not a declared source", _FILES),
        ("SELECT * FROM orders WHERE a IN\n(SELECT a FROM parquet.`/x`)", "'parquet./x' is not a declared source", _FILES),
        ("SELECT * FROM other.orders", "'other.orders' is not a declared source", _FILES),
        ("SELECT * FROM range(10)", "table function range", "a view selects from declared sources only"),
        ("SELECT * FROM lab WHERE (a = 1", "not SQL: expecting )", "a view is one Spark SQL SELECT over declared sources"),
        ("SELECT a FROM lab WHERE", "not SQL: something is missing", "a view is one Spark SQL SELECT over declared sources"),
        ("SELECT * FROM orderz", "no source 'orderz' (closest: 'orders')", "sources: code_table, lab, orders"),
        ("SELECT a.*, b.* FROM orders a JOIN lab b ON a.x = b.x", "SELECT a.*, b.* names columns twice", "keep the star of the source whose rows these are; name the others"),
        ("SELECT * FROM orders a JOIN lab b ON a.x = b.x", "SELECT * over a join names columns twice", "write a.*, b.COL, … for the columns that you need of b"),
        ("SELECT * EXCEPT (a) FROM orders", "* EXCEPT in a view", "Sail does not have it; name the columns"),
        ("SELECT *, row_number() OVER (ORDER BY a) AS n FROM lab QUALIFY n = 1", "QUALIFY in a view", "neither engine has it; number the rows in a sub-select and select from that"),
        ("SELECT * FROM lab UNPIVOT (v FOR k IN (a, b))", "PIVOT or UNPIVOT in a view", "engines differ on empty cells; write stack(…), and IS NOT NULL around it"),
        ("SELECT * FROM lab TABLESAMPLE (10 PERCENT)", "TABLESAMPLE in a view", "a view must give the same rows each time; remove it"),
        ("SELECT TRANSFORM(a) USING 'cat' AS (b) FROM lab", "TRANSFORM in a view", "it runs a program; write the expression in SQL"),
        ("SELECT *, current_date() AS d FROM lab", "current_date() reads the clock", _CLOCK),
        ("SELECT *, now() AS d FROM lab", "now() reads the clock", _CLOCK),
        ("SELECT *, rand() AS r FROM lab", "rand() gives other values in each run", "order by columns and number the rows"),
        ("SELECT *, reflect('java.lang.System', 'exit') AS r FROM lab", "reflect() reads more than the rows of a source", "remove it; the file of a row is _file"),
        ("SELECT *, input_file_name() AS f FROM lab", "input_file_name() reads more than the rows of a source", "remove it; the file of a row is _file"),
        ("SELECT :x FROM lab", "a parameter in a view", "write the value out"),
        ("SELECT 코드 FROM lab", "name 코드 without backticks", "write `코드`; Spark refuses such names bare, Sail does not"),
        ("DROP TABLE lab", "DROP …, where a view is one SELECT", "write SELECT … FROM …"),
        ("SHOW TABLES", "SHOW …, where a view is one SELECT", "write SELECT … FROM …"),
        ("INSERT INTO lab SELECT * FROM orders", "INSERT …, where a view is one SELECT", "write SELECT … FROM …"),
        ("SELECT * FROM lab; SELECT * FROM orders", "2 statements, where a view is one SELECT", "keep one SELECT in the file"),
        ("-- nothing\n", "no statement, where a view is one SELECT", "keep one SELECT in the file"),
        ("SELECT _row FROM lab UNION ALL SELECT _row FROM orders", "UNION or its like, where a view is one SELECT", "give each SELECT a view and an entry of its own"),
        ("SELECT 'a FROM lab", "not SQL: a quote or a comment is not closed", "close it"),
    ],
)  # fmt: skip
def test_what_a_view_may_not_be(sql: str, found: str, do: str) -> None:
    problems = parse_view(sql, "v.sql", SOURCES)[1]
    assert [problem.found[: len(found)] for problem in problems] == [found]
    assert problems[0].do == do


def test_the_line_of_a_mistake_in_sql() -> None:
    sql = "-- 처방\nSELECT o.*,\n       now() AS t\nFROM orders o\nJOIN orderz z\n  ON true"
    assert [problem.split("\n")[0] for problem in said(sql)] == [
        "v.sql:3: now() reads the clock",
        "v.sql:5: no source 'orderz' (closest: 'orders')",
    ]


def test_views_that_select_from_each_other_are_refused(tmp_path: Path) -> None:
    spec = changed("  order_coded:", "  drugs: {view: views/drugs.sql, of: order_coded}\n  order_coded:")
    spec = changed("- from: order_coded", "- from: drugs", spec)
    files = {
        "hospitals/garam/views/drugs.sql": "SELECT c.* FROM order_coded c",
        "hospitals/garam/views/order_coded.sql": (
            "SELECT o.* FROM orders o LEFT SEMI JOIN drugs d ON d.a = o.a LEFT SEMI JOIN code_table t ON t.a = o.a"
        ),
    }
    assert mistakes(tmp_path, spec, files) == [
        "hospitals/garam/site.yaml:16 sources.drugs.view: views select from each other: drugs → order_coded → drugs\n"
        "    break the circle"
    ]


def test_a_view_of_itself_is_refused(tmp_path: Path) -> None:
    spec = changed("of: orders}", "of: order_coded}")
    files = {"hospitals/garam/views/order_coded.sql": "SELECT o.* FROM order_coded o JOIN code_table t ON true"}
    assert mistakes(tmp_path, spec, files) == [
        "hospitals/garam/site.yaml:14 sources.orders: source 'orders' reaches no table\n"
        "    map it, say role: lookup, or give the reason: ignored: {orders: …}",
        "hospitals/garam/site.yaml:16 sources.order_coded.view: views select from each other: order_coded → order_coded\n"
        "    break the circle",
    ]


def test_a_view_that_carries_no_row_is_refused(tmp_path: Path) -> None:
    sql = "SELECT o.`처방코드` FROM orders o JOIN code_table t ON t.a = o.a"
    assert mistakes(tmp_path, SPEC, {"hospitals/garam/views/order_coded.sql": sql}) == [
        "hospitals/garam/site.yaml:16 sources.order_coded.of: the rows are those of orders, but views/order_coded.sql "
        "selects neither\n    select _file and _row of orders, e.g. by its star: a.*"
    ]
