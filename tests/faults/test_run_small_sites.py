"""Small sites whose result must not depend on the order of lines, the length of a map or the name of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, ExitCode
from dure.progress import SilentProgress
from dure.run import RunOptions, RunResult, run_site
from dure.vocab import VocabularyStore, load_athena

pytestmark = pytest.mark.together

HEAD = """spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다의료재단, timezone: Asia/Seoul, extract_date: 2024-12-31}
defaults: {formats: [yyyyMMdd]}
"""
PATIENTS = "환자번호,생년월일,성별\nP1,19800301,남\nP2,19651224,여\n"
PERSON = "{from: patients, birth: 생년월일, gender: {column: 성별, map: {남: 8507, 여: 8532}}}"


class Hospital:
    """A site of a few lines on an engine that is up; each run may have other files."""

    def __init__(self, running: Engine, store: VocabularyStore, folder: Path) -> None:
        self._running, self._store, self._folder = running, store, folder
        self.lake = folder / "lake"

    def run(
        self,
        spec: str,
        files: Mapping[str, str],
        site_files: Mapping[str, str] | None = None,
        called: str = "bada",
        as_of: date | None = None,
    ) -> RunResult:
        site, extract = self._folder / "sites" / called, self._folder / "extract"
        for folder, texts in ((extract, files), (site, {"site.yaml": HEAD + spec, **(site_files or {})})):
            for name, text in texts.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, "utf-8")
        options = RunOptions(called, extract, self._store.folder, self.lake, (self._folder / "sites",), as_of=as_of)
        return run_site(options, SilentProgress(), lambda _: nullcontext(self._running))


def rows(result: RunResult, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of a CDM table, sorted."""
    read = pq.read_table(result.snapshot / table)
    return sorted(zip(*[read[column].to_pylist() for column in columns], strict=True))


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as started:
        yield started


@pytest.fixture(scope="module")
def store(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    return load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))


@pytest.fixture
def hospital(running: Engine, store: VocabularyStore, tmp_path: Path) -> Hospital:
    return Hospital(running, store, tmp_path)


def diagnoses(entry: str, more: str = "") -> str:
    """A spec with patients, diagnoses and one entry for conditions."""
    return f"""sources:
  patients: {{path: patients.csv, key: [환자번호]}}
  diagnoses: {{path: diagnoses.csv, key: [번호]}}
{more}tables:
  person:
    - {PERSON}
  condition_occurrence:
    - {entry}
"""


# ---------------------------------------------------------------- maps


@pytest.mark.parametrize("length", [1, 300])
def test_a_short_map_may_be_long(hospital: Hospital, length: int) -> None:
    spec = diagnoses("{from: diagnoses, person: 환자번호, code: {column: 상병명, map: names}, start: 진단일}")
    names = "".join(f"상병{n},{320128 if n % 2 else 201826}\n" for n in range(length))
    lines = "".join(f"{n},P1,상병{n},20240311\n" for n in range(length)) + f"{length},P2,처음 보는 상병,20240312\n"
    made = hospital.run(
        "maps: {names: names.csv}\n" + spec,
        {"patients.csv": PATIENTS, "diagnoses.csv": "번호,환자번호,상병명,진단일\n" + lines},
        {"names.csv": "value,concept_id\n" + names},
    )
    found = rows(made, "condition_occurrence", "condition_source_value", "condition_concept_id")
    expected = [(f"상병{n}", 320128 if n % 2 else 201826) for n in range(length)]
    assert found == sorted([*expected, ("처음 보는 상병", 0)])


# ---------------------------------------------------------------- ids


