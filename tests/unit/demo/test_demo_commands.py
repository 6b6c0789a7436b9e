"""`dure demo run` and `dure demo score`: what they print, and how they end when they cannot begin."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from dure.cli import main
from dure.demo import consortium
from dure.demo.consortium import Demonstration, Mapped, SiteResult
from dure.demo.score import Score, TableScore, score_lines
from dure.engine import EngineOptions
from dure.errors import ConfigurationError
from dure.progress import SilentProgress
from dure.settings import shipped_sites


def result(site: str, *, found: int, facts: int, mapped: int = 999) -> SiteResult:
    table = TableScore("measurement", facts, found, 3, Counter({3016723: 3, 0: 1}), Counter({3013682: 3}))
    return SiteResult(
        site=site,
        snapshot=Path("lake/cdm") / site,
        reports=Path("lake/reports") / site,
        patients=1234,
        visits=5678,
        rows=1234567,
        mapped=Mapped(2, 2, 1000, mapped),
        rejected=12,
        score=Score(site, (table,)),
        digest="0123456789abcdef" * 4,
        seconds=4.26,
        gate_open=True,
    )


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Demonstration]:
    """The demonstrations that were asked for; none of them runs."""
    asked: list[Demonstration] = []

    def run(self: Demonstration, progress: object) -> list[SiteResult]:
        asked.append(self)
        return [result("haneul", found=10, facts=10), result("bada", found=9999, facts=10000, mapped=1000)]

    monkeypatch.setattr(Demonstration, "run", run)
    return asked


def test_a_line_a_hospital(ran: list[Demonstration], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "run", "--patients", "7", "--seed", "2", "--out", str(tmp_path / "시연")]) == 0
    (asked,) = ran
    assert (asked.patients, asked.seed, asked.lake) == (7, 2, tmp_path / "시연/lake")
    head, haneul, bada, *rest = capsys.readouterr().out.splitlines()
    names = [
        "site",
        "patients",
        "visits",
        "rows",
        "codes",
        "records",
        "rejects",
        "score",
        "surplus",
        "gate",
        "digest",
        "seconds",
    ]
    assert head.split() == names
    assert haneul.replace(" %", "%").split() == [
        "haneul", "1,234", "5,678", "1,234,567", "100%", "99.9%", "12", "100%", "3", "open", "0123456789ab", "4.3",
    ]  # fmt: skip
    # Not all is never 100 %.
    assert bada.replace(" %", "%").split()[4:8] == ["100%", "100%", "12", "99.9%"]
    assert f"dure demo score {tmp_path}/시연/extract/truth --lake {tmp_path}/시연/lake" in "\n".join(rest)


def test_a_hospital_of_your_own_of_the_same_name_does_not_take_part(
    ran: list[Demonstration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sites/haneul").mkdir(parents=True)
    (tmp_path / "dure.yaml").write_text("sites: sites\nvocab: athena\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DURE_SITES", str(tmp_path / "sites"))
    assert main(["demo", "run", "--out", "demo"]) == 0
    assert main(["demo", "run", "--out", "demo", "--sites", "sites"]) == 0
    by_itself, asked_for = ran
    assert by_itself.site_folders == (shipped_sites(),)
    assert by_itself.vocabulary is None
    assert asked_for.site_folders == (Path("sites"), shipped_sites())


def test_hospitals_without_anybody_have_no_share() -> None:
    empty = result("bada", found=0, facts=0)
    nothing = SiteResult(**{**vars(empty), "mapped": Mapped(0, 0, 0, 0)})
    assert consortium.table_lines([nothing])[1].split()[4:8] == ["-", "-", "12", "-"]


def test_the_concepts_most_missed_are_named() -> None:
    lines = score_lines(result("haneul", found=6, facts=10).score, 1)
    assert lines[1].split() == ["measurement", "10", "6", "0.6000", "3"]
    assert [line.split() for line in lines[3:5]] == [
        ["missing", "measurement", "concept", "3016723", "3"],
        ["unexplained", "measurement", "concept", "3013682", "3"],
    ]


def test_extracts_are_used_again_where_they_are_of_the_same_patients(tmp_path: Path) -> None:
    asked = Demonstration(tmp_path, 3, 1, (), None, EngineOptions())
    assert not asked.prepare(SilentProgress())
    written = {path: path.stat().st_mtime_ns for path in asked.extract.rglob("*") if path.is_file()}
    assert written
    assert asked.prepare(SilentProgress())
    assert {path: path.stat().st_mtime_ns for path in asked.extract.rglob("*") if path.is_file()} == written
    other = Demonstration(tmp_path, 3, 2, (), None, EngineOptions())
    assert not other.prepare(SilentProgress())
    assert json.loads((other.extract / "demo.json").read_text("utf-8"))["seed"] == 2


@pytest.mark.parametrize("left", ["", "[]", '{"patients": "3"}'])
def test_what_somebody_else_left_is_neither_used_nor_replaced(tmp_path: Path, left: str) -> None:
    asked = Demonstration(tmp_path, 3, 1, (), None, EngineOptions())
    asked.extract.mkdir()
    (asked.extract / "demo.json").write_text(left, "utf-8")
    with pytest.raises(ConfigurationError, match="is not empty"):
        asked.prepare(SilentProgress())
    assert (asked.extract / "demo.json").read_text("utf-8") == left


def test_what_is_wrong_is_said_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    assert main(["demo", "run", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err
    assert main(["demo", "run", "--out", str(tmp_path / "new"), "--engine", "duck"]) == 2
    assert "'duck' is no engine" in capsys.readouterr().err
    assert main(["demo", "run", "--out", str(tmp_path / "new"), "--vocab", str(tmp_path / "gone")]) == 2
    assert "is not there" in capsys.readouterr().err
    assert main(["demo", "run", "--patients", "0", "--out", str(tmp_path / "new")]) == 2
    assert main(["demo", "score", str(tmp_path), "--lake", str(tmp_path)]) == 2
    assert "dure demo generate" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
