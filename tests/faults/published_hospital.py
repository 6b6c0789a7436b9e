"""A hospital of forty patients whose snapshot is ready to be published; names, numbers and addresses stand in its extract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dure.engine import Engine
from dure.progress import SilentProgress
from dure.publish import publish
from dure.publish.keygen import make_keys
from dure.publish.publish import Published, PublishOptions, publish_site
from dure.publish.rerun import Rerun
from dure.quality.evidence.record import RESULTS, VERDICT
from dure.run import RunOptions, run_site
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import read_manifest
from dure.vocab import VocabularyStore

TODAY = date(2025, 3, 1)
PATIENTS = 40
SPEC = """spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다의료재단, timezone: Asia/Seoul, extract_date: 2024-12-31}
defaults: {formats: [yyyyMMdd]}
sources:
  patients: {path: 환자.csv, key: [환자번호]}
  visits: {path: 내원.csv, key: [내원번호]}
  diagnoses: {path: 진단.csv, key: [진단번호]}
  notes: {path: 기록.csv, key: [기록번호]}
  bills: {path: 수납.csv, key: [수납번호]}
tables:
  location:
    - {from: patients, key: [주소, 시도], address_1: 주소, state: 시도, source_value: 주소}
  person:
    - from: patients
      birth: 생년월일
      gender: {column: 성별, map: {남: 8507, 여: 8532}}
      location: [주소, 시도]
      source_value: 환자번호
  death:
    - {from: patients, where: {사망일: {present: true}}, person: 환자번호, start: 사망일}
  visit_occurrence:
    - from: visits
      person: 환자번호
      code: {column: 구분, map: {외래: 9202, 입원: 9201}}
      start: 내원일
      end: 퇴원일
      source_value: 내원번호
  condition_occurrence:
    - {from: diagnoses, visit: 내원번호, code: {column: 상병, vocabulary: KCD7}, start: 진단일, source_value: 상병}
  note:
    - from: notes
      visit: 내원번호
      class: {column: 서식, map: {퇴원요약: 44814637}}
      start: 작성일
      note_text: 내용
      encoding: {concept_id: 32678}
      language: {concept_id: 4175771}
      type_concept_id: 32831
  cost:
    - {from: bills, event: {visit: 내원번호}, total_charge: 금액, currency: {literal: KRW, vocabulary: Currency}}
