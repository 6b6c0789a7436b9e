"""`dure run --from --to`: what each day's process is given, and what the table and the exit code say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from dure.cli import main
from dure.cli.children import Child, Children

SITE = """spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다의료재단, timezone: Asia/Seoul}
sources: {patient: {path: 환자.csv, key: 번호}}
tables: {person: [{from: patient, birth: {year: 생년}, gender: {concept_id: 8507}}]}
"""


class Processes:
    """Stands in for the children: each ends with the code that its day has."""

    def __init__(self, codes: dict[str, int]) -> None:
        self.codes = codes
        self.begun: list[Sequence[str]] = []

    def run(
        self, children: Sequence[Child], jobs: int, begins: Callable[[Child], bool], ended: Callable[[Child, int], None]
    ) -> None:
        assert jobs == 1
        for child in children:
            if begins(child):
                self.begun.append(child.arguments)
                ended(child, self.codes.get(child.name, 0))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites" / "바다병원").mkdir(parents=True)
    (tmp_path / "sites" / "바다병원" / "site.yaml").write_text(SITE, "utf-8")
    (tmp_path / "vocab").mkdir()
    for day in ("20260301", "20260302", "20260304"):
        (tmp_path / "자료" / day).mkdir(parents=True)
    return tmp_path


ASKED = [
    "run", "바다병원", "--sites", "sites", "--source", "자료/{date:%Y%m%d}", "--vocab", "vocab", "--lake", "lake",
    "--from", "2026-03-01", "--to", "20260304", "--no-check",
]  # fmt: skip


def ran(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], codes: dict[str, int] | None = None
) -> tuple[int, Processes]:
    processes = Processes(codes or {})
    monkeypatch.setattr(Children, "run", lambda self, *given: processes.run(*given))
    return main(arguments), processes


def test_each_day_is_a_run_with_its_folder_and_its_day(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, processes = ran(monkeypatch, ASKED)
    assert code == 0
    days = [date(2026, 3, n) for n in (1, 2, 4)]
    for day, arguments in zip(days, processes.begun, strict=True):
        assert arguments[:2] == ["run", "바다병원"]
        assert {f"--source=자료/{day:%Y%m%d}", f"--as-of={day}", "--no-check", "--lake=lake"} <= set(arguments)
        assert not any(flag.startswith(("--from", "--to")) for flag in arguments)


def test_the_table_names_every_day(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(monkeypatch, ASKED)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["day", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
    assert "no extract" in lines[3]


def test_a_day_that_fails_is_the_last_and_a_closed_gate_is_no_failure(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, processes = ran(monkeypatch, [*ASKED, "--json"], {"2026-03-01": 1, "2026-03-02": 5})
    assert (code, len(processes.begun)) == (5, 2)
    found = json.loads(capsys.readouterr().out)
    assert [(each["day"], each["exit_code"]) for each in found] == [
        ("2026-03-01", 1), ("2026-03-02", 5), ("2026-03-03", None), ("2026-03-04", None),
    ]  # fmt: skip
    assert ran(monkeypatch, ASKED, {"2026-03-02": 1})[0] == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["--source", "자료"], "--source 자료: does not name the folder of each day"),
        (["--as-of", "2026-03-01"], "cannot be given with --from and --to"),
        (["--to", "2026-02-01"], "2026-02-01 is before 2026-03-01"),
    ],
)
def test_what_does_not_go_together(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: list[str],
    said: str,
) -> None:
    code, processes = ran(monkeypatch, [*ASKED, *changed])
    assert (code, processes.begun) == (2, [])
    assert said in capsys.readouterr().err


def test_one_end_alone_is_not_enough(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ASKED.index("--to")
    code, _ = ran(monkeypatch, ASKED[:place] + ASKED[place + 2 :])
    assert code == 2
    assert "--to" in capsys.readouterr().err
