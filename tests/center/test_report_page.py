"""The page as markup: both languages, every word, hostile names, and stores that have little or nothing."""

from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from compared_hospitals import CHILD, ROOT, STRANGER, code, hospital, report, three_hospitals, vocabulary

from dure.cli import main

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'"
VOID = {"meta", "link", "input", "br", "img", "hr", "polyline", "circle"}


class Elements(HTMLParser):
    """Every element with its attributes; an element that is closed by another's end is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_every_word_is_said_in_both_languages_and_used() -> None:
    package = files("dure.center.report")
    rows = list(csv.DictReader((package / "words.csv").read_text(encoding="utf-8").splitlines()))
    used = "".join((package / name).read_text(encoding="utf-8") for name in ("page.html", "page.py"))
    slots = re.compile(r"\{(\w+)\}")
    for row in rows:
        assert row["en"].strip() and row["ko"].strip(), row["key"]
        assert set(slots.findall(row["en"])) == set(slots.findall(row["ko"])), row["key"]
    spoken = {row["key"] for row in rows}
    kinds = ("kind.", "find.", "reason.", "same.", "file.")
    assert len(spoken) == len(rows)
    assert [
        key for key in spoken if not key.startswith(kinds) and f"'{key}'" not in used and f'"{key}"' not in used
    ] == []


def test_a_page_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    three_hospitals(tmp_path / "store")
    report(tmp_path / "store", tmp_path / "out", vocabulary(tmp_path / "vocabulary"))
    elements = Elements(page_of(tmp_path / "out"))
    ids = [attributes["id"] for _, attributes in elements.found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    references = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in ("href", "src", "action") and value and not value.startswith(("#", "data:"))
    ]
    assert references == []
    targets = {value[1:] for _, each in elements.found if (value := each.get("href")) and value.startswith("#")}
    assert targets <= set(ids)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    store = tmp_path / "store"
    rows = [code(HOSTILE, CHILD, 100, description=HOSTILE), code("<b>B", STRANGER, 100, description="<i>")]
    hospital(store, "bada", rows, name=HOSTILE, consortium=HOSTILE, waived=[HOSTILE], profile=HOSTILE)
    hospital(store, "haneul", [code(HOSTILE, ROOT, 50), code("<b>B", STRANGER, 100)])
    report(store, tmp_path / "out", vocabulary(tmp_path / "vocabulary"))
    page = page_of(tmp_path / "out")
    elements = Elements(page)
    assert [tag for tag, _ in elements.found if tag in ("img", "b", "i") and tag != "i"] == []
    assert sum(tag == "script" for tag, _ in elements.found) == 2
    assert "&lt;script&gt;alert" in page and "<script>alert" not in page
    with (tmp_path / "out" / "differences.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["code"] == HOSTILE


def test_a_formula_of_a_hospital_runs_in_no_spreadsheet(tmp_path: Path) -> None:
    for site, target in (("bada", CHILD), ("haneul", ROOT)):
        hospital(tmp_path / "store", site, [code('=cmd|"/c calc"!A1', target, 100, description="@SUM(A1)\n줄")])
    report(tmp_path / "store", tmp_path / "out")
    for name in ("differences.csv", "not_proposed.csv"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8-sig")
        assert '"\'=cmd|""/c calc""!A1"' in text and "'@SUM(A1) 줄" in text


def test_an_empty_store_has_a_page_that_says_so(tmp_path: Path) -> None:
    told = report(tmp_path / "store", tmp_path / "out")
    assert told["deliveries"] == [] and told["agreement"]["code"]["pairs"] == []
    page = page_of(tmp_path / "out")
    Elements(page)
    assert "No hospital has a delivery in this store yet." in page and "아직 전송본을 보낸 병원이 없습니다" in page
    assert (tmp_path / "out" / "proposed_map.csv").read_text(encoding="utf-8-sig").count("\n") == 1


def test_one_hospital_has_nobody_to_be_compared_with(tmp_path: Path) -> None:
    hospital(tmp_path / "store", "bada", [code("A", CHILD, 100)], records=[("death", CHILD, 2021, 50, 50)])
    told = report(tmp_path / "store", tmp_path / "out")
    assert (told["proposals"]["codes"], told["proposals"]["one_hospital"]) == (0, 1)
    assert told["concepts"][0]["hospitals"][0]["ratio"] is None
    page = page_of(tmp_path / "out")
    Elements(page)
    assert "Two hospitals with codes are needed to compare." in page


def test_a_hospital_without_codes_is_there_all_the_same(tmp_path: Path) -> None:
    store = tmp_path / "store"
    hospital(store, "bada")
    (store / "summaries" / "bada" / "000001" / "codes.parquet").unlink()
    hospital(store, "haneul")
    hospital(store, "gangsan", [code("A", CHILD, 100)], observed_from=None, observed_to=None, score=None)
    told = report(store, tmp_path / "out")
    assert [each["site"] for each in told["deliveries"]] == ["bada", "gangsan", "haneul"]
    assert told["coverage"]["hospitals"]["bada"] == {} and told["adoption"][0]["codes"] == 0
    Elements(page_of(tmp_path / "out"))


def test_the_command_writes_the_page_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three_hospitals(tmp_path / "센터")
    given = ["center", "report", "--store", str(tmp_path / "센터"), "--out", str(tmp_path / "보고서"), "--lang", "ko"]
    assert main([*given, "--today", "2024-05-01", "--vocab", str(vocabulary(tmp_path / "vocabulary"))]) == 0
    assert capsys.readouterr().out == (
        f"report: {tmp_path / '보고서' / 'report.html'}\nhospitals: 3; codes that differ: 4; codes proposed: 1\n"
    )
    assert '<html lang="ko">' in page_of(tmp_path / "보고서")
    assert sorted(path.name for path in (tmp_path / "보고서").iterdir()) == [
        "differences.csv",
        "not_proposed.csv",
        "proposed_map.csv",
        "report.html",
        "report.json",
    ]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "보고서").iterdir())
    first = {path.name: path.read_bytes() for path in (tmp_path / "보고서").iterdir()}
    assert main([*given, "--today", "2024-05-01", "--vocab", str(tmp_path / "vocabulary"), "--quiet"]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "보고서").iterdir()} == first


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--store", "nowhere", "--out", "out"], "--store: nowhere is not there"),
        (["--store", "store"], "--out: not given"),
        (["--store", "store", "--out", "out", "--vocab", "store"], "store.json: cannot be read"),
        (["--store", "store", "--out", "out", "--threshold", "9"], "9 is not in the range x>=10"),
        (["--store", "store", "--out", "out", "--hospitals", "nobody.yaml"], "nobody.yaml: no such file"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    three_hospitals(tmp_path / "store")
    assert main(["center", "report", *given]) == 2
    assert said in capsys.readouterr().err


def test_a_broken_summary_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three_hospitals(tmp_path / "store")
    folder = tmp_path / "store" / "summaries" / "bada" / "000001"
    given = ["center", "report", "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    (folder / "codes.parquet").write_bytes(b"PAR1")
    assert main(given) != 0
    said = capsys.readouterr().err
    assert str(folder / "codes.parquet") in said and "Traceback" not in said
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    (folder / "summary.json").write_text(json.dumps({"site": "bada"}), encoding="utf-8")
    assert main(given) != 0
    assert str(folder / "summary.json") in capsys.readouterr().err
