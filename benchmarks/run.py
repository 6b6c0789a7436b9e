"""`make bench`: the whole run on Sail and on Apache Spark against hand-written DuckDB SQL, as ratios.

    python benchmarks/run.py [--sizes 1,100,400] [--repeat 3] [--no-spark] [--data DIR] [--keep]

Every measured thing is a child process.  The three take turns within each repetition, so that a machine that slows down
slows all of them; the figures are medians.  Results go to the screen and to benchmarks/results/latest.json.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import floor
import pyarrow.parquet as pq
from process import CommandFailed, Usage, measure

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
EXTRACT, ATHENA, SCALE = SHARED / "data/synthea27", SHARED / "data/vocabulary_sample", SHARED / "tools/scale_synthea.py"
RESULTS = Path(__file__).parent / "results" / "latest.json"
# A table event of one of these is the first table of the CDM; events before it are about sources.
CDM_TABLES = frozenset([*floor.TABLES, "dose_era", "cdm_source"])
# The scaling tool repeats patients and what belongs to them, not the places and the people who treat them.
NOT_SCALED = ("location", "care_site", "provider")


@dataclass(frozen=True)
class Figures:
    """Medians of one thing at one size; `rows` of the tables that both write."""

    wall: float
    cpu: float
    peak_mb: float
    first_table: float | None
    runs: int
    rows: dict[str, int]


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures Dure against hand-written DuckDB SQL.")
    parser.add_argument("--sizes", default="1,100,400", help="how many times the 27 patients, default 1,100,400")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, default 3")
    parser.add_argument("--no-spark", action="store_true", help="leave out Apache Spark, which is slow and needs Java")
    parser.add_argument("--spark-largest", type=int, default=None, help="largest size that is also run on Apache Spark")
    parser.add_argument("--threads", type=int, default=2, help="threads of each engine, default 2")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to put data and lakes, default bench/")
    parser.add_argument("--keep", action="store_true", help="keep the lakes that the runs wrote")
    given = parser.parse_args(argv)
    try:
        given.sizes = sorted({int(size) for size in given.sizes.split(",")})
    except ValueError:
        parser.error(f"--sizes {given.sizes}: write whole numbers with commas between, such as 1,100")
    if given.sizes[0] < 1 or given.repeat < 1:
        parser.error("sizes and repetitions start at 1")
    return given


def require_inputs() -> None:
    """Ends with a clear message where the data or the tools are not there."""
    missing = [path for path in (EXTRACT, ATHENA, SCALE) if not path.exists()]
    if missing:
        sys.exit(
            "The benchmark needs the Synthea extract, the vocabulary sample and the scaling tool beside the checkout:\n"
            + "\n".join(f"  not found: {path}" for path in missing)
        )


def scaled(size: int, data: Path) -> Path:
    """The extract of `size` times 27 patients; made once."""
    folder = data / f"synthea-x{size}"
    done = folder / ".complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"making {folder} ...", flush=True)
        subprocess.run(
            [sys.executable, str(SCALE), str(EXTRACT), str(folder), str(size)], check=True, stdout=subprocess.DEVNULL
        )
        done.touch()
    return folder


def dure() -> Path:
    """The command beside the running Python."""
    command = Path(sys.executable).with_name("dure")
    if not command.exists():
        sys.exit(f"no dure command at {command}: make setup")
    return command


def environment() -> dict[str, str]:
    """The surroundings of the measured runs: no settings of the person who measures."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DURE_")}


def load_vocabulary(lake: Path, data: Path) -> Path:
    """The vocabulary store of a new lake, made before anything is measured."""
    shutil.rmtree(lake, ignore_errors=True)
    lake.mkdir(parents=True)
    command: list[str | Path] = [dure(), "vocab", "load", ATHENA, "--lake", lake, "--quiet"]
    said = subprocess.run(command, cwd=data, env=environment(), capture_output=True, text=True, check=False)
    if said.returncode:
        sys.exit(f"dure vocab load ended with {said.returncode}:\n{said.stdout}{said.stderr}")
    return Path(said.stdout.strip())


def run_dure(source: Path, store: Path, lake: Path, engine: Sequence[str]) -> Usage:
    command: list[str | Path] = [dure(), "run", "synthea", "--source", source, "--vocab", store, "--lake", lake, "--full",
               "--no-check", "--log-format", "json", *engine]  # fmt: skip
    until = {"event": frozenset({"table"}), "table": CDM_TABLES}
    return measure(command, cwd=lake, until=until, environment=environment())


def run_floor(source: Path, vocabulary: Path, out: Path, threads: int) -> Usage:
    script = Path(__file__).parent / "floor.py"
    command: list[str | Path] = [sys.executable, script, "run", source, vocabulary, out, "--threads", str(threads)]
    return measure(command, cwd=out.parent)


def rows_of(folder: Path) -> dict[str, int]:
    """Rows of the tables that both write, from the footers of the Parquet files."""
    counted = {}
    for table in floor.TABLES:
        files = [*folder.glob(f"{table}.parquet"), *(folder / table).glob("*.parquet")]
        counted[table] = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    return counted


def rows_of_one(given: argparse.Namespace) -> dict[str, int]:
    """Rows of every table of the unscaled extract, by the floor."""
    out = given.data / "floor"
    run_floor(scaled(1, given.data), given.data / "vocabulary", out, given.threads)
    counted = rows_of(out)
    shutil.rmtree(out, ignore_errors=True)
    return counted


