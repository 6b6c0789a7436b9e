"""Which specs and views are understood well enough for a delta, what ties their rows, and why others are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from delta_sites import DIAGNOSIS, PERSON, VISIT, land, site_of, ties

from dure.run.delta.ties import Ties, Unprovable

SOURCES = """  patient: {path: 환자.csv, key: 번호}
  visit: {path: 내원.csv, key: 내원}
  dx: {path: 진단.csv, key: 진단}
  codes: {path: 코드.csv, key: 코드}
  seen: {view: views/seen.sql, of: dx}
"""
ROWS = {
    "patient": [{"번호": "P1", "생년": "19700101", "성별": "M"}],
    "visit": [{"내원": "V1", "환자": "P1", "종류": "I", "시작": "20240101"}],
    "dx": [{"진단": "D1", "환자": "P1", "내원": "V1", "상병": "A01", "날짜": "20240101"}],
    "codes": [{"코드": "A01", "이름": "장티푸스"}],
}
CODES = "  care_site:\n    - {from: codes, care_site_name: 이름}\n"
ENTRIES = CODES + PERSON + VISIT + DIAGNOSIS % ("seen", "person: 환자, visit: 내원")


def of_view(folder: Path, sql: str, entries: str = ENTRIES) -> Ties:
    site = site_of(folder / "sites", SOURCES, entries, {"seen": sql})
    return ties(site, land(folder / "landing", site, ROWS))


def spaces(found: Ties) -> set[frozenset[tuple[str, str]]]:
    """(source, columns) of the ties in each space of several."""
    by_space: dict[str, set[tuple[str, str]]] = {}
    for tie in found.ties:
        by_space.setdefault(tie.space, set()).add((tie.source, "+".join(tie.columns)))
    return {frozenset(members) for members in by_space.values() if len(members) > 1}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT d.* FROM dx d",
        "SELECT d.*, c.`이름` FROM dx d LEFT JOIN codes c ON c.`코드` = d.`상병`",
        "SELECT d.*, upper(d.`상병`) AS `큰` FROM dx d WHERE d.`상병` IS NOT NULL",
        "SELECT d.*, v.`종류` FROM dx d JOIN visit v ON v.`내원` = d.`내원` AND v.`시작` <= d.`날짜`",
        "SELECT d.*, ROW_NUMBER() OVER (PARTITION BY d.`환자` ORDER BY d.`날짜`) AS `째` FROM dx d",
        "SELECT i.* FROM (SELECT d.*, stack(1, 'a') AS (x) FROM dx d) i",
        "WITH w AS (SELECT d.* FROM dx d) SELECT w.* FROM w",
        "SELECT d.*, n.`몇` FROM dx d LEFT JOIN (SELECT v.`환자`, COUNT(*) AS `몇` FROM visit v GROUP BY v.`환자`) n ON n.`환자` = d.`환자`",
        "SELECT d.* FROM dx d WHERE d.`상병` IN (SELECT c.`코드` FROM codes c)",
        "SELECT d.* FROM dx d LEFT SEMI JOIN visit v ON v.`내원` = d.`내원`",
    ],
)
def test_views_that_are_understood(tmp_path: Path, sql: str) -> None:
    found = of_view(tmp_path, sql)
    assert found.personal == ("patient", "visit", "dx")
    assert found.whole == ("codes",)
    persons = {("patient", "번호"), ("visit", "환자"), ("dx", "환자")}
    assert any(persons <= space for space in spaces(found))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (
            "SELECT d.*, ROW_NUMBER() OVER (ORDER BY d.`날짜`) AS n FROM dx d",
            "numbers or sums rows over several persons",
        ),
        ("SELECT d.*, SUM(1) OVER (PARTITION BY upper(d.`환자`)) AS n FROM dx d", "numbers or sums rows over several"),
        ("SELECT d.*, v.`종류` FROM dx d CROSS JOIN visit v", "joins rows of persons by something else"),
        (
            "SELECT d.*, v.`종류` FROM dx d JOIN visit v ON v.`시작` < d.`날짜`",
            "joins rows of persons by something else",
        ),
        ("SELECT d.*, v.`종류` FROM dx d FULL JOIN visit v ON v.`내원` = d.`내원`", "has a FULL JOIN"),
        ("SELECT d.* FROM codes c JOIN dx d ON c.`코드` = d.`상병`", "joins rows of persons to rows of nobody"),
        ("SELECT d.* FROM dx d WHERE d.`내원` IN (SELECT v.`내원` FROM visit v)", "asks rows of persons inside"),
        ("SELECT d.*, (SELECT MAX(v.`시작`) FROM visit v) AS m FROM dx d", "sums rows of all persons"),
        ("SELECT d.* FROM dx d ORDER BY d.`날짜` LIMIT 10", "takes some rows of many"),
        ("SELECT d.*, d._row % 2 AS `짝` FROM dx d", "works with _row"),
        (
            "SELECT d.*, ROW_NUMBER() OVER (PARTITION BY v.`환자` ORDER BY d.`날짜`) AS n FROM dx d "
            "LEFT JOIN visit v ON v.`내원` = d.`내원`",
            "numbers or sums rows over several",
        ),
        (
            "SELECT i.*, MAX(i.`날짜`) OVER (PARTITION BY i.p) AS m FROM (SELECT d.*, v.`환자` AS p FROM dx d "
            "LEFT JOIN visit v ON v.`내원` = d.`내원`) i",
            "numbers or sums rows over several",
        ),
        (
            "SELECT i.* FROM (SELECT d.* FROM dx d) i (`진단`, `내원`, `환자`, `상병`, `날짜`, a, b, c, e)",
            "other names beside",
        ),
        ("SELECT d.* FROM dx d JOIN (SELECT try_sum(1) AS x FROM visit v) n ON n.x = d.`진단`", "calls try_sum"),
        ("SELECT d.*, n.x FROM dx d JOIN (SELECT COUNT(*) AS x FROM visit v) n ON n.x = d.`진단`", "sums rows of all"),
    ],
)
def test_views_that_make_every_night_a_full_one(tmp_path: Path, sql: str, why: str) -> None:
    with pytest.raises(Unprovable, match=why):
        of_view(tmp_path, sql)


def test_a_view_that_works_out_the_column_by_which_it_points(tmp_path: Path) -> None:
    sql = "SELECT d._file, d._row, d.`진단`, lpad(d.`환자`, 5, '0') AS `환자`, d.`내원`, d.`상병`, d.`날짜` FROM dx d"
    with pytest.raises(Unprovable, match=r"환자 of the view seen, which condition_occurrence.0. seen points by"):
        of_view(tmp_path, sql)


def test_rows_joined_with_a_table_of_codes_are_found_by_its_column(tmp_path: Path) -> None:
    found = of_view(tmp_path, "SELECT d.*, c.`이름` FROM dx d LEFT JOIN codes c ON c.`코드` = d.`상병`")
    assert {(tie.source, tie.columns) for tie in found.joined} == {("codes", ("코드",)), ("dx", ("상병",))}
    assert not found.loose


def test_a_source_joined_by_no_column_may_concern_anybody(tmp_path: Path) -> None:
    found = of_view(tmp_path, "SELECT d.*, c.`이름` FROM dx d LEFT JOIN codes c ON d.`상병` LIKE c.`코드`")
    assert found.loose == frozenset({"codes"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT d.*, c.`이름` FROM dx d LEFT JOIN codes c ON c.`이름` = d.`상병`",
        "SELECT d.*, c.n FROM dx d LEFT JOIN (SELECT k.`코드`, MAX(k.`이름`) OVER () AS n FROM codes k) c ON c.`코드` = d.`상병`",
    ],
)
def test_a_column_that_does_not_tell_which_rows_of_a_code_table_matter(tmp_path: Path, sql: str) -> None:
    """Rows with one key decide about each other, and a SELECT may mix them all."""
    assert of_view(tmp_path, sql).loose == frozenset({"codes"})


def test_a_tie_of_some_columns_of_the_key_does_for_the_key(tmp_path: Path) -> None:
    """Rows with one key share the visit that is a part of it: nobody needs to look at the whole key."""
    sources = SOURCES.replace("key: 진단}", "key: [내원, 진단]}").replace(
        "  seen: {view: views/seen.sql, of: dx}\n", ""
    )
    site = site_of(tmp_path / "sites", sources, CODES + PERSON + VISIT + DIAGNOSIS % ("dx", "visit: 내원"))
    found = ties(site, land(tmp_path / "landing", site, ROWS))
    (tie,) = found.of("dx")
    assert (tie.columns, tie.defines, tie.nulls) == (("내원",), True, True)


def test_entries_of_places_are_common(tmp_path: Path) -> None:
    location = "  location:\n    - {from: patient, key: 성별, zip: 성별}\n"
    found = of_view(
        tmp_path, "SELECT d.* FROM dx d", location + ENTRIES.replace("birth: 생년", "birth: 생년, location: 성별")
    )
    assert [rule.name for rule in found.common] == ["location[0] patient", "care_site[0] codes"]
    assert [(p.source, p.parts, p.to) for p in found.pointers] == [("patient", ("성별",), "location")]
    assert ("patient", ("성별",)) not in {(tie.source, tie.parts) for tie in found.ties}


def test_the_row_number_as_a_column_of_the_spec(tmp_path: Path) -> None:
    site = site_of(tmp_path / "sites", SOURCES, ENTRIES.replace("visit: 내원", "visit: 내원, source_value: _row"),
                   {"seen": "SELECT d.* FROM dx d"})  # fmt: skip
    with pytest.raises(Unprovable, match="the spec reads _row"):
        ties(site, land(tmp_path / "landing", site, ROWS))
