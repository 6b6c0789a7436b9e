"""`make bench-demo`: rows a second of one core, and memory, of `dure demo generate`.

    python benchmarks/demo_generate.py [--patients 5000,50000] [--repeat 3] [--data DIR]

Each generation is a child process, so imports count. The rate is source rows (the CSV files of the three hospitals, not
the truth) by seconds of processor time, user and system of all threads; figures are medians. A rate below the floor fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from process import CommandFailed, Usage, measure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "demo_generate.json"
FLOOR = 200_000
"""Source rows a second on one core, at the largest number of patients."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures `dure demo generate`.")
    parser.add_argument("--patients", default="5000,50000", help="numbers of patients, default 5000,50000")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, default 3")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to write, default bench/")
    given = parser.parse_args(argv)
    out = given.data / "demo"
    figures = []
    try:
        print(f"{'patients':>10}{'rows':>14}{'MB':>8}{'wall s':>9}{'CPU s':>9}{'rows/CPU s':>12}{'peak MB':>9}")
        for patients in (int(text) for text in given.patients.split(",")):
            found = [_one(patients, out) for _ in range(given.repeat)]
            cpu, wall = (statistics.median(getattr(usage, name) for usage in found) for name in ("cpu", "wall"))
            about = json.loads((out / "demo.json").read_text("utf-8"))
            rows = sum(sum(files.values()) for files in about["files"].values())
            size = sum(path.stat().st_size for path in out.rglob("*.csv")) / 1e6
            peak = max(usage.peak_rss for usage in found) / 1e6
            print(f"{patients:>10,}{rows:>14,}{size:>8,.0f}{wall:>9.1f}{cpu:>9.1f}{rows / cpu:>12,.0f}{peak:>9,.0f}")
            figures.append({"patients": patients, "rows": rows, "wall": wall, "cpu": cpu, "peak_mb": peak})
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(out, ignore_errors=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if figures[-1]["rows"] / figures[-1]["cpu"] < FLOOR:
        print(f"below {FLOOR:,} rows a second", file=sys.stderr)
        return 1
    return 0


def _one(patients: int, out: Path) -> Usage:
    command = [sys.executable, "-m", "dure.cli", "demo", "generate", "--patients", str(patients), "--out", str(out)]
    out.parent.mkdir(parents=True, exist_ok=True)
    return measure([*command, "--quiet"], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
