"""A small hospital written for these tests, changed by one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dure.errors import ConfigurationError
from dure.site import Site, load_site
from dure.site.spec import Defaults, FileSource

SPEC = """\
spec_version: 1
site: {id: garam, name: 가람병원, holder: 가람대학교, consortium: river, timezone: Asia/Seoul, extract_date: 2026-03-31}
defaults:
  encoding: cp949
  formats: [yyyyMMdd, yyyyMMddHHmm]
sources:
  patient: {path: "환자*.csv", key: [환자번호]}
  visit: {path: 내원.csv, key: [내원번호]}
  diagnosis:
    path: 진단.csv
    key: [내원번호, 순번]
    exclude:
      - {rule: ruled_out, where: {구분: [배제]}, reason: 배제한 진단}
  orders: {path: 처방.csv, key: [처방번호]}
  code_table: {path: 원내코드표.csv, role: lookup}
  order_coded: {view: views/order_coded.sql, of: orders}
maps:
  route: maps/route.csv
vocabularies:
  GARAM: {maps: [maps/garam.csv]}
tables:
  person:
    - from: patient
      birth: {first_of: [생년월일, {rrn_birth: 주민번호}]}
      gender: {column: 성별, map: sex}
  visit_occurrence:
    - from: visit
      person: 환자번호
      code: {column: 구분, map: {외래: 9202, 입원: 9201}}
      start: {date: 내원일자, time: 내원시각}
      end: 퇴원일자
  condition_occurrence:
    - from: diagnosis
      person: 환자번호
      visit: 내원번호
      code: {column: 상병코드, vocabulary: KCD7, description: 상병명}
      start: 진단일자
  drug_exposure:
    - from: order_coded
      visit: 내원번호
      code:
        first_of:
          - {column: 처방코드, vocabulary: GARAM}
          - {column: 보험코드, vocabulary: EDI, type: 코드구분}
      start: 처방일자
      end: {first_of: [종료일자, {lasts_days: 일수}]}
      quantity: {product: [용량, 횟수, 일수], empty: 1}
      route: {column: [경로1, 경로2], map: route}
  note:
    - {from: diagnosis, visit: 내원번호, start: 진단일자, class: {concept_id: 706391}, note_text: 소견}
"""

CONSORTIUM = """\
spec_version: 1
defaults:
  formats: [yyyy-MM-dd]
  null_dates: ["00000000", "99991231"]
maps:
  sex: {남: 8507, 여: 8532, 1: 8507, 2: 8532}
  route: {oral: 4132161}
vocabularies:
  GARAM: {maps: [maps/common.csv], fallback: parent, many_targets: true}
  EDI: {maps: [maps/common.csv]}
visit_policy:
  open_stay: start
  merge:
    - {when: [9203], followed_by: [9201], within_hours: 24, becomes: 262}
"""

VIEW = """\
-- 처방에 그날의 보험코드를 붙인다
SELECT o.*, t.`보험코드`, t.`코드구분`
FROM orders o
LEFT JOIN code_table t ON t.`원내코드` = o.`처방코드`
"""

HEADERS = {
    "patient": ("환자번호", "생년월일", "주민번호", "성별"),
    "visit": ("내원번호", "환자번호", "구분", "내원일자", "내원시각", "퇴원일자"),
    "diagnosis": ("내원번호", "순번", "환자번호", "구분", "상병코드", "상병명", "진단일자", "소견"),
    "orders": ("처방번호", "내원번호", "처방코드", "처방일자", "종료일자", "일수", "용량", "횟수", "경로1", "경로2"),
    "code_table": ("원내코드", "보험코드", "코드구분"),
}

FILES = {
    "hospitals/garam/site.yaml": SPEC,
    "hospitals/garam/views/order_coded.sql": VIEW,
    "hospitals/garam/maps/route.csv": "value_1,value_2,concept_id,note\n03,01,4132161,경구\n04,02,4171047,\n",
    "hospitals/garam/maps/garam.csv": "source_vocabulary_id,source_code,target_concept_id\nGARAM,P1,3000963\n",
    "consortia/river/consortium.yaml": CONSORTIUM,
    "consortia/river/maps/common.csv": "source_vocabulary_id,source_code,target_concept_id\nEDI,645100010,0\n",
}


def write(root: Path, **changes: str) -> Path:
    """Writes the hospital below `root`; `changes` are whole files by their name with `__` for `/`. Gives the sites folder."""
    for name, text in {**FILES, **changes}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root / "hospitals"


def changed(old: str, new: str, text: str = SPEC) -> str:
    """The text with one place replaced; the place must be there."""
    assert old in text, old
    return text.replace(old, new, 1)


def load(root: Path, spec: str = SPEC, files: dict[str, str] | None = None, headers: bool = False) -> Site:
    sites = write(root, **{"hospitals/garam/site.yaml": spec, **(files or {})})
    if headers:
        extract = root / "extract"
        extract.mkdir(exist_ok=True)
        return load_site("garam", [sites], extract, header_from(HEADERS))
    return load_site("garam", [sites])


def header_from(headers: dict[str, tuple[str, ...]]) -> Callable[[str, FileSource, Defaults, Path], tuple[str, ...]]:
    def header_of(name: str, source: FileSource, defaults: Defaults, extract: Path) -> tuple[str, ...]:
        return headers[name]

    return header_of


def mistakes(root: Path, spec: str = SPEC, files: dict[str, str] | None = None, headers: bool = False) -> list[str]:
    """The problems of the hospital as shown, with paths relative to `root`."""
    try:
        load(root, spec, files, headers)
    except ConfigurationError as error:
        return [str(problem).replace(f"{root}/", "") for problem in error.problems]
    return []
