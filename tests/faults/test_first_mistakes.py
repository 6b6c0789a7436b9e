"""Mistakes that a new user makes: each is said with its file and line, what was found there and what to do.

What a spec alone shows is in tests/unit/site/test_site_mistakes.py; these need the extract or a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from dure.cli import main
from dure.engine import Engine, EngineOptions, engine
from dure.errors import DureError
from dure.progress import SilentProgress
from dure.run import RunOptions, run_site
from dure.vocab import VocabularyStore, load_athena

pytestmark = pytest.mark.together

SECRET = "홍길동"
SPEC = """\
spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다의료재단, timezone: Asia/Seoul, extract_date: 2024-12-31}
defaults: {encoding: cp949, formats: [yyyyMMdd]}
sources:
  patient: {path: 환자.csv, key: 환자번호, left_out: {이름: [이름]}}
  diagnosis: {path: "진단_*.csv", key: [환자번호, 순번]}
  ward: {path: 병동.dat, format: fixed, columns: {환자: [1, 4], 입원일: [5, 8]}, unit: bytes, key: [환자, 입원일]}
vocabularies:
  KCD7: {fallback: parent}
tables:
  person:
    - {from: patient, birth: 생년월일, gender: {column: 성별, map: {남: 8507, 여: 8532}}}
  visit_occurrence:
    - {from: ward, person: 환자, code: {concept_id: 9201}, start: 입원일}
  condition_occurrence:
    - from: diagnosis
      person: 환자번호
      code: {column: 상병코드, vocabulary: KCD7}
      start: 진단일
