"""The evidence of one package as files: written with the same bytes for the same rows, scanned, and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dure.publish.deidentify.scan import Findings, Identifiers
from dure.publish.evidence.checks import check_evidence
from dure.publish.evidence.codes import CodeEvidence
from dure.publish.fixed_parquet import write_parquet
from dure.publish.package_manifest import told
from dure.publish.rerun import Counts
from dure.snapshot.durable import lake_access

FOLDER = "evidence"


@dataclass(frozen=True)
class EvidenceFile:
    """One file: `path` in the package, and `file`, where it lies until then."""

    path: str
    file: Path
    rows: int
    bytes: int
    sha256: str

    def listed(self) -> dict[str, Any]:
        return {"path": self.path, "rows": self.rows, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True)
class Evidence:
    """Both files; `named` rows of `codes` name a code, `small` rows of `small_records` were too few to be summed."""

    checks: EvidenceFile
    codes: EvidenceFile
    named: int
    small: int
    small_records: int

    @property
    def files(self) -> tuple[EvidenceFile, EvidenceFile]:
        return self.checks, self.codes

    def listed(self) -> dict[str, Any]:
        """As the manifest lists it."""
        left_out = {"rows": told(self.small), "records": told(self.small_records)}
        return {"checks": self.checks.listed(), "codes": self.codes.listed() | {"left_out": left_out}}


def write_evidence(
    work: Path, checks: Mapping[str, Counts], codes: CodeEvidence, identifiers: Identifiers
) -> tuple[Evidence, Findings]:
    """Both files below `work`, and what the scan found in them."""
    findings = Findings()
    tables = {"checks": check_evidence(checks), "codes": codes.table}
    files = {}
    with lake_access(work):
        (work / FOLDER).mkdir()
        for name, table in tables.items():
            texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
            findings.scan(f"{FOLDER}.{name}", table, identifiers, texts)
            files[name] = _written(table, work, f"{FOLDER}/{name}.parquet")
    named = pc.sum(pc.is_valid(codes.table["code"])).as_py() or 0
    return Evidence(files["checks"], files["codes"], named, codes.small, codes.small_records), findings


def _written(table: pa.Table, work: Path, path: str) -> EvidenceFile:
    file = work / path
    write_parquet(table, file)
    content = file.read_bytes()
    return EvidenceFile(path, file, table.num_rows, len(content), hashlib.sha256(content).hexdigest())
