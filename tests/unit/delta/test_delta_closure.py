"""Rows that belong together, in cases written by hand: who is taken along by a changed row, and who is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from delta_sites import DIAGNOSIS, PERSON, VISIT, chosen, land, site_of, ties

from dure.run.delta.closure import Closure, texts
from dure.run.delta.ties import Fixed

SOURCES = """  patient: {path: 환자.csv, key: 번호}
  visit: {path: 내원.csv, key: 내원}
  dx: {path: 진단.csv, key: 진단}
"""
PERSONS = [{"번호": f"P{n}", "생년": "19700101", "성별": "M"} for n in range(1, 6)]


def visit(number: str, person: str | None) -> dict[str, str | None]:
    return {"내원": number, "환자": person, "종류": "I", "시작": "20240101"}


def diagnosis(number: str, person: str | None, of: str | None) -> dict[str, str | None]:
    return {"진단": number, "환자": person, "내원": of, "상병": "A01", "날짜": "20240101"}


def closed(folder: Path, rows: dict[str, list[dict[str, str | None]]], source: str, row: int) -> Closure:
    """What belongs to one row (counted from 1) of a source."""
    site = site_of(folder / "sites", SOURCES, PERSON + VISIT + DIAGNOSIS % ("dx", "person: 환자, visit: 내원"))
    landing = land(folder / "landing", site, rows)
    closure = Closure(ties(site, landing), landing)
    closure.choose(source, {(0, (row - 1) // 2): np.array([(row - 1) % 2])})
    assert closure.close()
    return closure


def test_a_person_and_all_rows_that_name_the_person(tmp_path: Path) -> None:
    rows = {
        "patient": PERSONS,
        "visit": [visit("V1", "P1"), visit("V2", "P2"), visit("V3", "P1")],
        "dx": [diagnosis("D1", "P1", "V1"), diagnosis("D2", "P2", "V2"), diagnosis("D3", "P1", None)],
    }
    closure = closed(tmp_path, rows, "dx", 3)
    assert (chosen(closure, "patient"), chosen(closure, "visit"), chosen(closure, "dx")) == ([1], [1, 3], [1, 3])


def test_a_row_that_names_the_visit_of_another_takes_that_person_along(tmp_path: Path) -> None:
    rows = {
        "patient": PERSONS,
        "visit": [visit("V1", "P1"), visit("V2", "P2"), visit("V3", "P3")],
        "dx": [diagnosis("D1", "P1", "V2"), diagnosis("D2", "P2", "V2"), diagnosis("D3", "P3", "V3")],
    }
    closure = closed(tmp_path, rows, "visit", 2)
    assert (chosen(closure, "patient"), chosen(closure, "visit"), chosen(closure, "dx")) == ([1, 2], [1, 2], [1, 2])


def test_a_visit_that_nobody_has_ties_nobody(tmp_path: Path) -> None:
    """`0` for no visit stands in the rows of everybody, and no visit has it."""
    rows = {
        "patient": PERSONS,
        "visit": [visit("V1", "P1")],
        "dx": [diagnosis(f"D{n}", f"P{n}", "0") for n in range(1, 6)],
    }
    closure = closed(tmp_path, rows, "dx", 2)
    assert (chosen(closure, "patient"), chosen(closure, "dx")) == ([2], [2])


def test_once_a_visit_has_that_number_all_belong_together(tmp_path: Path) -> None:
    rows = {
        "patient": PERSONS,
        "visit": [visit("0", "P1")],
        "dx": [diagnosis(f"D{n}", f"P{n}", "0") for n in range(1, 4)],
    }
    closure = closed(tmp_path, rows, "dx", 2)
    assert (chosen(closure, "patient"), chosen(closure, "visit"), chosen(closure, "dx")) == ([1, 2, 3], [1], [1, 2, 3])


def test_rows_with_one_key_belong_together(tmp_path: Path) -> None:
    rows = {
        "patient": PERSONS,
        "visit": [visit("V1", "P1")],
        "dx": [diagnosis("D1", "P4", None), diagnosis("D1", "P5", None), diagnosis("D2", "P3", None)],
    }
    closure = closed(tmp_path, rows, "dx", 1)
    assert (chosen(closure, "patient"), chosen(closure, "dx")) == ([4, 5], [1, 2])


def test_rows_of_nobody_are_alone_and_those_without_a_key_are_together(tmp_path: Path) -> None:
    rows = {
        "patient": PERSONS,
        "visit": [visit("V1", "P1")],
        "dx": [diagnosis("D1", "X9", None), diagnosis("D2", "X9", None), *[diagnosis(None, "X9", None)] * 2],  # type: ignore[arg-type]
    }
    assert chosen(closed(tmp_path / "1", rows, "dx", 1), "dx") == [1]
    assert chosen(closed(tmp_path / "2", rows, "dx", 3), "dx") == [3, 4]


def test_rows_that_went_take_along_what_they_were_tied_to(tmp_path: Path) -> None:
    site = site_of(tmp_path / "sites", SOURCES, PERSON + VISIT + DIAGNOSIS % ("dx", "person: 환자, visit: 내원"))
    landing = land(
        tmp_path / "landing",
        site,
        {
            "patient": PERSONS,
            "visit": [visit("V1", "P1")],
            "dx": [diagnosis("D1", "P1", "V7"), diagnosis("D2", "P2", None)],
        },
    )
    closure = Closure(ties(site, landing), landing)
    closure.values("visit", pa.table({name: pa.array([value]) for name, value in visit("V7", "P2").items()}))
    assert closure.close()
    assert (chosen(closure, "patient"), chosen(closure, "dx")) == ([1, 2], [1, 2])


def test_it_gives_up_where_too_much_belongs_together(tmp_path: Path) -> None:
    site = site_of(tmp_path / "sites", SOURCES, PERSON + VISIT + DIAGNOSIS % ("dx", "person: 환자, visit: 내원"))
    rows = {"patient": PERSONS, "visit": [visit("V1", "P1")], "dx": [diagnosis(f"D{n}", "P1", None) for n in range(9)]}
    landing = land(tmp_path / "landing", site, rows)  # type: ignore[arg-type]
    closure = Closure(ties(site, landing), landing)
    closure.choose("patient", {(0, 0): np.array([0])})
    assert not closure.close(0.5)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("a",), ["x\\|y", None, "\\\\N"]),
        (("a", "b"), ["x\\|y|1", None, "\\\\N|\\N"]),
        (("a", Fixed("외래|")), ["x\\|y|외래\\|", None, "\\\\N|외래\\|"]),
    ],
)
def test_key_texts_are_those_of_the_engine(parts: tuple[object, ...], expected: list[str | None]) -> None:
    table = pa.table({"a": pa.array(["x|y", None, "\\N"]), "b": pa.array(["1", None, None])})
    assert texts(parts, table).to_pylist() == expected  # type: ignore[arg-type]
    assert texts(parts, table, nulls=True).to_pylist()[1] == "\\N"  # type: ignore[arg-type]
