"""Landing night after night: reading an extract, finding it unchanged, and applying changes to it.

    python benchmarks/landing.py [--size 400] [--share 0.01] [--repeat 3] [--data DIR]

The extract is `size` times the 27 patients of the Synthea sample; every source of the example site lands, without an
engine.  Each figure is of a process of its own, `start` being one that lands nothing.  A night of changes inserts, updates and
deletes `share` of the largest source's rows; unchanged means the same bytes, so that every file is hashed.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from process import measure
from run import ROOT, environment, require_inputs, scaled

SOURCE, FILE, CHANGED = "claims_transactions", "claims_transactions.csv", "claims_transactions_changes.csv"
NIGHTS = ("start", "read", "unchanged", "changes")


def land(extract: Path, out: Path, base: Path | None, chosen: frozenset[str]) -> None:
    """Lands the chosen file sources of the example site, or all of them, three at a time as a run does."""
    from dure.landing import Base, land_source
    from dure.site import load_site
    from dure.site.columns import left_behind
    from dure.site.spec import ChangeFiles, FileSource
    from dure.stages.parallel import each

    site = load_site("synthea", [ROOT / "vocab_mappings/sites"])
    files = {name: source for name, source in site.spec.sources.items() if isinstance(source, FileSource)}
    marker = {"path": CHANGED, "marker": "CHANGE", "insert": "I", "update": "U", "delete": "D"}
    files[SOURCE] = files[SOURCE].model_copy(update={"changes": ChangeFiles.model_validate(marker)})
    files = {name: source for name, source in files.items() if name in chosen} if chosen else files

    def one(name: str) -> int:
        made = land_source(
            name,
            files[name],
            defaults=site.defaults,
            extract=extract,
            out=out,
            left_behind=left_behind(site, name),
            base=Base("before", base) if base else None,
        )
        return made.rows_landed

    print(json.dumps({"rows": sum(each(one, files))}))


def write_changes(extract: Path, folder: Path, share: float) -> int:
    """A file of changes to this share of the rows: a tenth deletes, a tenth inserts, the rest updates; how many."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(27)
    written = 0
    with (extract / FILE).open(encoding="utf-8", newline="") as given, (folder / CHANGED).open("w", newline="") as out:
        rows = csv.DictReader(given)
        writer = csv.DictWriter(out, ["CHANGE", *(rows.fieldnames or ())])
        writer.writeheader()
        for row in rows:
            if chance.random() >= share:
                continue
            what = chance.choices("IUD", (1, 8, 1))[0]
            row["ID"] += "-new" if what == "I" else ""
            row["AMOUNT"] += "1"
            writer.writerow({"CHANGE": what, **row})
            written += 1
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=400, help="how many times the 27 patients, default 400")
    parser.add_argument("--share", type=float, default=0.01, help="share of rows that change, default 0.01")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, default 3")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to put data, default bench/")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        extract, out, base, name = given.one
        chosen = {"start": frozenset({"nothing"}), "changes": frozenset({SOURCE})}.get(name, frozenset())
        land(Path(extract), Path(out), Path(base) if base != "-" else None, chosen)
        return
    require_inputs()
    extract = scaled(given.size, given.data)
    lake, night = given.data / "landing", given.data / "landing-changes"
    changed = write_changes(extract, night, given.share)
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NIGHTS}
    for _ in range(given.repeat):
        shutil.rmtree(lake, ignore_errors=True)
        for name in NIGHTS:
            out = lake / name
            base = "-" if name in ("start", "read") else str(lake / "read")
            source = night if name == "changes" else extract
            command = [sys.executable, __file__, "--one", str(source), str(out), base, name]
            used = measure(command, cwd=ROOT, environment=environment())
            figures[name].append((used.wall, used.cpu, used.peak_rss / 1e6))
    size = sum(path.stat().st_size for path in extract.glob("*.csv")) / 1e9
    print(f"{datetime.now(UTC):%Y-%m-%d} extract {size:.2f} GB, {changed:,} changes to {FILE}")
    print(f"{'night':12}{'seconds':>10}{'CPU':>10}{'peak MB':>10}")
    for name, runs in figures.items():
        wall, cpu, peak = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:12}{wall:>10.1f}{cpu:>10.1f}{peak:>10.0f}")
    shutil.rmtree(lake, ignore_errors=True)


if __name__ == "__main__":
    main()
