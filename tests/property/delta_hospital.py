"""An invented hospital whose extract changes from night to night, and the comparison of two snapshots of it.

Its spec has all that ties rows of several persons together: places and wards that people share, visits that a row of another
patient names, orders and what they cost, mothers and children, stays that merge, keys that occur twice, rows without a
key, views over a code table, maps by day.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.cdm.schema import site_tables
from dure.engine import Engine
from dure.progress import SilentProgress
from dure.run import RunOptions, RunResult, run_site
from dure.run.delta.basis import FOLDER as BASIS
from dure.run.delta.copying import alike
from dure.snapshot.lake import Lake
from dure.snapshot.manifest import read_manifest

SITE = """
spec_version: 1
site: {id: night, name: 밤병원, holder: 두레, timezone: Asia/Seoul, extract_date: 2024-03-31}
defaults: {formats: [yyyyMMdd], type_concept_id: 32817}
sources:
  patient: {path: 환자.csv, key: 환자번호, keep: {last: [갱신일]}}
  visit: {path: 내원.csv, key: 내원번호}
  diagnosis:
    path: 진단.csv
    key: [내원번호, 순번]
    exclude: [{rule: ruled_out, where: {구분: [배제]}, reason: 아닌 것으로 밝혀진 진단}]
  orders: {path: 처방.csv, key: 처방번호}
  lab: {path: 검사*.csv}
  family: {path: 가족.csv, key: [모, 자]}
  memo: {path: 기록.csv, key: 기록번호}
  ward: {path: 병동.csv, key: 병동}
  code_table: {path: 코드.csv, key: 코드, role: lookup}
  lab_named: {view: views/lab_named.sql, of: lab}
  diagnosis_first: {view: views/diagnosis_first.sql, of: diagnosis}
maps:
  sex: {M: 8507, F: 8532}
  class: {I: 9201, O: 9202, E: 9203}
  came: {외래: 9202}
  kind: {경과: 32831}
vocabularies:
  LOCAL_LAB: {maps: maps/lab.csv}
visit_policy:
  merge:
    - {when: [9203], followed_by: [9201], within_days: 1, becomes: 262}
    - {when: [9201, 262], followed_by: [9201], within_days: 1}
tables:
  location:
    - {from: patient, key: 우편번호, where: {우편번호: {present: true}}, zip: 우편번호, city: 도시}
  care_site:
    - {from: ward, care_site_name: 이름}
    - {from: visit, key: 병동, where: {병동: {present: true}}, care_site_name: 병동}
  person:
    - {from: patient, birth: 생년월일, gender: {column: 성별, map: sex}, location: 우편번호}
  death:
    - {from: patient, where: {사망일: {present: true}}, person: 환자번호, start: 사망일}
  visit_occurrence:
    - from: visit
      person: 환자번호
      code: {column: 종류, map: class}
      start: 시작
      end: 끝
      care_site: 병동
  condition_occurrence:
    - from: diagnosis_first
      visit: 내원번호
      code: {column: 상병, vocabulary: KCD7, description: 이름}
      start: 날짜
      status: {column: 처음, map: {1: 32902}}
  drug_exposure:
    - from: orders
      person: 환자번호
      visit: 내원번호
      code: {column: 약, vocabulary: RxNorm}
      start: 날짜
      days_supply: 일수
      quantity: 수량
  measurement:
    - from: lab_named
      person: 환자번호
      visit: 내원번호
      code: {column: 검사, vocabulary: LOCAL_LAB, description: 검사명}
      start: 날짜
      value: {number: 결과}
      unit: {column: 단위, vocabulary: UCUM}
  note:
    - from: memo
      person: 환자번호
      visit: 내원번호
      start: 날짜
      class: {concept_id: 32831}
      note_text: 글
      language: {concept_id: 0}
      encoding: {concept_id: 32678}
  cost:
    - {from: orders, event: {row: drug_exposure}, total_cost: 금액}
  fact_relationship:
    - from: family
      fact_1: {person: 모}
      fact_2: {person: 자}
      relationship: Followed by
