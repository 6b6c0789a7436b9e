"""The catalogue of a store: its files, its forms, and the same whatever is held at once."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_store import DIABETES, GLUCOSE, TYPE_2, put, vocabulary

from dure.center.catalogue.catalogue import CatalogueOptions, Made, make_catalogue
from dure.center.catalogue.page import PageRows, page_html, words
from dure.cli import main
from dure.errors import ConfigurationError, IntegrityError
from dure.progress import SilentProgress

CONDITION, MEASUREMENT = "condition_occurrence", "measurement"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    put(
        root,
        "haneul",
        name="하늘병원",
        consortium="북부",
        persons=1004,
        counts=[
            (CONDITION, TYPE_2, 2023, 44, 21),
            (CONDITION, TYPE_2, 2024, 8, 4),
            (CONDITION, DIABETES, 2024, 80, 40),
            (MEASUREMENT, GLUCOSE, 2024, 5004, 802),
            (CONDITION, 0, 2024, 31, 12),
        ],
    )
    put(
        root,
        "bada",
        name="바다병원",
        consortium="북부",
        persons=7,
        counts=[
            (CONDITION, TYPE_2, 2023, 60, 31),
            (CONDITION, TYPE_2, 2024, 90, 52),
            (CONDITION, DIABETES, 2023, 9, 6),
        ],
    )
    put(root, "gangsan", name="=강산병원", consortium="남부", persons=500, counts=[(CONDITION, TYPE_2, 2024, 66, 33)])
    return root


def make(store: Path, out: Path, **others: Any) -> Made:
    names = None if others.pop("nameless", False) else vocabulary(out / "vocab")
    return make_catalogue(CatalogueOptions(store, out, date(2026, 3, 2), **others), names, SilentProgress())


def said(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "catalogue.json").read_text("utf-8")))


def concept(out: Path, concept_id: int) -> dict[str, Any]:
    (found,) = [each for each in said(out)["concepts"] if each["concept_id"] == concept_id]
    return dict(found)


def test_counts_by_concept_hospital_and_year_rounded_and_without_the_small_ones(store: Path, tmp_path: Path) -> None:
    made = make(store, tmp_path / "out")
    assert (made.concepts, made.cells, made.hidden, made.totals_of_all) == (4, 9, 5, 3)
    head = said(tmp_path / "out")
    assert (head["day"], head["threshold"], head["round"], head["sites"]) == ("2026-03-02", 10, 10, "named")
    assert [(each["name"], each["persons"]) for each in head["places"]] == [
        ("=강산병원", 500),
        ("바다병원", None),
        ("하늘병원", 1000),
    ]
    glucose = concept(tmp_path / "out", GLUCOSE)
    assert glucose == {
        "table": MEASUREMENT,
        "concept_id": GLUCOSE,
        "name": "Glucose <serum> 혈당",
        "persons_at_least": 800,
        "records": 5000,
        "of_all": 1,
        "years": [[2024, 800, 5000, 1]],
        "places": [[2, 800, 5000, 1]],
        "cells": [[2, 2024, 800, 5000]],
    }
    # The four of 하늘병원 in 2024 take three others with them; the totals are those of all.
    diabetes = concept(tmp_path / "out", TYPE_2)
    assert diabetes["cells"] == [
        [0, 2024, 30, 70],
        [1, 2023, None, None],
        [1, 2024, None, None],
        [2, 2023, None, None],
        [2, 2024, None, None],
    ]
    assert diabetes["years"] == [[2023, 50, 100, 1], [2024, 90, 160, 1]]
    assert diabetes["of_all"] == 1
    # The six of 바다병원 have nothing to hide behind, so no total counts them.
    assert concept(tmp_path / "out", DIABETES)["places"] == [[1, None, None, 0], [2, 40, 80, 1]]
    assert concept(tmp_path / "out", DIABETES)["years"] == [[2023, None, None, 0], [2024, 40, 80, 1]]
    assert concept(tmp_path / "out", DIABETES)["of_all"] == 0


def test_by_consortium_hospitals_add_up(store: Path, tmp_path: Path) -> None:
    make(store, tmp_path / "out", places="consortium", threshold=20)
    head = said(tmp_path / "out")
    assert [(each["name"], each["hospitals"]) for each in head["places"]] == [("남부", 1), ("북부", 2)]
    assert concept(tmp_path / "out", TYPE_2)["cells"] == [[0, 2024, 30, 70], [1, 2023, 50, 100], [1, 2024, 60, 100]]
    text = (tmp_path / "out" / "catalogue.html").read_text("utf-8") + json.dumps(head, ensure_ascii=False)
    assert "병원" not in re.sub("|".join(words()["ko"].values()), "", text)


def test_names_are_those_of_the_vocabulary_named_alone(store: Path, tmp_path: Path) -> None:
    make(store, tmp_path / "out", nameless=True)
    assert {each["name"] for each in said(tmp_path / "out")["concepts"]} == {""}
    assert said(tmp_path / "out")["vocabulary"] is None


def test_parts_of_any_size_give_the_same_counts(store: Path, tmp_path: Path) -> None:
    make(store, tmp_path / "whole")
    make(store, tmp_path / "parts", part_rows=2)
    some, all_of_them = said(tmp_path / "parts"), said(tmp_path / "whole")
    assert sorted(some["concepts"], key=str) == sorted(all_of_them["concepts"], key=str)
    assert len(some["concepts"]) == 4


def test_the_csv_opens_in_a_spreadsheet_and_runs_nothing_there(store: Path, tmp_path: Path) -> None:
    make(store, tmp_path / "out")
    content = (tmp_path / "out" / "catalogue.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(content.decode("utf-8-sig").splitlines()))
    assert rows[0] == ["table", "concept_id", "name", "place", "year", "persons", "records", "hidden"]
    assert len(rows) == 10
    assert [CONDITION, "101", "Type 2 diabetes mellitus", "'=강산병원", "2024", "30", "70", "0"] in rows
    assert [CONDITION, "101", "Type 2 diabetes mellitus", "하늘병원", "2024", "", "", "1"] in rows


def test_the_page_refers_to_nothing_outside_and_shows_texts_as_texts(store: Path, tmp_path: Path) -> None:
    make(store, tmp_path / "out")
    page = (tmp_path / "out" / "catalogue.html").read_text("utf-8")
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:,)", page)
    assert "http" not in page.replace("http-equiv", "")
    assert "<serum>" not in page and r"Glucose \u003cserum\u003e 혈당" in page
    assert (tmp_path / "out" / "catalogue.html").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file()) == [
        "catalogue.csv",
        "catalogue.html",
        "catalogue.json",
    ]


def test_every_word_is_there_in_both_languages() -> None:
    both = words()
    assert both["ko"].keys() == both["en"].keys()
    assert all(both["ko"].values()) and all(both["en"].values())
    used = set(re.findall(r"w\('(\w+)'\)", Path(page_html.__globals__["_FOLDER"], "page.html").read_text("utf-8")))
    used |= set(re.findall(r"word\(\"(\w+)\"", Path(page_html.__globals__["_FOLDER"], "page.js").read_text("utf-8")))
    assert used <= both["ko"].keys()


def test_a_page_of_too_many_counts_has_the_totals_alone(store: Path, tmp_path: Path) -> None:
    make(store, tmp_path / "out")
    from dure.center.catalogue.entries import Entry

    one = Entry(CONDITION, 1, "x", 1, 10, 10, ((2024, 10, 10, 1),), ((0, 10, 10, 1),), ((0, 2024, 10, 10),))
    rows = PageRows(most_cells=2)
    for _ in range(3):
        rows.add(one)
    assert json.loads(rows.text()) == [[0, 1, "x", 1, 10, 10, [[2024, 10, 10, 1]], [[0, 10, 10, 1]], None]] * 3


def test_a_second_form_of_the_same_store_is_refused(store: Path, tmp_path: Path) -> None:
    make(store, tmp_path / "out")
    make(store, tmp_path / "again")
    with pytest.raises(ConfigurationError, match="was made before with places named, round 10, threshold 10"):
        make(store, tmp_path / "other", places="consortium")
    assert not (tmp_path / "other" / "catalogue.json").exists()
    make(store, tmp_path / "meant", places="consortium", new_form=True)


def test_small_counts_may_not_be_asked_for(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="smaller counts of persons are shown to nobody"):
        make(store, tmp_path / "out", threshold=5)
    assert main(["center", "catalogue", "--store", str(store), "--out", str(tmp_path / "o"), "--threshold", "5"]) == 2


def test_a_summary_that_is_damaged_is_named(store: Path, tmp_path: Path) -> None:
    file = store / "summaries" / "bada" / "000001" / "records.parquet"
    file.write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match="is no table of counts"):
        make(store, tmp_path / "out")
    pq.write_table(pa.table({"table": ["x"]}), file)
    with pytest.raises(IntegrityError, match="lacks concept_id, year, records, persons"):
        make(store, tmp_path / "again")


def test_the_command_says_where_it_is(store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["center", "catalogue", "--store", str(store), "--out", str(tmp_path / "공개"), "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")
    assert main(["center", "catalogue", "--store", str(store), "--out", str(tmp_path / "공개")]) == 0
    assert "concepts: 4, with totals of all counts: 3; counts: 9, hidden: 5" in capfd.readouterr().out
    (tmp_path / "empty").mkdir()
    assert main(["center", "catalogue", "--store", str(tmp_path / "empty"), "--out", str(tmp_path / "o")]) == 2
