"""`make bench-database`: rows a second of landing a query of PostgreSQL, against that server's own COPY of the same rows.

    python benchmarks/database.py [--rows 2000000] [--other] [--data DIR]

It starts a PostgreSQL server of its own with that server's default settings and fills a table as wide as laboratory
results are. The floor is `COPY … TO STDOUT` by psycopg, thrown away, and the same written to a CSV file; beside it stands
the landing of that CSV file. CPU seconds are the client's; those of the server, which all of them cause, stand apart.
`--other` reads the same rows as a database without a COPY is read: by cursor, through values of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from process import CommandFailed, measure

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from postgres_server import Server, running_server  # noqa: E402 - it lies with the tests that use it

RESULTS = Path(__file__).parent / "results" / "database.json"
_TICK = os.sysconf("SC_CLK_TCK")
_TABLE = """
CREATE TABLE lab AS SELECT n::bigint AS lab_id, 'P' || lpad((n % 100000)::text, 8, '0') AS patient_no,
  'V' || lpad((n % 700000)::text, 10, '0') AS visit_no, 'L' || (n % 400) AS code, '혈청 ' || n % 400 AS name,
  date '2020-01-01' + (n % 2000)::int AS ordered, timestamp '2020-01-01' + n * interval '1 minute' AS drawn,
  round((n * 31 % 10000) / 10.0, 1) AS value, CASE n % 9 WHEN 0 THEN '음성(-)' ELSE (n * 31 % 1000)::text END AS result,
  'mg/dL' AS unit, '3.5-5.1' AS range, 'S' || n % 5 AS specimen, 'D' || n % 300 AS doctor, NULL::text AS remark
  FROM generate_series(1, {rows}) n;
ALTER TABLE lab ADD PRIMARY KEY (lab_id); VACUUM ANALYZE lab;
"""
_COPY = """
import sys, psycopg
url, target = sys.argv[1:]
with psycopg.connect(url) as c, open(target, "wb", 1 << 20) as out:
    with c.cursor().copy("COPY (SELECT * FROM lab) TO STDOUT (FORMAT csv, HEADER)") as copy:
        for block in copy:
            out.write(block)
"""
_LAND = """
import sys, json
from pathlib import Path
from dure.landing import land_source
from dure.landing.database import land_database
from dure.landing.database.session import Session
from dure.site.spec import DatabaseSource, Defaults, FileSource
given, out, folder, cursor = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
if cursor:
    Session.pieces = lambda self, columns, where, order, nulls: self._fetched(columns, self._select() + where)
if "path" in given:
    made = land_source("lab", FileSource(**given), defaults=Defaults(), extract=Path(folder), out=out)
else:
    made = land_database("lab", DatabaseSource(**given), defaults=Defaults(), out=out)
print(made.rows_landed)
"""


@dataclass(frozen=True)
class Figure:
    """What one way to read the rows needed; `cpu` is the client's, `server` that of the database."""

    what: str
    wall: float
    cpu: float
    server: float
    peak_mb: float


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures sources in databases.")
    parser.add_argument("--rows", type=int, default=2_000_000, help="default 2000000")
    parser.add_argument("--other", action="store_true", help="also by cursor, as databases without a COPY are read")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to write, default bench/")
    given = parser.parse_args(argv)
    folder = given.data / "database"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with running_server("log_statement = none\nmax_wal_size = 4GB\n") as server:
            figures = _measured(server, folder, given.rows, other=given.other)
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    floor, of_file = figures[0], figures[2]
    print(f"{given.rows:,} rows of 14 columns")
    print(f"{'':<44}{'wall s':>8}{'CPU s':>8}{'server':>8}{'rows/CPU s':>12}{'/ COPY':>8}{'/ file':>8}{'peak MB':>9}")
    for each in figures:
        print(
            f"{each.what:<44}{each.wall:>8.1f}{each.cpu:>8.1f}{each.server:>8.1f}{given.rows / each.cpu:>12,.0f}"
            f"{each.cpu / floor.cpu:>8.1f}{each.cpu / of_file.cpu:>8.1f}{each.peak_mb:>9,.0f}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": given.rows, "figures": [asdict(f) for f in figures]}, indent=1) + "\n")
    return 0


def _measured(server: Server, folder: Path, rows: int, *, other: bool) -> list[Figure]:
    with server.connect() as connection:
        for statement in _TABLE.format(rows=rows).split(";")[:-1]:
            connection.execute(statement.encode())
    url, file = server.url(), folder / "lab.csv"
    query = {"connection": url, "query": "SELECT * FROM lab"}
    ways: list[tuple[str, list[str]]] = [
        ("COPY, thrown away", [_COPY, url, os.devnull]),
        ("COPY, to a CSV file", [_COPY, url, str(file)]),
        ("landing that file", _landed({"path": "lab.csv", "key": ["lab_id"]}, folder)),
        ("landing the query, rows in no order", _landed(query, folder)),
        ("landing the query, key", _landed(query | {"key": ["lab_id"]}, folder)),
        (
            "landing the query, key and partition_on",
            _landed(query | {"key": ["lab_id"], "partition_on": "lab_id"}, folder),
        ),
    ]
    if other:
        ways.append(("landing by cursor", _landed(query, folder, cursor="x")))
    _figure(server, *ways[0])  # the rows into the caches, and out of the measures what filling the table took
    return [_figure(server, what, arguments) for what, arguments in ways]


def _landed(spec: dict[str, object], folder: Path, cursor: str = "") -> list[str]:
    return [_LAND, json.dumps(spec), str(folder / "out"), str(folder), cursor]


def _figure(server: Server, what: str, arguments: list[str]) -> Figure:
    before = _server_cpu(server)
    used = measure([sys.executable, "-c", *arguments], cwd=ROOT)
    return Figure(what, used.wall, used.cpu, _server_cpu(server) - before, used.peak_rss / 1e6)


def _server_cpu(server: Server) -> float:
    """Seconds of the server and of all its children that have ended."""
    leader = int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    fields = Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


if __name__ == "__main__":
    sys.exit(main())
