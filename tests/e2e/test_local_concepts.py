"""A hospital's own codes as source concepts: in its block of ids, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dure.errors import ConfigurationError
from dure.progress import SilentProgress
from dure.run import RunOptions, run_site
from dure.site import load_site

SITE = """
spec_version: 1
site: {id: bada, name: 바다병원, holder: 두레, timezone: Asia/Seoul, consortium: south, extract_date: 2024-01-01}
defaults: {formats: [yyyyMMdd]}
sources:
  patient: {path: 환자.csv, key: [환자번호]}
  dx: {path: 진단.csv, key: [환자번호, 상병코드]}
vocabularies:
  BADA_DX: {}
tables:
  person:
    - {from: patient, birth: 생년월일, gender: {column: 성별, map: {M: 8507}}}
  condition_occurrence:
    - {from: dx, person: 환자번호, code: {column: 상병코드, vocabulary: BADA_DX}, start: 진단일자}
"""
HEADER = (
    "concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,concept_code,valid_start_date,valid_end_date\n"
)


@pytest.fixture
def sites(tmp_path: Path, repository: Path) -> Path:
    site, consortium = tmp_path / "sites/bada", tmp_path / "sites/consortia/south"
    site.mkdir(parents=True)
    consortium.mkdir(parents=True)
    (site / "site.yaml").write_text(SITE, "utf-8")
    (site / "concepts.csv").write_text(
        HEADER + "2001000007,원내 감기,Condition,BADA_DX,Diagnosis,감기01,2020-01-01,2099-12-31\n", "utf-8"
    )
    (consortium / "consortium.yaml").write_text("spec_version: 1\n", "utf-8")
    (consortium / "blocks.csv").write_text("owner,first_concept_id\nsouth,2000000000\nbada,2001000000\n", "utf-8")
    extract = tmp_path / "extract"
    extract.mkdir()
    (extract / "환자.csv").write_text("환자번호,생년월일,성별\n1,19700101,M\n", "utf-8")
    (extract / "진단.csv").write_text("환자번호,상병코드,진단일자\n1,감기01,20230301\n1,모름,20230302\n", "utf-8")
    shutil.copytree(repository / "tests/data/vocabulary", tmp_path / "vocabulary")
    return tmp_path / "sites"


def test_a_local_code_has_a_source_concept_and_travels_with_its_row(sites: Path, tmp_path: Path) -> None:
    options = RunOptions("bada", tmp_path / "extract", tmp_path / "vocabulary", tmp_path / "lake", (sites,))
    snapshot = run_site(options, SilentProgress()).snapshot
    rows = pq.read_table(snapshot / "condition_occurrence").to_pylist()
    found = {r["condition_source_value"]: (r["condition_concept_id"], r["condition_source_concept_id"]) for r in rows}
    assert found == {"감기01": (0, 2001000007), "모름": (0, 0)}
    concepts = pq.read_table(snapshot / "concept").to_pylist()
    assert [(c["concept_id"], c["concept_name"], c["standard_concept"]) for c in concepts] == [
        (2001000007, "원내 감기", None)
    ]


def test_ids_outside_the_own_block_are_refused(sites: Path) -> None:
    concepts = sites / "bada/concepts.csv"
    concepts.write_text(concepts.read_text("utf-8").replace("2001000007", "2000000007"), "utf-8")
    with pytest.raises(ConfigurationError, match=r"concepts\.csv:2: concept 2000000007 is not in the block of bada"):
        load_site("bada", (sites,))


def test_a_block_belongs_to_one(sites: Path) -> None:
    (sites / "consortia/south/blocks.csv").write_text(
        "owner,first_concept_id\nbada,2001000000\nhaneul,2001000000\ngangsan,2001000001\n", "utf-8"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_site("bada", (sites,))
    assert "blocks.csv:3: gives haneul or the block at 2001000000 a second time" in str(caught.value)
    assert "blocks.csv:4: is no block" in str(caught.value)
