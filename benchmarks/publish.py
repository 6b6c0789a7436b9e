"""`make bench-publish`: the rate and memory of `dure publish`, against a plain copy of the same Parquet files.

    python benchmarks/publish.py [--rows 1000000,10000000] [--checks] [--data DIR]

A snapshot of one person, ten conditions, ten visits and a hundred measurements each; a rate is rows a second of
processor time, user and system of all processes. The plain copy reads and writes the same rows with pyarrow and does nothing
else. `--checks` runs the catalogue before, so that the publication runs it again on the copy; without, it runs no check.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from process import CommandFailed, Usage, measure

from dure.cdm.schema import site_tables
from dure.publish.keygen import make_keys
from dure.snapshot.lake import Lake
from dure.snapshot.manifest import EngineUsed, Manifest, VocabularyUsed, measure_tables, snapshot_digest
from dure.stages.tables import arrow_schema
from dure.vocab import VocabularyStore, load_athena

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "publish.json"
SITE, BLOCK = "bench", 1_000_000
POLICY = "policy_version: 1\nseverities: {fatal: warns, convention: warns, characterization: warns}\n" + (
    "floors: {}\nrequired_tables: []\n"
)
PLAIN = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
source, target = map(Path, sys.argv[1:])
for file in sorted(source.glob("*/*.parquet")):
    out = target / file.parent.name / file.name
    out.parent.mkdir(parents=True, exist_ok=True)
    read = pq.ParquetFile(file)
    with pq.ParquetWriter(out, read.schema_arrow, compression="zstd", compression_level=3) as writer:
        for batch in read.iter_batches(1 << 18):
            writer.write_batch(batch)
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures `dure publish`.")
    parser.add_argument("--rows", default="1000000", help="numbers of measurements, default 1000000")
    parser.add_argument("--checks", action="store_true", help="check before, and so again on the copy")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to write, default bench/")
    given = parser.parse_args(argv)
    figures = []
    print(
        f"{'rows':>12}{'plain CPU s':>13}{'publish CPU s':>15}{'wall s':>8}{'rows/CPU s':>12}{'ratio':>7}{'peak MB':>9}"
    )
    for measurements in (int(text) for text in given.rows.split(",")):
        folder = given.data / "publish"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            snapshot, rows = make_lake(folder, measurements)
            if given.checks:
                _dure(folder, "check", "--sites", str(folder / "sites"))
            plain = measure([sys.executable, "-c", PLAIN, snapshot, folder / "plain"], cwd=ROOT)
            keys = ["--key", folder / "keys/pseudonym.key", "--sign-key", folder / "keys/signing.key"]
            ours = _dure(folder, "publish", "--to", str(folder / "out"), *map(str, keys))
        except CommandFailed as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        figure = {
            "rows": rows,
            "plain_cpu": plain.cpu,
            "cpu": ours.cpu,
            "wall": ours.wall,
            "ratio": ours.cpu / plain.cpu,
            "peak_mb": ours.peak_rss / 1e6,
            "checks": given.checks,
        }
        figures.append(figure)
        print(
            f"{rows:>12,}{plain.cpu:>13.1f}{ours.cpu:>15.1f}{ours.wall:>8.1f}{rows / ours.cpu:>12,.0f}"
            f"{figure['ratio']:>7.1f}{figure['peak_mb']:>9,.0f}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


def make_lake(folder: Path, measurements: int) -> tuple[Path, int]:
    """A lake with one snapshot whose gate is open; the snapshot's folder and its rows."""
    store = load_athena(ROOT / "tests/scenarios/vocabulary", folder / "lake" / "vocab")
    make_keys(folder / "keys", "site")
    (folder / "sites" / SITE).mkdir(parents=True)
    (folder / "sites" / SITE / "policy.yaml").write_text(POLICY)
    own = Lake(folder / "lake").site(SITE)
    persons = max(measurements // 100, 1)
    with own.lock():
        staging = own.begin(own.new_id(datetime(2026, 3, 1, tzinfo=UTC)))
        made = {
            "person": (persons, _person),
            "visit_occurrence": (10 * persons, _visit),
            "condition_occurrence": (10 * persons, _condition),
            "measurement": (100 * persons, _measurement),
        }
        for table in site_tables():
            n, columns = made.get(table, (0, None))
            _write(staging.cdm / table / "part-00000.parquet", table, n, columns)
        tables = measure_tables(staging.cdm)
        manifest = _manifest(staging.snapshot, tables, store)
        snapshot = own.commit(staging, manifest)
        own.set_pointer("passed", snapshot.name)
    reports = own.reports(snapshot.name)
    verdict = {"gate": "open", "digest": manifest.digest, "day": "2026-03-01", "score": 1.0, "waived": []}
    (reports / "verdict.json").write_text(json.dumps(verdict))
    (reports / "results.json").write_text(json.dumps({"results": []}))
    return snapshot, sum(content.rows for content in tables.values())


def _manifest(snapshot: str, tables: dict, store: VocabularyStore) -> Manifest:  # type: ignore[type-arg]
    return Manifest(
        site=SITE,
        snapshot=snapshot,
        created=datetime(2026, 3, 1, tzinfo=UTC),
        as_of=date(2026, 3, 1),
        dure_version="0",
        cdm_version="5.4",
        engine=EngineUsed(name="none", version="0"),
        vocabulary=VocabularyUsed(release=store.release, digest=store.digest, folder=str(store.folder)),
        spec_digest="0" * 64,
        map_digests={},
        inputs={},
        tables=tables,
        digest=snapshot_digest(tables),
        reconciliation={},
    )


def _write(path: Path, table: str, rows: int, columns: Callable[[np.ndarray], dict] | None) -> None:  # type: ignore[type-arg]
    schema = arrow_schema(table)
    path.parent.mkdir(parents=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, BLOCK):
            numbers = np.arange(start, min(start + BLOCK, rows))
            given = columns(numbers) if columns else {}
            arrays = [
                pa.array(given[f.name]).cast(f.type) if f.name in given else pa.nulls(len(numbers), f.type)
                for f in schema
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _ids(numbers: np.ndarray, bits: int = 53) -> np.ndarray:  # type: ignore[type-arg]
    """Ids that are spread like hashes."""
    return ((numbers.astype(np.uint64) + 1) * np.uint64(11400714819323198485) >> np.uint64(64 - bits)).astype(np.int64)


def _days(numbers: np.ndarray) -> pa.Array:  # type: ignore[type-arg]
    return pa.array((14_000 + numbers * 7919 % 6000).astype(np.int32)).cast(pa.date32())


def _person(n: np.ndarray) -> dict:  # type: ignore[type-arg]
    return {"person_id": _ids(n), "gender_concept_id": 8507 + 25 * (n % 2), "year_of_birth": 1930 + n % 90} | {
        "race_concept_id": 0 * n, "ethnicity_concept_id": 0 * n, "person_source_value": [f"P{i}" for i in n]
    }  # fmt: skip


def _visit(n: np.ndarray) -> dict:  # type: ignore[type-arg]
    days = _days(n)
    return {
        "visit_occurrence_id": _ids(n + (1 << 30)), "person_id": _ids(n // 10), "visit_concept_id": 9202 + 0 * n,
        "visit_start_date": days, "visit_start_datetime": days, "visit_end_date": days, "visit_end_datetime": days,
        "visit_type_concept_id": 32827 + 0 * n, "visit_source_value": [f"V{i}" for i in n],
    }  # fmt: skip


def _condition(n: np.ndarray) -> dict:  # type: ignore[type-arg]
    days = _days(n)
    return {
        "condition_occurrence_id": _ids(n, 63), "person_id": _ids(n // 10), "condition_concept_id": 316866 + n * n % 997,
        "condition_start_date": days, "condition_start_datetime": days, "condition_type_concept_id": 32827 + 0 * n,
        "visit_occurrence_id": _ids(n + (1 << 30)), "condition_source_value": [f"I{i % 97}" for i in n],
    }  # fmt: skip


def _measurement(n: np.ndarray) -> dict:  # type: ignore[type-arg]
    days = _days(n)
    return {
        "measurement_id": _ids(n, 63), "person_id": _ids(n // 100), "measurement_concept_id": 3000963 + n % 499,
        "measurement_date": days, "measurement_datetime": days, "measurement_type_concept_id": 32856 + 0 * n,
        "value_as_number": (n * 31 % 1000) / 10, "visit_occurrence_id": _ids(n // 10 + (1 << 30)),
        "measurement_source_value": [f"D{i % 499}" for i in n], "unit_source_value": ["mg/dL"] * len(n),
        "value_source_value": [str(i % 1000) for i in n],
    }  # fmt: skip


def _dure(folder: Path, command: str, *options: str) -> Usage:
    lake = ["--lake", str(folder / "lake"), "--quiet"]
    return measure([sys.executable, "-m", "dure.cli", command, SITE, *lake, *options], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