def test_rows_without_a_key_give_one_person_whatever_their_order(hospital: Hospital) -> None:
    spec = """sources:
  visits: {path: visits.csv, key: [순번]}
tables:
  person:
    - from: visits
      key: [환자번호]
      keep: {last: [내원일자]}
      birth: 생년월일
      gender: {column: 성별, map: {남: 8507, 여: 8532}}
"""
    header = "순번,환자번호,생년월일,성별,내원일자\n"
    one, other = ",P1,19800101,남,20240101\n", ",P1,19900202,여,20240101\n"
    columns = ("person_id", "year_of_birth", "gender_concept_id")
    there = rows(hospital.run(spec, {"visits.csv": header + one + other}), "person", *columns)
    back = rows(hospital.run(spec, {"visits.csv": header + other + one}), "person", *columns)
    assert len(there) == 1
    assert there == back


def test_another_row_of_a_person_does_not_change_the_id(hospital: Hospital) -> None:
    spec = """sources:
  visits: {path: visits.csv, key: [환자번호], keep: {all: [내원일자]}}
tables:
  person:
    - from: visits
      key: [환자번호]
      keep: {last: [내원일자]}
      birth: 생년월일
      gender: {column: 성별, map: {남: 8507, 여: 8532}}
"""
    first = "환자번호,생년월일,성별,내원일자\nP1,19800101,남,20240101\n"
    before = rows(hospital.run(spec, {"visits.csv": first}), "person", "person_id", "year_of_birth")
    later = first + "P1,19800101,남,20240202\nP0,19700101,여,20240102\n"
    after = rows(hospital.run(spec, {"visits.csv": later}), "person", "person_id", "year_of_birth")
    assert len(before) == 1
    assert [row for row in after if row[1] == 1980] == before


def test_a_row_that_its_code_takes_among_the_visits_has_the_id_of_one(hospital: Hospital) -> None:
    spec = f"""sources:
  patients: {{path: patients.csv, key: [환자번호]}}
  consultations: {{path: consultations.csv, key: [번호]}}
tables:
  person:
    - {PERSON}
  observation:
    - {{from: consultations, person: 환자번호, code: {{column: 구분, map: {{외래: 9202, 고용: 4053118}}}}, start: 일자}}
"""
    lines = "".join(f"{n},P1,{'외래' if n % 2 else '고용'},20240311\n" for n in range(24))
    made = hospital.run(spec, {"patients.csv": PATIENTS, "consultations.csv": "번호,환자번호,구분,일자\n" + lines})
    visits = [key for (key,) in rows(made, "visit_occurrence", "visit_occurrence_id")]
    others = [key for (key,) in rows(made, "observation", "observation_id")]
    assert (len(set(visits)), len(set(others))) == (12, 12)
    assert max(visits) < 2**53, "R reads bigint as double"
    assert max(others) > 2**53


@pytest.mark.parametrize(("key", "written", "without_key"), [("[번호]", 0, 2), ("[환자번호, 번호]", 2, 0)])
def test_a_column_of_the_key_may_be_empty_throughout(
    hospital: Hospital, key: str, written: int, without_key: int
) -> None:
    spec = diagnoses("{from: diagnoses, person: 환자번호, code: {column: 상병코드, vocabulary: KCD7}, start: 진단일}")
    lines = "번호,환자번호,상병코드,진단일\n,P1,I10,20240311\n,P2,I10,20240312\n"
    made = hospital.run(spec.replace("[번호]", key), {"patients.csv": PATIENTS, "diagnoses.csv": lines})
    counted = (made.reports / "reconciliation.csv").read_text("utf-8-sig").splitlines()
    rejected = [line for line in counted if line.startswith("rule,condition_occurrence[0] diagnoses,rejected,")]
    assert len(rows(made, "condition_occurrence", "person_id")) == written
    assert rejected == [f"rule,condition_occurrence[0] diagnoses,rejected,no_key,{n}" for n in [without_key] if n]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["호수[1]", "호수*", "호수?", "{호수}"])
