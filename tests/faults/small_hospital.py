"""A hospital of three sources in a lake, for tests that run it in processes of their own and end those at will."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from dure.engine import EngineOptions
from dure.progress import SilentProgress
from dure.quality.command import Checked
from dure.run import Committed, RunOptions
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import changed_files, read_manifest

NAME, SITE = "바다병원", "bada"
SPEC = """spec_version: 1
site: {id: bada, name: 바다병원, holder: 바다의료재단, timezone: Asia/Seoul, extract_date: 2024-12-31}
defaults: {formats: [yyyyMMdd]}
maps: {names: names.csv}
sources:
  patients: {path: 환자.csv, key: [환자번호]}
  visits: {path: 내원.csv, key: [내원번호], keep: {last: [시작]}}
  diagnoses: {path: 진단.csv, key: [번호]}
  coded: {view: coded.sql, of: diagnoses, grain: one}
  none: {view: none.sql, of: diagnoses, grain: one, drops: nobody asks for them}
tables:
  person:
    - {from: patients, birth: 생년월일, gender: {column: 성별, map: {남: 8507, 여: 8532}}}
  visit_occurrence:
    - {from: visits, person: 환자번호, code: {column: 구분, map: {입원: 9201, 외래: 9202}}, start: 시작, end: 종료}
  condition_occurrence:
    - {from: coded, person: 환자번호, visit: 내원번호, code: {column: 상병명, map: names}, start: 진단일}
  observation:
    - {from: none, person: 환자번호, code: {column: 상병명, map: names}, start: 진단일}
"""
VIEWS = {
    "coded.sql": "SELECT *, trim(`상병명`) AS `이름` FROM diagnoses",
    "none.sql": "SELECT * FROM diagnoses WHERE `상병명` = '없는 이름'",
}
NAMES = "value,concept_id\n고혈압,320128\n당뇨병,201826\n"


def write_hospital(folder: Path, persons: int = 30) -> None:
    """The folder of sites and the extract; one row of each kind goes wrong: no date, an unknown person, a repeated key."""
    site, extract = folder / "sites" / NAME, folder / "extract"
    site.mkdir(parents=True)
    extract.mkdir()
    for name, text in {"site.yaml": SPEC, "names.csv": NAMES, **VIEWS}.items():
        (site / name).write_text(text, "utf-8")
    numbers = range(persons)
    people = [f"P{n},19{40 + n % 50}0301,{'남여'[n % 2]}" for n in numbers]
    visits = [f"V{n},P{n},{'입원' if n % 3 else '외래'},202403{10 + n % 9},202403{20 + n % 9}" for n in numbers]
    found = [f"{n},P{n},V{n},{'고혈압' if n % 2 else '당뇨병'},202403{11 + n % 9}" for n in numbers]
    write = {
        "환자.csv": ["환자번호,생년월일,성별", *people],
        "내원.csv": ["내원번호,환자번호,구분,시작,종료", *visits, "V1,P1,외래,20240301,20240301"],
        "진단.csv": [
            "번호,환자번호,내원번호,상병명,진단일", *found, "901,P1,V1,처음 보는 병,20240312", "902,P1,V1,고혈압,",
            "903,모름,V1,고혈압,20240312",
        ],
    }  # fmt: skip
    for name, lines in write.items():
        (extract / name).write_text("\n".join(lines) + "\n", "utf-8")


def options_of(folder: Path, vocabulary: Path, lake: Path) -> RunOptions:
    return RunOptions(
        NAME,
        folder / "extract",
        vocabulary,
        lake,
        (folder / "sites",),
        engine=EngineOptions(threads=2),
        as_of=date(2024, 12, 31),
    )


@dataclass(frozen=True)
class Content:
    """What a snapshot and its evidence hold, name by name; two runs of the same inputs give the same."""

    tables: dict[str, tuple[str, ...]]
    reports: dict[str, str]

    @classmethod
    def of(cls, own: SiteLake, snapshot: str) -> Content:
        manifest = read_manifest(own.snapshot(snapshot))
        tables = {name: tuple(sorted(file.sha256 for file in each.files)) for name, each in manifest.tables.items()}
        reports = own.reports(snapshot)
        files = {path.relative_to(reports).as_posix(): path for path in reports.rglob("*") if path.is_file()}
        return cls(tables, {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()})


def is_whole(own: SiteLake, snapshot: str) -> bool:
    folder = own.snapshot(snapshot)
    return changed_files(folder, read_manifest(folder)) == ()


class Proves:
    """Stands in for the gate: opens it and says that it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, done: Committed) -> Checked:
        self.asked.append(done.snapshot.name)
        done.lake.set_pointer("passed", done.snapshot.name)
        return Checked(True, ["gate: open"])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesAt(SilentProgress):
    """Progress that ends the process as a power cut would, when a stage has told of so many tables."""

    def __init__(self, stage: str, tables: int) -> None:
        super().__init__()
        self._at, self._left = stage, tables
        self._stage = ""

    def stage(self, name: str) -> None:
        self._stage = name

    def table(self, name: str, rows: int | None, seconds: float) -> None:
        if self._stage == self._at:
            self._left -= 1
            if self._left == 0:
                die()


class Notes(SilentProgress):
    """Progress that remembers what a person would read."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.stages: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def note(self, text: str) -> None:
        self.said.append(text)


def in_child(work: Callable[[], None]) -> int:
    """The wait status of a forked process that did the work; nothing with threads may have begun in this one."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def site_of(lake: Path) -> SiteLake:
    return Lake(lake).site(SITE)


def until(options: RunOptions, stage: str) -> RunOptions:
    return replace(options, until=stage)
