"""`make bench-center`: time and memory of `dure center report` over many hospitals.

    python benchmarks/center.py [--hospitals 43] [--codes 20000] [--concept-years 30000] [--repeat 3] [--data DIR]

Two generated stores: one whose hospitals share nine tenths of their codes, and one where no code or description is
another hospital's, which takes most memory. Each report is a child process, so imports count; figures are medians, the
peak the largest. A peak above the ceiling fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from center_store import write_random_store
from process import CommandFailed, measure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "center.json"
CEILING = 1_000_000_000
"""Bytes of resident memory."""
SHARES = {"shared": 0.1, "own": 1.0}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures `dure center report`.")
    parser.add_argument("--hospitals", type=int, default=43, help="default 43")
    parser.add_argument("--codes", type=int, default=20_000, help="codes of a hospital, default 20000")
    parser.add_argument("--concept-years", type=int, default=30_000, help="counts of a hospital, default 30000")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, default 3")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to write, default bench/")
    given = parser.parse_args(argv)
    figures = []
    folder = given.data / "center"
    try:
        print(f"{'codes':>8}{'hospitals':>11}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'page MB':>9}")
        for name, own in SHARES.items():
            shutil.rmtree(folder, ignore_errors=True)
            write_random_store(folder / "store", given.hospitals, given.codes, given.concept_years, own=own)
            command = [sys.executable, "-m", "dure.cli", "center", "report", "--quiet", "--today", "2024-05-01"]
            command += ["--store", str(folder / "store"), "--out", str(folder / "report")]
            found = [measure(command, cwd=ROOT) for _ in range(given.repeat)]
            cpu, wall = (statistics.median(getattr(usage, each) for usage in found) for each in ("cpu", "wall"))
            peak = max(usage.peak_rss for usage in found)
            page = (folder / "report" / "report.html").stat().st_size
            print(f"{name:>8}{given.hospitals:>11}{wall:>9.1f}{cpu:>9.1f}{peak / 1e6:>9,.0f}{page / 1e6:>9.1f}")
            figures.append(
                {
                    "codes": name,
                    "hospitals": given.hospitals,
                    "codes_a_hospital": given.codes,
                    "concept_years_a_hospital": given.concept_years,
                    "wall": wall,
                    "cpu": cpu,
                    "peak_mb": peak / 1e6,
                    "page_mb": page / 1e6,
                }
            )
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if max(each["peak_mb"] for each in figures) * 1e6 > CEILING:
        print(f"a peak above {CEILING / 1e6:,.0f} MB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
