"""`dure vocab suggest` as a command."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "vocab"))
from suggest_vocabulary import KIDNEY, OVARY, suggest_store

from dure.cli import main
from dure.vocab.store import open_store

LIST = "vocabulary,code,description,records,table\nEDI,R1,난소절제술,3,procedure_occurrence\nEDI,R2,=신장적출술,9,procedure_occurrence\nEDI,R3,,1,procedure_occurrence\n"

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(suggest_store(tmp_path_factory.mktemp("저장소")).folder)


@pytest.fixture
def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "미매핑.csv").write_text(LIST, "utf-8-sig")
    return "미매핑.csv"


def test_a_map_to_review(store: str, codes: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "suggest", codes, "--vocab", store, "--format", "csv", "--top", "1"]) == 0
    said = capfd.readouterr()
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["source_code"], int(row["target_concept_id"]), row["status"]) for row in rows] == [
        ("R2", KIDNEY, "unchecked"),
        ("R1", OVARY, "unchecked"),
    ]
    assert rows[0]["description_ko"] == "'=신장적출술"
    assert said.err == "3 codes, 1 of them without a candidate; all rows are unchecked\n"


def test_json_and_table(store: str, codes: str, capfd: pytest.CaptureFixture[str]) -> None:
    options = ["vocab", "suggest", codes, "--vocab", store, "--quiet", "--codes", "1", "--top", "1"]
    assert main([*options, "--format", "json"]) == 0
    (one,) = json.loads(capfd.readouterr().out)
    assert (one["source_code"], one["target_concept_id"], one["rank"]) == ("R2", KIDNEY, 1)
    assert main(options) == 0
    said = capfd.readouterr()
    assert "Nephrectomy" in said.out
    assert "신장 = kidney" in said.out
    assert said.err == ""


def test_for_usagi(store: str, codes: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "suggest", codes, "--vocab", store, "--quiet", "--format", "usagi"]) == 0
    first = next(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert (first["sourceCode"], first["mappingStatus"], first["conceptId"]) == ("R2", "UNCHECKED", str(KIDNEY))
    assert first["sourceAutoAssignedConceptIds"].startswith(f"{KIDNEY};")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["없음.csv", "--vocab", "STORE"], "없음.csv: cannot be read"),
        (["LIST"], "--vocab: not given"),
        (["LIST", "--vocab", "nowhere"], "store.json: cannot be read"),
        (["LIST", "--vocab", "STORE", "--domain", "Note"], "no standard concept of Note"),
        (["LIST", "--vocab", "STORE", "--specimen", "외계"], "--specimen: no known specimen in '외계'"),
        (["LIST", "--vocab", "STORE", "--maps", "LIST"], "no column source_code, target_concept_id"),
        (["바다", "--lake", "nowhere"], "--lake: nowhere is not there"),
        (["바다"], "--lake: not given"),
    ],
)
def test_what_is_wrong_is_said(
    store: str, codes: str, options: list[str], found: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [{"LIST": codes, "STORE": store}.get(one, one) for one in options]
    assert main(["vocab", "suggest", *given]) == 2
    said = capfd.readouterr()
    assert found in said.err
    assert said.out == ""


def test_without_the_extra(
    store: str, codes: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    assert main(["vocab", "suggest", codes, "--vocab", store]) == 2
    assert "pip install 'dure[suggest]'" in capfd.readouterr().err


def test_a_site_s_own_work_list_and_store(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "바다" / "S1"
    reports.mkdir(parents=True)
    (reports / "worklist.csv").write_text(LIST, "utf-8-sig")

    class Site:
        def latest(self) -> Path:
            return tmp_path / "S1"

        def reports(self, snapshot: str) -> Path:
            return tmp_path / "바다" / snapshot

    monkeypatch.setattr("dure.cli.vocab.evidence.sites_of", lambda lake, names: [Site()])
    monkeypatch.setattr("dure.cli.vocab.evidence.store_used", lambda site: open_store(Path(store)))
    options = ["--lake", str(tmp_path), "--quiet", "--format", "json", "--top", "1"]
    assert main(["vocab", "suggest", "바다", *options]) == 0
    assert [one["target_concept_id"] for one in json.loads(capfd.readouterr().out)] == [KIDNEY, OVARY]
