"""Hospitals that send: small packages made by hand, signed with keys of their own, and a center that receives them."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dure.cdm.schema import table as cdm_table
from dure.center.receive.receive import Received, ReceiveOptions, receive_packages
from dure.engine import Engine, EngineOptions
from dure.progress import SilentProgress
from dure.publish.evidence.checks import CHECKS
from dure.publish.evidence.codes import CODES
from dure.publish.fixed_parquet import write_parquet
from dure.publish.package import Package
from dure.publish.signing import fingerprint
from dure.publish.table_files import arrow_schema
from dure.snapshot.manifest import measure_tables, snapshot_digest

NOW = datetime(2025, 3, 15, 9, 30, tzinfo=UTC)
KOREA, BADA, HANEUL, SHARED = 2_000_000_000, 2_002_000_000, 2_001_000_000, 2_100_000_000
HYPERTENSION, SODIUM, MMOL = 320128, 3019550, 8753
PERSONS = 24
Rows = dict[str, list[dict[str, Any]]]
Manifest = dict[str, Any]
SHA = "0" * 64


def person_id(number: int) -> int:
    """Ascending, as the rows of a package are, and far apart, as pseudonyms are."""
    return 1_000_003 * (number + 1)


def record_id(table: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{table} {number}".encode()).digest()[:7], "big")


def rows(persons: Sequence[int] = range(PERSONS)) -> Rows:
    """A few rows of each kind; person 3 has died, and every visit has a cost."""
    start = date(2020, 1, 1)
    days = {n: start + timedelta(days=31 * n) for n in persons}
    made: Rows = {
        "person": [
            {
                "person_id": person_id(n),
                "gender_concept_id": 8507 if n % 2 else 8532,
                "year_of_birth": 1950 + n,
                "race_concept_id": 0,
                "ethnicity_concept_id": 0,
            }
            for n in persons
        ],
        "observation_period": [
            {
                "observation_period_id": record_id("period", n),
                "person_id": person_id(n),
                "observation_period_start_date": days[n],
                "observation_period_end_date": days[n] + timedelta(days=9),
                "period_type_concept_id": 32882,
            }
            for n in persons
        ],
        "visit_occurrence": [
            {
                "visit_occurrence_id": record_id("visit", n),
                "person_id": person_id(n),
                "visit_concept_id": 9202,
                "visit_start_date": days[n],
                "visit_end_date": days[n],
                "visit_type_concept_id": 32827,
            }
            for n in persons
        ],
        "condition_occurrence": [
            {
                "condition_occurrence_id": record_id("condition", 2 * n + k),
                "person_id": person_id(n),
                "condition_concept_id": HYPERTENSION if k else 0,
                "condition_start_date": days[n],
                "condition_type_concept_id": 32827,
                "condition_source_concept_id": BADA + 7 if n % 2 else SHARED + 1,
            }
            for n in persons
            for k in range(2)
        ],
        "measurement": [
            {
                "measurement_id": record_id("measurement", 3 * n + k),
                "person_id": person_id(n),
                "measurement_concept_id": SODIUM,
                "measurement_date": days[n] + timedelta(days=k),
                "measurement_type_concept_id": 32856,
                "value_as_number": 130.0 + n if k else None,
                "unit_concept_id": MMOL if k else None,
            }
            for n in persons
            for k in range(3)
        ],
        "death": [
            {"person_id": person_id(n), "death_date": days[n], "death_type_concept_id": 32817}
            for n in persons
            if n == 3
        ],
        "cost": [
            {
                "cost_id": record_id("cost", n),
                "cost_event_id": record_id("visit", n),
                "cost_domain_id": "Visit",
                "cost_type_concept_id": 32814,
            }
            for n in persons
        ],
        "fact_relationship": [
            {
                "domain_concept_id_1": 19,
                "fact_id_1": record_id("condition", 2 * n),
                "domain_concept_id_2": 19,
                "fact_id_2": record_id("condition", 2 * n + 1),
                "relationship_concept_id": 44818790,
            }
            for n in persons
            if n < 4
        ],
        "cdm_source": [
            {
                "cdm_source_name": "바다병원",
                "cdm_source_abbreviation": "bada",
                "cdm_holder": "바다의료재단",
                "source_release_date": date(2025, 3, 1),
                "cdm_release_date": date(2025, 3, 1),
                "cdm_version_concept_id": 756265,
                "vocabulary_version": "v5.0",
            }
        ],
        "concept": [
            {
                "concept_id": BADA + 7,
                "concept_name": "자체 고혈압 코드",
                "domain_id": "Condition",
                "vocabulary_id": "BADA",
                "concept_class_id": "Code",
                "concept_code": "HT7",
                "valid_start_date": date(1970, 1, 1),
                "valid_end_date": date(2099, 12, 31),
            }
        ],
    }
    return {name: sorted(records, key=lambda row: _order(name, row)) for name, records in made.items()}


def _order(name: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    key = cdm_table(name).primary_key
    return (row.get("person_id", 0), row.get(key or "", 0))


def write_tables(folder: Path, made: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for name, records in made.items():
        schema = arrow_schema(cdm_table(name))
        full = [dict.fromkeys(schema.names) | dict(row) for row in records]
        (folder / name).mkdir(parents=True)
        write_parquet(pa.Table.from_pylist(full, schema), folder / name / "part-00000.parquet")


def write_evidence(folder: Path, checks: Sequence[tuple[str, str, int | None, int | None]] = ()) -> None:
    (folder / "evidence").mkdir(parents=True)
    listed = [dict(zip(CHECKS.names, check, strict=True)) for check in checks]
    listed = listed or [{"check": "table_cdmtable_person", "status": "passed", "violated": 0, "denominator": 1}]
    write_parquet(pa.Table.from_pylist(listed, CHECKS), folder / "evidence/checks.parquet")
    codes = [{"role": "code", "vocabulary_id": "KCD7", "code": "I10", "target_concept_id": HYPERTENSION, "records": 24}]
    codes = [dict.fromkeys(CODES.names) | row for row in codes]
    write_parquet(pa.Table.from_pylist(codes, CODES), folder / "evidence/codes.parquet")


def manifest_of(site: str, copied: Path, sequence: int, withdrawn: Sequence[int], signing: str) -> Manifest:
    """As `dure publish` writes it, from the files that lie there."""
    measured = measure_tables(copied)
    evidence = {name: measured.pop("evidence").files for name in ("evidence",)}["evidence"]
    tables = {name: content.model_dump(mode="json") for name, content in measured.items()}
    checks, codes = ({"rows": _rows(copied / file.path), **file.model_dump(mode="json")} for file in evidence)
    ends: dict[str, int] = {}
    for status in _column(copied / "evidence/checks.parquet", "status"):
        ends[status] = ends.get(status, 0) + 1
    return {
        "package_version": 1,
        "site": site,
        "sequence": sequence,
        "as_of": "2025-03-01",
        "versions": {
            "cdm": "5.4",
            "dure": "0.1.0",
            "mapped_by_dure": "0.1.0",
            "engine": "sail 0.7.2",
            "vocabulary": {"release": "v5.0 27-FEB-25", "digest": SHA},
            "spec": SHA,
            "maps": {"site/maps/상병.csv": SHA},
        },
        "inputs": {"진단": {"rows": 48, "files": [{"sha256": SHA, "bytes": 4000}]}},
        "gated": {
            "snapshot": "20250302T010000Z",
            "digest": SHA,
            "gate": "open",
            "day": "2025-03-02",
            "score": 0.98,
            "waived": ["dure_coveragerecords_drug"],
        },
        "copy": {
            "digest": snapshot_digest(measured),
            "profile": {"name": "center", "digest": SHA, "dates": "shifted"},
        },
        "keys": {"signing": signing, "pseudonyms": "53bdf58aae47ec5d"},
        "tables": tables,
        "checks": {
            "rerun": ends,
            "differ": [{"check": "a", "snapshot": ["passed", 0, 14], "copy": ["passed", "<10", 14], "why": "emptied"}],
        },
        "evidence": {"checks": checks, "codes": {**codes, "left_out": {"rows": "<10", "records": 12}}},
        "persons_alike": {"persons": PERSONS, "alone": "<10", "fewer_than_5": 24},
        "reconciliation": {"진단": {"read": 48, "mapped": 48}},
        "coverage": [{"check": "dure_coveragerecords_condition", "without_concept": 24, "of": 48}],
        "withdrawn": sorted(withdrawn),
    }


def _rows(path: Path) -> int:
    from pyarrow.parquet import read_metadata

    return int(read_metadata(path).num_rows)


def _column(path: Path, name: str) -> list[str]:
    from pyarrow.parquet import read_table

    found: list[str] = read_table(path)[name].to_pylist()
    return found


def measured_anew(manifest: Manifest, copied: Path, *paths: str) -> None:
    """The manifest with the sizes and hashes that these files have now, and the digest that follows."""
    files = [file for table in manifest["tables"].values() for file in table["files"]]
    for file in [*files, manifest["evidence"]["checks"], manifest["evidence"]["codes"]]:
        if file["path"] in paths:
            content = (copied / file["path"]).read_bytes()
            file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    measured = measure_tables_of(manifest)
    manifest["copy"]["digest"] = snapshot_digest(measured)


def measure_tables_of(manifest: Manifest) -> dict[str, Any]:
    from dure.snapshot.manifest import TableContent

    return {name: TableContent.model_validate_json(json.dumps(each)) for name, each in manifest["tables"].items()}


@dataclass
class Sender:
    """One hospital: its key, and the copy that it sends, written once."""

    site: str
    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.public = self.folder / f"{self.site}.pub"
        self.public.write_bytes(pem(self.key))

    def copy(self, name: str, made: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> Path:
        """The folder of tables and evidence, made when it is first asked for."""
        copied = self.folder / name
        if not copied.exists():
            write_tables(copied, made if made is not None else rows())
            write_evidence(copied)
        return copied

    def manifest(self, copied: Path, sequence: int = 1, withdrawn: Sequence[int] = ()) -> Manifest:
        return manifest_of(self.site, copied, sequence, withdrawn, fingerprint(self.key.public_key()))

    def package(
        self,
        copied: Path,
        sequence: int = 1,
        withdrawn: Sequence[int] = (),
        change: Callable[[Manifest], object] | None = None,
        key: Ed25519PrivateKey | None = None,
    ) -> Package:
        manifest = copy.deepcopy(self.manifest(copied, sequence, withdrawn))
        if change:
            change(manifest)
        return self.signed(json.dumps(manifest, ensure_ascii=False).encode(), copied, sequence, key)

    def signed(self, content: bytes, copied: Path, sequence: int = 1, key: Ed25519PrivateKey | None = None) -> Package:
        files = {path.relative_to(copied).as_posix(): path for path in sorted(copied.rglob("*.parquet"))}
        return Package(f"{self.site}-{sequence:06d}", content, (key or self.key).sign(content), files)


def pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


REGISTRY = """hospitals_version: "1"
policy: {policy}
consortia:
  korea: {{name: 한국 컨소시엄, local_concepts: 2000000000}}
