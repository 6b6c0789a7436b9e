"""The gate's files of a site, read by `dure validate` and by a run before it starts an engine."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dure.cli import main
from dure.engine import Engine, EngineOptions
from dure.errors import ConfigurationError, ExtractNotReadyError
from dure.progress import SilentProgress
from dure.quality.command import Checked
from dure.run import Committed, Prove, RunOptions, run_site

SPEC = """\
spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다대학교, timezone: Asia/Seoul, extract_date: 2026-03-31}
defaults: {formats: [yyyy-MM-dd]}
sources:
  patient: {path: 환자.csv, key: 환자번호}
tables:
  person:
    - {from: patient, birth: 생년월일, gender: {column: 성별, map: {남: 8507, 여: 8532}}}
"""
WRONG = {
    "policy.yaml": (
        "policy_version: 1\nseverities: {fatal: closes}\nfloors:\n  fkDomian: 100\nrequired_tables: [persn]\n",
        ("policy.yaml:4 floors.fkDomian: no check type 'fkDomian' (closest: 'fkDomain')", "policy.yaml:5 "),
    ),
    "waivers.yaml": (
        "waivers:\n  - {check: a, site: bada, reason: 이유, owner_role: 팀, expires: 2026-13-01}\n",
        ("waivers.yaml:2 waivers[0].expires: ",),
    ),
    "expectations.yaml": (
        "measurement:\n  - type: expect_column_values_to_be_betwen\n    kwargs: {column: value_as_numbr}\n"
        "  - type: expect_column_values_to_be_between\n    kwargs:\n      column: measurement_date\n"
        "      min_value: 2026-02-30\n",
        (
            "expectations.yaml:2 measurement[0].type: ",
            "expectations.yaml:3 measurement[0].kwargs.column: measurement has no column 'value_as_numbr'",
            "expectations.yaml:7: reads as a timestamp, but is none",
        ),
    ),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "병원설정" / "바다병원"
    site.mkdir(parents=True)
    (site / "site.yaml").write_text(SPEC, "utf-8")
    (tmp_path / "자료").mkdir()
    (tmp_path / "자료" / "환자.csv").write_text("환자번호,생년월일,성별\n1,1980-01-01,여\n", "utf-8")
    return site


def write_wrong(site: Path, *names: str) -> None:
    for name in names:
        (site / name).write_text(WRONG[name][0], "utf-8")


@pytest.mark.parametrize("name", WRONG)
def test_validate_says_what_is_wrong_with_file_and_line(
    here: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write_wrong(here, name)
    assert main(["validate", "바다병원", "--sites", "병원설정"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert [said for said in WRONG[name][1] if said not in err] == []
    assert "Traceback" not in err


def test_mistakes_of_the_spec_and_of_the_gate_come_at_once(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_wrong(here, *WRONG)
    (here / "site.yaml").write_text(SPEC.replace("birth:", "brith:"), "utf-8")
    assert main(["validate", "바다병원", "--sites", "병원설정"]) == 2
    err = capfd.readouterr().err
    assert [name for name in ("site.yaml:8", *WRONG) if name not in err] == []


def test_good_files_of_the_gate_are_no_mistake(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "waivers.yaml").write_text("waivers: []\n")
    (here / "expectations.yaml").write_text(
        "measurement:\n  - type: expect_column_values_to_be_between\n"
        "    kwargs: {column: measurement_date, min_value: 2020-01-01}\n"
    )
    assert main(["validate", "바다병원", "--sites", "병원설정"]) == 0
    assert "no mistakes" in capfd.readouterr().out


def test_validate_loads_great_expectations_only_for_expectations(here: Path) -> None:
    (here / "waivers.yaml").write_text("waivers: []\n")
    script = (
        "import sys; from dure.cli import main; code = main(['validate', '바다병원', '--sites', '병원설정', '--quiet']); "
        "sys.exit(code or 'great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=here.parents[1], timeout=60).returncode == 0


def start(options: EngineOptions) -> AbstractContextManager[Engine]:
    raise AssertionError("the engine was started before the gate's files were read")


def prove(done: Committed) -> Checked:
    raise AssertionError("nothing was committed")


def run(folder: Path, proved: Prove | None) -> None:
    options = RunOptions("바다병원", folder / "자료", folder / "없음", folder / "lake", (folder / "병원설정",))
    run_site(options, SilentProgress(), start, proved)


@pytest.mark.parametrize("name", WRONG)
def test_a_run_that_ends_with_the_gate_reads_its_files_first(here: Path, tmp_path: Path, name: str) -> None:
    write_wrong(here, name)
    with pytest.raises(ConfigurationError) as raised:
        run(tmp_path, prove)
    assert {Path(problem.where.split(":")[0]).name for problem in raised.value.problems} == {name}
    assert not (tmp_path / "lake").exists()


def test_a_run_without_the_gate_does_not_ask_for_its_files(here: Path, tmp_path: Path) -> None:
    write_wrong(here, "waivers.yaml")
    with pytest.raises(ConfigurationError) as raised:
        run(tmp_path, None)
    assert "waivers" not in str(raised.value) and "없음" in str(raised.value)


def test_a_mistake_of_the_extract_does_not_hide_those_of_the_gate(here: Path, tmp_path: Path) -> None:
    (tmp_path / "자료" / "환자.csv").unlink()
    with pytest.raises(ExtractNotReadyError):
        run(tmp_path, prove)
    write_wrong(here, "waivers.yaml")
    with pytest.raises(ConfigurationError) as raised:
        run(tmp_path, prove)
    assert len(raised.value.problems) == 2
