"""A lake with snapshots of a few rows, for tests of what happens to a lake."""

from __future__ import annotations

from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.cdm.schema import CDM_VERSION, site_tables
from dure.snapshot.lake import Lake, SiteLake, Staging
from dure.snapshot.manifest import (
    EngineUsed,
    Input,
    InputFile,
    Manifest,
    VocabularyUsed,
    measure_tables,
    snapshot_digest,
)

SITE = "바다병원"
FIRST, SECOND = "20260314T010000Z", "20260315T010000Z"


def parquet_of(*ids: int) -> bytes:
    buffer = BytesIO()
    pq.write_table(pa.table({"id": pa.array(ids, pa.int64())}), buffer)
    return buffer.getvalue()


def fill(staging: Staging, persons: int = 2) -> None:
    """Every table of the CDM with one file: `persons` rows in person, none elsewhere; and some evidence."""
    empty = parquet_of()
    for table in site_tables():
        (staging.cdm / table).mkdir()
        (staging.cdm / table / "part-0.parquet").write_bytes(
            parquet_of(*range(persons)) if table == "person" else empty
        )
    (staging.reports / "reconciliation.csv").write_text("source,outcome,rows\n환자,written,2\n", "utf-8")
    (staging.landing / "patient").mkdir()
    (staging.landing / "patient" / "part-0.parquet").write_bytes(empty)
    (staging.work / "scratch").write_text("x")


def manifest_of(staging: Staging, site: str = SITE) -> Manifest:
    tables = measure_tables(staging.cdm)
    return Manifest(
        site=site,
        snapshot=staging.snapshot,
        created=datetime(2026, 3, 15, 1, tzinfo=UTC),
        as_of=date(2026, 3, 14),
        dure_version="0.1.0",
        cdm_version=CDM_VERSION,
        engine=EngineUsed(name="sail", version="0.7.2"),
        vocabulary=VocabularyUsed(release="v5.0 29-FEB-24", digest="c" * 64, folder="v5.0-29-FEB-24-cccccccccccc"),
        spec_digest="a" * 64,
        map_digests={"maps/검사.csv": "b" * 64},
        inputs={
            "patient": Input(
                columns=("환자번호", "성별"),
                files=(
                    InputFile(
                        path="환자.csv", bytes=10, sha256="d" * 64, modified=datetime(2026, 3, 14, 23, tzinfo=UTC)
                    ),
                ),
                rows_read=3,
                rows_landed=2,
                rejected={"wrong_number_of_fields": 1},
                opted_out=0,
            )
        },
        tables=tables,
        digest=snapshot_digest(tables),
        reconciliation={"patient": {"written": 2, "rejected": 1}},
    )


def build(site: SiteLake, snapshot: str, persons: int = 2) -> Path:
    """Runs one whole snapshot through; the site must be locked."""
    staging = site.begin(snapshot)
    fill(staging, persons)
    return site.commit(staging, manifest_of(staging, site.site))


def lake_with_first(root: Path) -> SiteLake:
    """A lake whose latest snapshot is FIRST."""
    site = Lake(root).site(SITE)
    with site.lock():
        build(site, FIRST)
    return site