shared_blocks: {{vocabulary: 2100000000}}
hospitals:
  haneul:
    name: 하늘병원
    consortium: korea
    local_concepts: 2001000000
    keys: [{{key: haneul.pub, from: 2025-01-01}}]
  bada:
    name: 바다병원
    consortium: korea
    local_concepts: 2002000000
    keys: [{{key: bada.pub, from: {since}{days}}}]
"""


def write_registry(folder: Path, *, policy: str = "{}", since: str = "2025-01-01", days: str = "") -> Path:
    file = folder / "hospitals.yaml"
    file.write_text(REGISTRY.format(policy=policy, since=since, days=days), "utf-8")
    return file


@contextmanager
def no_engine(_: EngineOptions) -> Iterator[Engine]:
    raise AssertionError("no engine is needed here")
    yield


@dataclass
class Center:
    """A store and its registry in one folder."""

    folder: Path
    store: Path
    identity: Path | None = None

    def receive(self, *packages: Path, **others: Any) -> list[Received]:
        options = ReceiveOptions(packages, self.store, NOW, 7, self.folder / "hospitals.yaml", self.identity)
        return receive_packages(replace(options, **others), SilentProgress(), no_engine)

    def refused(self, package: Path, **others: Any) -> Received:
        """The one result of a package that must be kept out: the deliveries are as before, and a report is there."""
        before = kept(self.store)
        [result] = self.receive(package, **others)
        assert result.outcome == "refused", result
        assert result.exit_code == 1
        assert kept(self.store) == before
        assert result.place is not None and (result.place / "report.txt").is_file()
        return result


def kept(store: Path) -> dict[str, bytes]:
    """Every file of the store by its path, but for the quarantine and the lock; folders too, with no content."""
    return {
        path.relative_to(store).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(store.rglob("*"))
        if path.relative_to(store).parts[0] not in ("quarantine", "lock")
    }


def said(result: Received) -> str:
    return "\n".join(str(problem) for problem in result.problems)