def not_in_proportion(size: int, rows: dict[str, int], of_one: dict[str, int]) -> list[str]:
    """The tables of `size` times the patients that do not have exactly `size` times their rows, with both numbers."""
    wanted = {table: n if table in NOT_SCALED else size * n for table, n in of_one.items()}
    return [f"{table}: {rows[table]:,}, not {n:,}" for table, n in wanted.items() if rows[table] != n]


def require_proportion(size: int, by_name: dict[str, Figures], of_one: dict[str, int]) -> None:
    """Says that every clinical and era table grew with the patients; ends the benchmark where one did not."""
    wrong = {name: not_in_proportion(size, one.rows, of_one) for name, one in by_name.items()}
    if any(wrong.values()):
        lines = [f"  {name}: {line}" for name, found in wrong.items() for line in found]
        sys.exit("\n".join([f"x{size}: rows are not {size} times those of x1:", *lines]))
    filled = [table for table in floor.TABLES if table not in NOT_SCALED and of_one[table]]
    print(
        f"x{size}: {', '.join(by_name)} wrote exactly {size} times the rows of x1 in all {len(filled)} clinical and era "
        f"tables ({', '.join(filled)}), and the same rows of {', '.join(NOT_SCALED)}",
        flush=True,
    )


def newest_snapshot(lake: Path) -> Path:
    """The folder of the snapshot that the last run wrote."""
    said = subprocess.run(
        [dure(), "path", "synthea", "--lake", lake, "--latest"], capture_output=True, text=True, check=True
    )
    return Path(said.stdout.strip())


def medians(usages: Sequence[Usage], rows: dict[str, int]) -> Figures:
    firsts = [usage.first_event for usage in usages if usage.first_event is not None]
    return Figures(
        round(statistics.median(usage.wall for usage in usages), 2),
        round(statistics.median(usage.cpu for usage in usages), 2),
        round(statistics.median(usage.peak_rss for usage in usages) / 1e6),
        round(statistics.median(firsts), 2) if firsts else None,
        len(usages),
        rows,
    )


def bench(size: int, given: argparse.Namespace) -> dict[str, Figures]:
    """The figures of one size, by what was measured."""
    source, vocabulary = scaled(size, given.data), given.data / "vocabulary"
    threads = str(given.threads)
    engines = {"sail": ["--engine", "sail", "--threads", threads]}
    if not given.no_spark and (given.spark_largest is None or size <= given.spark_largest):
        engines["spark"] = ["--engine", "spark", "--master", f"local[{threads}]"]
    out = given.data / "floor"
    usages: dict[str, list[Usage]] = {"floor": [], **{name: [] for name in engines}}
    rows: dict[str, dict[str, int]] = {}
    stores = {name: load_vocabulary(given.data / f"lake-{name}", given.data) for name in engines}
    for turn in range(given.repeat):
        usages["floor"].append(run_floor(source, vocabulary, out, given.threads))
        rows["floor"] = rows_of(out)
        for name, options in engines.items():
            lake = given.data / f"lake-{name}"
            usages[name].append(run_dure(source, stores[name], lake, options))
            rows[name] = rows_of(newest_snapshot(lake))
        said = ", ".join(f"{name} {runs[-1].wall:.1f} s" for name, runs in usages.items())
        print(f"x{size}, repetition {turn + 1}: {said}", flush=True)
    if not given.keep:
        for folder in [out, *(given.data / f"lake-{name}" for name in engines)]:
            shutil.rmtree(folder, ignore_errors=True)
    different = [name for name, counted in rows.items() if counted != rows["floor"]]
    if different:
        counts = "\n".join(f"  {name}: {counted}" for name, counted in rows.items())
        sys.exit(
            f"x{size}: {', '.join(different)} did not write the floor's rows, so nothing can be compared:\n{counts}"
        )
    return {name: medians(runs, rows[name]) for name, runs in usages.items()}


def table(results: dict[int, dict[str, Figures]]) -> str:
    """The figures as a Markdown table, ratios against the floor of the same size."""
    lines = [
        "| patients | what | wall s | CPU s | peak MB | first table s | wall / floor | CPU / floor |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for size, by_name in results.items():
        base = by_name["floor"]
        for name, one in by_name.items():
            first = "" if one.first_table is None else f"{one.first_table:.1f}"
            lines.append(
                f"| {27 * size:,} | {name} | {one.wall:.1f} | {one.cpu:.1f} | {one.peak_mb:,.0f} | {first} "
                f"| {one.wall / base.wall:.1f} | {one.cpu / base.cpu:.1f} |"
            )
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """What the figures depend on."""
    versions = {name: importlib.metadata.version(name) for name in ("dure", "pysail", "pyspark", "duckdb", "pyarrow")}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "memory_gb": round(memory / 1e9), "python": platform.python_version(), **versions}


def main(argv: Sequence[str] | None = None) -> None:
    given = parsed(argv)
    require_inputs()
    given.data = given.data.resolve()
    given.data.mkdir(parents=True, exist_ok=True)
    floor.prepare(ATHENA, given.data / "vocabulary")
    results: dict[int, dict[str, Figures]] = {}
    try:
        of_one = rows_of_one(given)
        for size in given.sizes:
            results[size] = bench(size, given)
            require_proportion(size, results[size], of_one)
    except CommandFailed as error:
        sys.exit(str(error))
    print(f"\n{table(results)}")
    RESULTS.parent.mkdir(exist_ok=True)
    record = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "results": {
            str(size): {name: asdict(one) for name, one in by_name.items()} for size, by_name in results.items()
        },
    }
    RESULTS.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
