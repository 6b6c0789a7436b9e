"""`dure validate` with real site folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from dure.cli import main

SPEC = """\
spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다대학교, timezone: Asia/Seoul, extract_date: 2026-03-31}
defaults: {encoding: cp949, formats: [yyyyMMdd]}
sources:
  patient: {path: 환자.csv, key: [환자번호]}
tables:
  person:
    - from: patient
      birth: 생년월일
      gender: {column: 성별, map: {남: 8507, 여: 8532}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "자료").mkdir()
    (tmp_path / "자료" / "환자.csv").write_bytes("환자번호,생년월일,성별\n1,19800101,여\n".encode("cp949"))
    write(tmp_path, SPEC)
    return tmp_path


def write(folder: Path, spec: str) -> None:
    site = folder / "병원설정" / "바다병원"
    site.mkdir(parents=True, exist_ok=True)
    (site / "site.yaml").write_text(spec, "utf-8")


GIVEN = ["validate", "바다병원", "--sites", "병원설정"]


@pytest.mark.parametrize("more", [[], ["--source", "자료"]])
def test_a_good_site_is_summed_up(more: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN, *more]) == 0
    assert capfd.readouterr() == (
        "바다병원: no mistakes in 병원설정/바다병원\n"
        "sources: 1, of them views: 0; maps: 1; vocabularies: 0; warnings: 0\n"
        "  person                     1 entry\n",
        "",
    )


def test_quiet_says_nothing_of_a_good_site(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN, "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")


def test_every_mistake_comes_at_once(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(here, SPEC.replace("birth: 생년월일", "brith: 생년월일").replace("encoding:", "enconding:"))
    assert main(GIVEN) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "brith" in err
    assert "enconding" in err
    assert "site.yaml:3" in err
    assert "site.yaml:9" in err


def test_the_columns_are_looked_for_where_the_extract_is_given(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(here, SPEC.replace("birth: 생년월일", "birth: 생일월일"))
    assert main(GIVEN) == 0
    capfd.readouterr()
    assert main([*GIVEN, "--source", "자료"]) == 2
    err = capfd.readouterr().err
    assert "생일월일" in err
    assert "생년월일" in err


def test_a_warning_stops_nothing(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "자료" / "환자.csv").write_bytes("환자번호,생년월일,성별,혈액형\n1,19800101,여,A\n".encode("cp949"))
    assert main([*GIVEN, "--source", "자료"]) == 0
    out, err = capfd.readouterr()
    assert "warnings: 1" in out
    assert err.startswith("Warning: ")
    assert "혈액형" in err


def test_a_site_that_nobody_has_names_those_there_are(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "바다병윈", "--sites", "병원설정"]) == 2
    err = capfd.readouterr().err
    assert "no site '바다병윈'" in err
    assert "바다병원" in err


def exclusions(folder: Path, text: str) -> None:
    (folder / "병원설정" / "바다병원" / "exclusions.csv").write_text(text, "utf-8")


def test_the_list_of_opt_outs_is_read_too(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exclusions(here, "환자번호,date,reason\n비밀,2026-13-01,철회\n")
    assert main(GIVEN) == 2
    err = capfd.readouterr().err
    assert "exclusions.csv:2: has no valid date" in err
    assert "비밀" not in err
    exclusions(here, "환자번호,date,reason\n비밀,2026-01-01,철회\n")
    assert main([*GIVEN, "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")


def test_opt_outs_by_another_key_name_nobody(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exclusions(here, "병원,환자번호,date,reason\n1,비밀,2026-01-01,철회\n")
    assert main(GIVEN) == 2
    assert "exclusions.csv:1: names patients by 2 columns, but their key has 1" in capfd.readouterr().err


def test_two_sites_of_one_id_are_told(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copy = here / "병원설정" / "산들병원"
    copy.mkdir()
    (copy / "site.yaml").write_text(SPEC, "utf-8")
    assert main(GIVEN) == 0
    out, err = capfd.readouterr()
    assert "warnings: 1" in out
    assert "site.yaml:2 site.id: 'bada' is the id of 산들병원 too" in err
    (copy / "site.yaml").write_text("site: {id: bada", "utf-8")
    assert main(GIVEN) == 0
    assert capfd.readouterr().err == ""