"""
FILES = {
    "환자.csv": f"환자번호,이름,생년월일,성별\n0001,{SECRET},19800301,남\n0002,{SECRET},19651224,여\n",
    "진단_1.csv": "환자번호,순번,상병코드,진단일\n" + "".join(f"0001,{n},I10,20240311\n" for n in range(12)),
    "진단_2.csv": "환자번호,순번,상병코드,진단일\n0002,1,E11,20240312\n",
    "병동.dat": "000120240301\n000220240302\n",
}


class Beginner:
    """A folder with the site and the extract of somebody who just started."""

    def __init__(self, folder: Path, running: Engine, store: VocabularyStore) -> None:
        self.folder, self._running, self._store = folder, running, store
        self.spec = SPEC
        self.files = {name: text.encode("cp949") for name, text in FILES.items()}

    def change(self, old: str, new: str) -> None:
        assert self.spec.count(old) == 1, old
        self.spec = self.spec.replace(old, new)

    def write(self) -> None:
        (self.folder / "sites/bada").mkdir(parents=True)
        (self.folder / "sites/bada/site.yaml").write_text(self.spec, "utf-8")
        (self.folder / "extract").mkdir()
        for name, content in self.files.items():
            (self.folder / "extract" / name).write_bytes(content)

    def validated(self, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
        """The exit code of `dure validate` with the extract, and what it says."""
        self.write()
        code = main(["validate", "bada", "--source", "extract"])
        return code, self._shown(capfd.readouterr().err)

    def warned(self) -> str:
        """What a run warns of, or the error with which it stops."""
        self.write()
        options = RunOptions(
            "bada", self.folder / "extract", self._store.folder, self.folder / "lake", (self.folder / "sites",)
        )
        try:
            result = run_site(options, SilentProgress(), lambda _: nullcontext(self._running))
        except DureError as error:
            return self._shown(str(error))
        return self._shown("\n".join(map(str, result.warnings)))

    def _shown(self, text: str) -> str:
        assert SECRET not in text
        return text.replace(f"{self.folder}/", "")


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as started:
        yield started


@pytest.fixture(scope="module")
def store(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    return load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))


@pytest.fixture
def beginner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: Engine, store: VocabularyStore) -> Beginner:
    monkeypatch.chdir(tmp_path)
    return Beginner(tmp_path, running, store)


def test_without_a_mistake_nothing_is_said(beginner: Beginner) -> None:
    assert beginner.warned() == ""


# ---------------------------------------------------------------- dure validate


def test_a_misspelt_column(beginner: Beginner, capfd: pytest.CaptureFixture[str]) -> None:
    beginner.change("start: 진단일", "start: 진단일자")
    assert beginner.validated(capfd) == (
        2,
        "Error: sites/bada/site.yaml:19 tables.condition_occurrence[0].start: no column '진단일자' in diagnosis "
        "(closest: '진단일')\n    a bare word is a column; a fixed value is {literal: …}\n",
    )


def test_the_wrong_encoding(beginner: Beginner, capfd: pytest.CaptureFixture[str]) -> None:
    beginner.change("encoding: cp949", "encoding: utf-8")
    code, said = beginner.validated(capfd)
    assert code == 3
    assert said.splitlines()[:2] == [
        "Error: sites/bada/site.yaml:5 sources.patient 환자.csv: the header is not utf-8 text",
        "    encoding: cp949 reads it (sources.patient)",
    ]
    assert "sites/bada/site.yaml:6 sources.diagnosis 진단_1.csv: the header is not utf-8 text" in said


def test_the_wrong_delimiter(beginner: Beginner, capfd: pytest.CaptureFixture[str]) -> None:
    beginner.change("path: 환자.csv,", 'path: 환자.csv, delimiter: "|",')
    code, said = beginner.validated(capfd)
    assert code == 2
    assert said.startswith(
        "Error: sites/bada/site.yaml:5 sources.patient.key: no column '환자번호' in patient\n"
        "    is the first line of each file its header? check delimiter, encoding, header and skip_lines\n"
    )


def test_a_file_without_a_header_whose_first_patient_is_not_shown(
    beginner: Beginner, capfd: pytest.CaptureFixture[str]
) -> None:
    beginner.files["환자.csv"] = f"0001,{SECRET},19800301,남\n".encode("cp949")
    beginner.change("left_out: {이름: [이름]}", f"left_out: {{이름: [{SECRET[:2]}]}}")
    code, said = beginner.validated(capfd)  # looks for the secret, which is as good as the closest name
    assert code == 2
    assert "19800301" not in said
    assert said.count("is the first line of each file its header?") == 4


def test_a_file_that_is_not_there(beginner: Beginner, capfd: pytest.CaptureFixture[str]) -> None:
    beginner.change("path: 환자.csv", "path: 환자들.csv")
    assert beginner.validated(capfd) == (
        5,
        "Error: sites/bada/site.yaml:5 sources.patient: no file matches '환자들.csv' in extract\n"
        "    closest: 환자.csv, 진단_2.csv, 진단_1.csv\n",
    )


def test_an_empty_file(beginner: Beginner, capfd: pytest.CaptureFixture[str]) -> None:
    beginner.files["진단_2.csv"] = b""
    assert beginner.validated(capfd) == (
        3,
        "Error: sites/bada/site.yaml:6 sources.diagnosis 진단_2.csv: the file is empty\n"
        "    export it again; a file without rows needs its header line, or may_be_empty: true in its source\n",
    )


def test_a_month_with_another_column(beginner: Beginner, capfd: pytest.CaptureFixture[str]) -> None:
    beginner.files["진단_2.csv"] = "환자번호,순번,상병코드,진단일,주부\n".encode("cp949")
    assert beginner.validated(capfd) == (
        3,
        "Error: sites/bada/site.yaml:6 sources.diagnosis 진단_2.csv: its header differs from that of 진단_1.csv: "
        "has '주부' besides\n    export them again, or name columns that not every file has: optional: [...]\n",
    )


def test_a_map_that_is_not_there(beginner: Beginner, capfd: pytest.CaptureFixture[str]) -> None:
    beginner.change("KCD7: {fallback: parent}", "KCD7: {maps: maps/kcd.csv}")
    assert beginner.validated(capfd) == (
        2,
        "Error: sites/bada/site.yaml:9 vocabularies.KCD7.maps: no map 'maps/kcd.csv' in sites/bada\n"
        "    paths are relative to the file that names them\n",
    )


# ---------------------------------------------------------------- dure run


def test_the_wrong_encoding_below_an_english_header(beginner: Beginner) -> None:
    beginner.change("path: 환자.csv,", "path: 환자.csv, encoding: utf-8, header: [환자번호, 이름, 생년월일, 성별],")
    rows = "".join(f"{n:04},{SECRET},19800301,남\n" for n in range(1, 13))
    beginner.files["환자.csv"] = rows.encode("cp949")
    assert beginner.warned() == (
        "sites/bada/site.yaml:5 sources.patient 환자.csv: 12 of 12 records cannot be read; most of them: "
        "holds bytes that the declared encoding does not have\n    declared is utf-8; cp949 reads it"
    )


def test_the_wrong_date_format(beginner: Beginner) -> None:
    beginner.files["진단_1.csv"] = FILES["진단_1.csv"].replace("20240311", "2024.03.11").encode("cp949")
    assert beginner.warned() == (
        "sites/bada/site.yaml:19 tables.condition_occurrence[0].start: 12 of 13 rows are rejected as bad_date: "
        "the start date fits none of the declared formats\n"
        "    write the format of these dates under defaults.formats; declared are yyyyMMdd"
    )


def test_a_key_that_is_not_unique(beginner: Beginner) -> None:
    beginner.files["진단_1.csv"] = "".join(
        f"{line}\n" for line in ["환자번호,순번,상병코드,진단일", *(f"0001,1,I10,202403{n}" for n in range(10, 22))]
    ).encode("cp949")
    assert beginner.warned() == (
        "sites/bada/site.yaml:6 sources.diagnosis.key: 12 of 13 rows share a key with rows that say something else, "
        "and are rejected\n    add the columns that tell them apart, or say which row counts: keep: {last: [COL]}"
    )


def test_a_number_that_is_padded_in_one_file_alone(beginner: Beginner) -> None:
    beginner.files["진단_1.csv"] = FILES["진단_1.csv"].replace("0001,", "1,").encode("cp949")
    assert beginner.warned() == (
        "sites/bada/site.yaml:17 tables.condition_occurrence[0].person: 12 of 13 rows are rejected as person_unknown: "
        "the row names a person that no person row has\n"
        "    is the person written alike in both files, zeros in front included? a view makes it so: lpad(COL, 8, '0')"
    )


def test_places_of_fixed_width_that_are_off_by_one(beginner: Beginner) -> None:
    beginner.change("입원일: [5, 8]", "입원일: [6, 8]")
    assert "sites/bada/site.yaml:14 tables.visit_occurrence[0].start: 2 of 2 rows are rejected as bad_date" in (
        beginner.warned()
    )


def test_some_dirt_is_no_mistake_of_the_spec(beginner: Beginner) -> None:
    text = FILES["진단_1.csv"].replace("0001,0,I10,20240311", "0001,0,I10,00000000")
    beginner.files["진단_1.csv"] = text.encode("cp949")
    assert beginner.warned() == ""