def test_a_lake_whose_name_the_engine_would_read_as_a_pattern(hospital: Hospital, tmp_path: Path, name: str) -> None:
    hospital.lake = tmp_path / name
    with pytest.raises(ConfigurationError, match="호수") as caught:
        hospital.run(
            diagnoses("{from: diagnoses, person: 환자번호, code: {column: 상병코드, vocabulary: KCD7}, start: 진단일}"),
            {"patients.csv": PATIENTS, "diagnoses.csv": "번호,환자번호,상병코드,진단일\n1,P1,I10,20240311\n"},
        )
    assert caught.value.exit_code == ExitCode.CONFIGURATION


def test_a_view_that_stops_at_a_cell_does_not_show_it(hospital: Hospital) -> None:
    spec = diagnoses(
        "{from: numbered, person: 환자번호, code: {column: 상병코드, vocabulary: KCD7}, start: 진단일, stop_reason: 다음}",
        "  numbered: {view: views/numbered.sql, of: diagnoses}\n",
    )
    with pytest.raises(ConfigurationError, match=r"views/numbered\.sql: the engine refuses the view") as caught:
        hospital.run(
            spec,
            {"patients.csv": PATIENTS, "diagnoses.csv": "번호,환자번호,상병코드,진단일\n비밀번호,P1,I10,20240311\n"},
            {"views/numbered.sql": "SELECT *, CAST(`번호` AS INT) + 1 AS `다음` FROM diagnoses\n"},
        )
    assert "비밀번호" not in str(caught.value)
    assert "try_cast" in str(caught.value)


ONLY_PERSONS = "sources: {patients: {path: patients.csv, key: [환자번호]}}\n"


def test_a_site_that_is_run_under_another_name_is_told_once(hospital: Hospital) -> None:
    spec = ONLY_PERSONS + f"tables: {{person: [{PERSON}]}}\n"
    files = {"patients.csv": PATIENTS}
    told = "site bada: its snapshots in this lake were made as "
    assert [str(w) for w in hospital.run(spec, files, called="바다병원").warnings if told in str(w)] == []
    assert [str(w) for w in hospital.run(spec, files).warnings if told in str(w)] == []
    [warning] = [str(w) for w in hospital.run(spec, files, called="산들병원").warnings if told in str(w)]
    assert warning.startswith(f"{told}바다병원, not as 산들병원")
    assert [str(w) for w in hospital.run(spec, files, called="산들병원").warnings if told in str(w)] == []


def test_opt_outs_that_would_leave_nobody_out_are_refused(hospital: Hospital) -> None:
    person = PERSON.replace("from: patients,", "from: patients, key: [환자번호, {literal: A}],")
    spec = ONLY_PERSONS + f"tables: {{person: [{person}]}}\n"
    files, by = {"patients.csv": PATIENTS}, "환자번호,병원,date,reason\n"
    with pytest.raises(ConfigurationError, match=r"tables\.person\[0\]: persons are left out by exclusions\.csv, but"):
        hospital.run(spec, files, {"exclusions.csv": f"{by}P1,A,2024-06-01,철회\n"})
    assert hospital.run(spec, files, {"exclusions.csv": by}).tables["person"] == 2


def test_another_as_of_date_closes_what_is_open(hospital: Hospital) -> None:
    spec = """sources:
  patients: {path: patients.csv, key: [환자번호]}
  visits: {path: visits.csv, key: [내원번호]}
"""
    visit = "{from: visits, person: 환자번호, code: {concept_id: 9201}, start: 입원일, end: 퇴원일}"
    spec += f"tables: {{person: [{PERSON}], visit_occurrence: [{visit}]}}\n"
    files = {"patients.csv": PATIENTS, "visits.csv": "내원번호,환자번호,입원일,퇴원일\nV1,P1,20240301,\n"}
    for given, day in ((None, date(2024, 12, 31)), (date(2024, 6, 30), date(2024, 6, 30))):
        result = hospital.run(spec, files, as_of=given)
        assert rows(result, "visit_occurrence", "visit_end_date") == [(day,)]
        assert rows(result, "observation_period", "observation_period_end_date") == [(day,)]