"""
SURNAMES, GIVEN = "김이박최정강조윤장임", ("가람", "나래", "다솜", "라온")

# What a check writes beside the verdict and speaks of the same bytes.
PAGES = ("report.html", "dqd-results.json", "junit.xml")


def name(number: int) -> str:
    return SURNAMES[number % 10] + GIVEN[number // 10]


def patient(number: int) -> str:
    return f"환자{number:05d}"


def birth(number: int) -> date:
    """Two of them are over ninety at the end of 2024, and one has died at such an age."""
    return date(1925 + number, 3, 14) if number < 3 else date(1950 + number, 1 + number % 12, 1 + number % 28)


def visited(number: int) -> date:
    return date(2020, 1, 15) + timedelta(days=17 * number)


def secrets_of(number: int) -> list[str]:
    """Texts of the extract that no published byte may hold."""
    return [
        patient(number),
        name(number),
        f"V{number:06d}",
        f"바다로 {number}길",
        f"{birth(number):%y%m%d}-1{number:06d}",
    ]


def files(patients: int = PATIENTS) -> dict[str, str]:
    rows = range(patients)
    died = {5: "20231105", 0: "20220301"}
    codes = ["I10" if n % 4 else "A010" if n == 8 else "R51" for n in rows]
    return {
        "환자.csv": "환자번호,이름,주민번호,생년월일,성별,주소,시도,사망일\n"
        + "".join(
            f"{patient(n)},{name(n)},{birth(n):%y%m%d}-1{n:06d},{birth(n):%Y%m%d},{'남여'[n % 2]},바다로 {n}길,"
            f"{'부산광역시' if n % 8 else '울릉군'},{died.get(n, '')}\n"
            for n in rows
        ),
        "내원.csv": "내원번호,환자번호,구분,내원일,퇴원일\n"
        + "".join(f"V{n:06d},{patient(n)},외래,{visited(n):%Y%m%d},{visited(n):%Y%m%d}\n" for n in rows),
        "진단.csv": "진단번호,내원번호,상병,진단일\n"
        + "".join(f"D{n:06d},V{n:06d},{codes[n]},{visited(n):%Y%m%d}\n" for n in rows),
        "기록.csv": "기록번호,내원번호,서식,작성일,내용\n"
        + "".join(
            f"N{n:06d},V{n:06d},퇴원요약,{visited(n):%Y%m%d},"
            f"{name(n)}님 ({birth(n):%y%m%d}-1{n:06d}) 연락처 010-1234-{5000 + n} 두통으로 내원\n"
            for n in rows
        ),
        "수납.csv": "수납번호,내원번호,금액\n" + "".join(f"B{n:06d},V{n:06d},{1000 + n}\n" for n in rows),
    }


class Hospital:
    """Its extract, lake and keys below one folder, on an engine that is up."""

    def __init__(self, running: Engine, store: VocabularyStore, folder: Path) -> None:
        self.running, self.store, self.folder = running, store, folder
        self.lake = folder / "lake"
        self.sites = folder / "sites"
        self.keys = folder / "keys"
        make_keys(self.keys, "site")
        (self.sites / "bada").mkdir(parents=True)
        (self.sites / "bada/site.yaml").write_text(SPEC, "utf-8")

    @property
    def own(self) -> SiteLake:
        return Lake(self.lake).site("bada")

    def build(self, patients: int = PATIENTS) -> Path:
        """A new snapshot."""
        for file, text in files(patients).items():
            (self.folder / "extract").mkdir(exist_ok=True)
            (self.folder / "extract" / file).write_text(text, "utf-8")
        options = RunOptions("bada", self.folder / "extract", self.store.folder, self.lake, (self.sites,))
        return run_site(options, SilentProgress(), lambda _: nullcontext(self.running)).snapshot

    def open_gate(self, gate: str = "open", closing: Sequence[dict[str, str]] = ()) -> None:
        """What a check would leave, for tests in which no check is needed."""
        snapshot = self.own.latest()
        manifest, reports = read_manifest(snapshot), self.own.reports(snapshot.name)
        verdict = {
            "site": "bada",
            "snapshot": snapshot.name,
            "digest": manifest.digest,
            "gate": gate,
            "day": "2025-03-01",
        }
        verdict |= {"score": 1.0, "closing": list(closing), "waived": []}
        (reports / RESULTS).write_text(json.dumps({"results": []}))
        for page in PAGES:
            (reports / page).write_text("of the snapshot as it was")
        (reports / VERDICT).write_text(json.dumps(verdict))
        if gate == "open":
            own = self.own
            with own.lock():
                own.set_pointer("passed", snapshot.name)

    def options(self, to: str, **others: Any) -> PublishOptions:
        plain = PublishOptions(
            "bada", to, self.lake, TODAY, key=self.keys / "pseudonym.key", sign_key=self.keys / "signing.key"
        )
        return replace(plain, **others)

    def publish(self, to: str, **others: Any) -> Published:
        return publish_site(self.options(to, **others), SilentProgress(), lambda _: nullcontext(self.running))


def without_rerun(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of other steps: the checks of the copy take longer than all the rest."""
    monkeypatch.setattr(publish, "rerun", lambda *_: Rerun({"passed": 1}, []))


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def texts_below(folder: Path) -> str:
    """All that a reader of the files can see: Parquet as text, and every byte that is text anyway."""
    shown = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            shown.append(str(pq.read_table(path).to_pydict()))
        if path.is_file():
            shown.append(path.read_bytes().decode("utf-8", "ignore"))
    return "\n".join(shown)
