"""The folder of evidence: which files a checking writes, each whole, the verdict of the same checking."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import sample_checking as sample
from dure.quality.check import write_evidence

WRITTEN = {"results.json", "junit.xml", "dqd-results.json", "report.html", "verdict.json"}


def test_every_file_is_replaced_whole(tmp_path: Path) -> None:
    reports, snapshot = tmp_path / "reports" / sample.SNAPSHOT, tmp_path / "cdm" / sample.SNAPSHOT
    (snapshot / "cdm_source").mkdir(parents=True)
    pq.write_table(pa.table({"cdm_source_name": ["바다병원"]}), snapshot / "cdm_source" / "part-0.parquet")
    sample.write_evidence_of_run(reports)
    before = {path.name for path in reports.iterdir()}
    (reports / "report.html").write_text("old")
    write_evidence(sample.checking(), snapshot, reports, "ko")
    assert {path.name for path in reports.iterdir()} - before == WRITTEN
    assert '<html lang="ko">' in (reports / "report.html").read_text("utf-8")
    viewed = json.loads((reports / "dqd-results.json").read_bytes())
    assert viewed["Metadata"][0]["cdmSourceName"] == "바다병원"
    verdict = json.loads((reports / "verdict.json").read_bytes())
    assert verdict["gate"] == "closed" and verdict["digest"] == sample.checking().manifest.digest
