"""`make bench-quality`: `dure check` over the whole catalogue against one query a check, as ratios.

    python benchmarks/quality.py [--sizes 100,400] [--repeat 3] [--threads 2] [--data DIR]

The other side is what DataQualityDashboard does: each of its checks is a query of its own, run one after the other in
DuckDB (tests/e2e/oracle_dqd.py). It counts DataQualityDashboard's 2,002 current checks and writes nothing; `dure check`
counts these and our own, judges, and writes reports, keys of failing rows and a page. Exit code 1 where a count differs,
or where the limits of time and memory at the largest size are not met.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from process import Usage, measure
from run import ROOT, dure, environment, load_vocabulary, newest_snapshot, require_inputs, run_dure, scaled

sys.path.insert(0, str(ROOT / "tests" / "e2e"))

SECONDS, MEGABYTES = 60, 4096


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the quality gate against one query a check.")
    parser.add_argument("--sizes", default="100,400", help="how many times the 27 patients, default 100,400")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, default 3")
    parser.add_argument("--threads", type=int, default=2, help="threads of each engine, default 2")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to put data and lakes, default bench/")
    parser.add_argument("--queries", nargs=2, type=Path, metavar=("SNAPSHOT", "STORE"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def queries(snapshot: Path, store: Path, threads: int) -> dict[str, tuple[int, int]]:
    """(violated, denominator) by check id, each by its own queries."""
    import oracle_dqd

    connection = oracle_dqd.database(snapshot, store)
    connection.execute(f"set threads = {threads}")
    counted = {}
    for check_id, row in oracle_dqd.instances():
        if row["check"] in ("plausibleTemporalAfter", "plausibleDuringLife", "plausibleGender"):
            continue
        found = oracle_dqd.counts(connection, row, date.today())  # noqa: DTZ011 the limits that move are of this machine's day
        if found is not None:
            counted[check_id] = found
    return counted


def differing(reports: Path, by_query: dict[str, tuple[int, int]]) -> list[str]:
    """Ids of checks whose counts are not those of their queries."""
    results = json.loads((reports / "results.json").read_text("utf-8"))["results"]
    ours = {result["check"]: (result["violated"], result["denominator"]) for result in results}
    return sorted(check_id for check_id, counts in by_query.items() if ours.get(check_id) != counts)


def medians(runs: Sequence[Usage]) -> Usage:
    return replace(
        runs[0],
        wall=statistics.median(run.wall for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        peak_rss=int(statistics.median(run.peak_rss for run in runs)),
    )


def main(argv: Sequence[str] | None = None) -> int:
    given = parsed(argv)
    if given.queries:
        print(json.dumps(queries(*given.queries, given.threads)))
        return 0
    require_inputs()
    failed = False
    print(f"{'patients':>9} {'':>8} {'wall s':>8} {'CPU s':>8} {'peak MB':>8}   ratios: wall, CPU")
    for size in (int(part) for part in given.sizes.split(",")):
        source = scaled(size, given.data)
        lake = given.data / f"quality-{size}"
        store = load_vocabulary(lake, given.data)
        run_dure(source, store, lake, ["--threads", str(given.threads)])
        snapshot = newest_snapshot(lake)
        reports = lake / "reports" / "synthea" / snapshot.name
        check: list[str | Path] = [
            dure(),
            "check",
            "synthea",
            "--lake",
            lake,
            "--quiet",
            "--threads",
            str(given.threads),
        ]
        single: list[str | Path] = [
            sys.executable,
            Path(__file__),
            "--threads",
            str(given.threads),
            "--queries",
            snapshot,
            store,
        ]
        checks, singles = [], []
        for _ in range(given.repeat):
            checks.append(measure(check, cwd=given.data, environment=environment(), accepted=(0, 1)))
            singles.append(measure(single, cwd=given.data, environment=environment()))
        ours, theirs = medians(checks), medians(singles)
        wrong = differing(reports, queries(snapshot, store, given.threads))
        for name, used in (("queries", theirs), ("check", ours)):
            print(
                f"{27 * size:>9,} {name:>8} {used.wall:>8.1f} {used.cpu:>8.1f} {used.peak_rss / 2**20:>8,.0f}", end=""
            )
            print(f"   {ours.wall / theirs.wall:.1f}, {ours.cpu / theirs.cpu:.1f}" if used is ours else "")
        if wrong:
            print(f"{len(wrong)} counts differ, such as {wrong[0]}", file=sys.stderr)
        failed |= bool(wrong) or (size == 400 and (ours.wall > SECONDS or ours.peak_rss > MEGABYTES * 2**20))
        shutil.rmtree(lake)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