"""
LAB_NAMED = """SELECT l.*, t.`검사명`
FROM lab l LEFT JOIN code_table t ON t.`코드` = l.`검사`
"""
DIAGNOSIS_FIRST = """SELECT d.*,
       CASE WHEN ROW_NUMBER() OVER (PARTITION BY d.`내원번호` ORDER BY d.`날짜`, d.`순번`) = 1 THEN '1' END AS `처음`
FROM diagnosis d
"""
HEADS = {
    "환자": ["환자번호", "생년월일", "성별", "우편번호", "도시", "사망일", "갱신일"],
    "내원": ["내원번호", "환자번호", "종류", "시작", "끝", "병동"],
    "진단": ["내원번호", "순번", "구분", "상병", "이름", "날짜"],
    "처방": ["처방번호", "환자번호", "내원번호", "약", "날짜", "일수", "수량", "금액"],
    "검사1": ["환자번호", "내원번호", "검사", "날짜", "결과", "단위"],
    "검사2": ["환자번호", "내원번호", "검사", "날짜", "결과", "단위"],
    "가족": ["모", "자"],
    "기록": ["기록번호", "환자번호", "내원번호", "날짜", "글"],
    "병동": ["병동", "이름"],
    "코드": ["코드", "검사명"],
}
CODES = {
    "상병": ["A01.0", "A010", "I10", "E11.2", "Z99.9", "틀린코드", ""],
    "약": ["197361", "314231", "7980", "없는약"],
    "검사": ["NA", "K", "HB", "GLU", "CRP"],
    "단위": ["g/dL", "mmol/L", "%", "이상한단위", ""],
}
MAP_HEAD = [
    "source_code", "source_vocabulary_id", "target_concept_id", "target_vocabulary_id", "valid_start_date",
    "valid_end_date", "invalid_reason",
]  # fmt: skip
ALWAYS = ["1970-01-01", "2099-12-31"]
SODIUM = ["3019550", "LOINC", *ALWAYS]
Rows = list[list[str]]


@dataclass
class Hospital:
    """The files of one night; `maps` are rows of the local map, `left_out` the persons who opted out."""

    rnd: random.Random
    files: dict[str, Rows] = field(default_factory=dict)
    maps: Rows = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    as_of: date = date(2024, 3, 31)
    numbers: int = 0

    @classmethod
    def drawn(cls, seed: int, persons: int) -> Hospital:
        made = cls(random.Random(seed))
        made.files = {name: [] for name in HEADS}
        made.files["병동"] = [["51", "5병동 1"], ["52", "5병동 2"]]
        made.files["코드"] = [[code, f"{code} 검사"] for code in CODES["검사"][:4]]
        made.maps = [["NA", *SODIUM], ["GLU", "3004501", "LOINC", "2024-01-01", "2024-02-15"]]
        for _ in range(persons):
            made.add_person()
        return made

    # ------------------------------------------------------------ what happens in a night

    def day(self) -> str:
        return (date(2024, 1, 1) + timedelta(days=self.rnd.randrange(91))).strftime("%Y%m%d")

    def number(self, prefix: str) -> str:
        self.numbers += 1
        return f"{prefix}{self.numbers:05d}"

    def add_person(self) -> None:
        number = self.number("P")
        born = self.rnd.choice(["19800101", "19751231", "20010315", "", "잘못"])
        zip_code = self.rnd.choice(["04524", "06236", "48058", "", f"9{self.numbers:04d}"])
        row = [
            number,
            born or "19600101",
            self.rnd.choice("MF"),
            zip_code,
            self.rnd.choice(["서울", "부산"]),
            "",
            self.day(),
        ]
        if self.rnd.random() < 0.1:
            row[1] = born
        if self.rnd.random() < 0.1:
            row[5] = self.day()
        self.files["환자"].append(row)
        for _ in range(self.rnd.randrange(3)):
            self.add_visit(number)

    def persons(self) -> list[str]:
        return [row[0] for row in self.files["환자"]] or ["P00000"]

    def add_visit(self, person: str | None = None) -> None:
        person = person or self.rnd.choice(self.persons())
        number, start = self.number("V"), self.day()
        end = self.rnd.choice([start, start, "", self.day()])
        ward = self.rnd.choice(["51", "52", "", f"W{self.numbers % 7}"])
        self.files["내원"].append([number, person, self.rnd.choice("IOE"), start, end, ward])
        for n in range(self.rnd.randrange(3)):
            code = self.rnd.choice(CODES["상병"])
            self.files["진단"].append(
                [number, str(n), self.rnd.choice(["주", "부", "배제"]), code, f"{code} 병", self.day()]
            )
        for _ in range(self.rnd.randrange(3)):
            self.add_order(person, number)
        for _ in range(self.rnd.randrange(4)):
            self.add_lab(person, number)
        if self.rnd.random() < 0.3:
            self.files["기록"].append([self.number("N"), person, number, self.day(), "글"])

    def visit_named(self, own: str | None) -> str:
        """The visit that a row names: mostly its own, else that of somebody else, none, or one that nobody has."""
        others = [row[0] for row in self.files["내원"]]
        chance = self.rnd.random()
        if own and chance < 0.85:
            return own
        return self.rnd.choice([*others[-3:], "", "V99999", "0"])

    def add_order(self, person: str | None = None, visit: str | None = None) -> None:
        person = person or self.rnd.choice([*self.persons(), "P99999"])
        self.files["처방"].append(
            [
                self.number("O"), person, self.visit_named(visit), self.rnd.choice(CODES["약"]), self.day(),
                self.rnd.choice(["3", "30", ""]), self.rnd.choice(["1", "2.5", ""]), str(self.rnd.randrange(9000)),
            ]
        )  # fmt: skip

    def add_lab(self, person: str | None = None, visit: str | None = None) -> None:
        person = person or self.rnd.choice([*self.persons(), "", "P99999"])
        row = [
            person,
            self.visit_named(visit),
            self.rnd.choice(CODES["검사"]),
            self.day(),
            str(self.rnd.randrange(99)),
            "",
        ]
        row[5] = self.rnd.choice(CODES["단위"])
        self.files[self.rnd.choice(["검사1", "검사2"])].append(row)

    def add_family(self) -> None:
        self.files["가족"].append(self.rnd.sample([*self.persons(), "P99999", *self.persons()[:1]], 2))

    def update(self) -> None:
        name = self.rnd.choice([name for name in HEADS if self.files[name]])
        row = self.rnd.choice(self.files[name])
        column = self.rnd.randrange(len(row))
        others = [other[column] for other in self.files[name]]
        row[column] = self.rnd.choice([*others, ""])

    def delete(self) -> None:
        name = self.rnd.choice([name for name in HEADS if self.files[name]])
        self.files[name].pop(self.rnd.randrange(len(self.files[name])))

    def repeat(self) -> None:
        name = self.rnd.choice([name for name in HEADS if self.files[name]])
        row = list(self.rnd.choice(self.files[name]))
        if self.rnd.random() < 0.4:
            row[-1] = self.rnd.choice([row[-1], "9", ""])
        self.files[name].insert(self.rnd.randrange(len(self.files[name]) + 1), row)

    def shuffle(self) -> None:
        for rows in self.files.values():
            self.rnd.shuffle(rows)

    def remap(self) -> None:
        if self.maps and self.rnd.random() < 0.4:
            self.maps.pop(self.rnd.randrange(len(self.maps)))
        target = self.rnd.choice([SODIUM, ["3004410", "LOINC", *ALWAYS], ["999", "LOINC", *ALWAYS], ["0", "", *ALWAYS]])
        self.maps.insert(0, [self.rnd.choice(CODES["검사"]), *target])
        seen: set[str] = set()
        self.maps = [row for row in self.maps if not (row[0] in seen or seen.add(row[0]))]  # type: ignore[func-returns-value]

    def opt_out(self) -> None:
        if self.left_out and self.rnd.random() < 0.4:
            self.left_out.pop()
        else:
            self.left_out.append(self.rnd.choice(self.persons()))

    def next_day(self) -> None:
        self.as_of += timedelta(days=self.rnd.choice([1, 1, -1, 7]))

    def change(self, times: int) -> list[str]:
        """So many things happen; their names, for who reads a failure."""
        usual: list[Callable[[], None]] = [
            self.add_person, self.add_visit, self.add_order, self.add_lab, self.add_family, self.update, self.update,
            self.delete, self.repeat,
        ]  # fmt: skip
        seldom: list[Callable[[], None]] = [self.shuffle, self.remap, self.opt_out, self.next_day]
        done = []
        for _ in range(times):
            act = self.rnd.choice(seldom if self.rnd.random() < 0.25 else usual)
            act()
            done.append(act.__name__)
        return done

    # ------------------------------------------------------------ files

    def write(self, folder: Path) -> None:
        """The site's folder and the extract, below `folder`."""
        site, extract = folder / "sites/night", folder / "extract"
        for path, text in {
            site / "site.yaml": SITE,
            site / "views/lab_named.sql": LAB_NAMED,
            site / "views/diagnosis_first.sql": DIAGNOSIS_FIRST,
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        rows = [[code, "LOCAL_LAB", *target, ""] for code, *target in self.maps]
        _write(site / "maps/lab.csv", MAP_HEAD, rows)
        left_out = [[key, "2024-01-01", "동의 철회"] for key in sorted(set(self.left_out))]
        _write(site / "exclusions.csv", ["환자번호", "date", "reason"], left_out)
        for name, header in HEADS.items():
            _write(extract / f"{name}.csv", header, self.files[name])


def _write(path: Path, header: list[str], rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def run_night(folder: Path, hospital: Hospital, engine: Engine, vocabulary: Path, *, full: bool = False) -> RunResult:
    """One run of the hospital's night, on an engine that is up."""
    options = RunOptions(
        "night", folder / "extract", vocabulary, folder / "lake", (folder / "sites",), as_of=hospital.as_of, full=full,
        check_disk=False, accept_small=True,
    )  # fmt: skip
    return run_site(options, SilentProgress(), lambda _: nullcontext(engine))


def differences(folder: Path, one: RunResult, other: RunResult) -> list[str]:
    """Where two snapshots differ, in tables, in evidence and in what the next night starts from; empty where nowhere."""
    found = []
    for table in site_tables():
        rows = [_rows(result.snapshot / table) for result in (one, other)]
        if not alike(*rows):
            found.append(f"{table}: {rows[0].num_rows} rows and {rows[1].num_rows}")
        if not (_is_sorted(one.snapshot / table)):
            found.append(f"{table}: not sorted by person")
    names = [sorted(path.name for path in result.reports.iterdir() if path.is_file()) for result in (one, other)]
    if names[0] != names[1]:
        found.append(f"reports: {names[0]} and {names[1]}")
    for name in names[0]:
        first, second = (result.reports / name for result in (one, other))
        if name.endswith(".parquet"):
            if not alike(pq.read_table(first), pq.read_table(second)):
                found.append(name)
        elif first.read_bytes() != second.read_bytes():
            found.append(name)
    lake = Lake(folder / "lake").site(one.snapshot.parent.name)
    for name in ("asked", "resolved", "code_records", "units"):
        tables = [pq.read_table(lake.landing(r.snapshot.name) / BASIS / f"{name}.parquet") for r in (one, other)]
        if not alike(*tables):
            found.append(f"basis: {name}")
    if sorted(map(str, one.warnings)) != sorted(map(str, other.warnings)):
        found.append("warnings")
    manifests = [read_manifest(result.snapshot) for result in (one, other)]
    if (
        len({repr((m.inputs.keys(), m.reconciliation, {t: c.rows for t, c in m.tables.items()})) for m in manifests})
        > 1
    ):
        found.append("manifest")
    return found


def _rows(folder: Path) -> pa.Table:
    tables = [pq.read_table(file) for file in sorted(folder.glob("*.parquet"))]
    return pa.concat_tables([table.cast(tables[0].schema) for table in tables])


def _is_sorted(folder: Path) -> bool:
    for file in folder.glob("*.parquet"):
        table = pq.read_table(file)
        if "person_id" in table.column_names:
            persons = table["person_id"].to_pylist()
            if persons != sorted(persons):
                return False
    return True


def was_delta(result: RunResult) -> bool:
    return read_manifest(result.snapshot).delta is not None
