"""`make bench-delta`: what a night costs when a share of the patients has a new visit, as a ratio to a full run.

    python benchmarks/delta.py [--size 400] [--shares 0.001,0.01,0.1] [--repeat 1] [--check] [--data DIR] [--source DIR]

The extract is Synthea's, repeated `--size` times.  For each share a copy of it is made in which so many patients have one
more visit with all that belongs to it; it is delivered whole, as most hospitals do, and once more as change files.  A lake with a snapshot of the extract
before is the start of each night; the night is run with --full, as a delta of the full extract, and as a delta of the change files.  Every run is a
child process.  Results go to the screen and to benchmarks/results/delta.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from process import CommandFailed, Usage, measure
from run import ROOT, dure, environment, load_vocabulary, machine, require_inputs, scaled

RESULTS = Path(__file__).parent / "results" / "delta.json"
# Files with the rows of a visit, and whether their first column is an id of the row's own.
OF_A_VISIT = {
    "encounters": True,
    "conditions": False,
    "medications": False,
    "immunizations": False,
    "observations": False,
    "procedures": False,
    "careplans": True,
    "imaging_studies": True,
    "devices": False,
    "supplies": False,
    "claims": True,
    "claims_transactions": True,
}


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures delta runs against full runs.")
    parser.add_argument("--size", type=int, default=400, help="how many times the 27 patients, default 400")
    parser.add_argument("--shares", default="0.001,0.01,0.1", help="shares of patients that change")
    parser.add_argument("--repeat", type=int, default=1, help="repetitions, default 1; the figures are medians")
    parser.add_argument("--check", action="store_true", help="with the quality gate, as at night")
    parser.add_argument("--threads", type=int, default=2, help="threads of the engine, default 2")
    parser.add_argument("--data", type=Path, default=ROOT / "bench", help="where to put data and lakes, default bench/")
    parser.add_argument("--source", type=Path, help="an extract made before by benchmarks/run.py")
    return parser.parse_args(argv)


def new_id(old: str) -> str:
    """Another id for a row, the same each time."""
    return str(uuid.UUID(hashlib.md5(f"{old}:new".encode()).hexdigest()))


def chosen_visits(extract: Path, share: float) -> dict[str, str]:
    """Patient -> the visit that is repeated, for a share of the patients."""
    with (extract / "patients.csv").open(encoding="utf-8") as file:
        patients = [line.split(",", 1)[0] for line in file][1:]
    chosen = set(random.Random(7).sample(patients, max(1, round(share * len(patients)))))
    visits: dict[str, str] = {}
    with (extract / "encounters.csv").open(encoding="utf-8") as file:
        for line in file:
            cells = line.split(",", 4)
            if cells[3] in chosen:
                visits[cells[3]] = cells[0]
    return visits


def new_rows(name: str, lines: Iterator[str], visits: set[str]) -> Iterator[str]:
    """The rows of the repeated visits, under new ids."""
    header = next(lines).rstrip("\n").split(",")
    for line in lines:
        cells = line.rstrip("\n").split(",")
        hit = [cell for cell in cells if cell in visits]
        if not hit:
            continue
        made = [new_id(cell) if cell in visits else cell for cell in cells]
        if OF_A_VISIT[name]:
            made[0] = new_id(cells[0])
        if name == "claims_transactions":
            made[header.index("CLAIMID")] = new_id(cells[header.index("CLAIMID")])
        yield ",".join(made) + "\n"


def changed(extract: Path, share: float, out: Path) -> int:
    """A copy of the extract in which a share of the patients has one more visit; how many patients."""
    visits = chosen_visits(extract, share)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for path in sorted(extract.glob("*.csv")):
        if path.stem not in OF_A_VISIT:
            os.link(path, out / path.name)
            continue
        with path.open(encoding="utf-8") as file:
            rows = list(new_rows(path.stem, file, set(visits.values())))
        shutil.copyfile(path, out / path.name)
        with (out / path.name).open("a", encoding="utf-8") as file:
            file.writelines(rows)
    return len(visits)


def site_with_changes(data: Path) -> Path:
    """The folder of sites with Synthea's, in which the rows of visits may come as changes."""
    sites = data / "sites"
    shutil.rmtree(sites, ignore_errors=True)
    shutil.copytree(ROOT / "vocab_mappings/sites/synthea", sites / "synthea")
    spec = sites / "synthea/site.yaml"
    lines = []
    for line in spec.read_text("utf-8").splitlines():
        lines.append(line)
        name = line.strip().removeprefix("path: ").removesuffix(".csv")
        if line.strip().startswith("path: ") and name in OF_A_VISIT:
            marker = "marker: CHANGE, insert: I, update: U, delete: D"
            lines.append(f"    changes: {{path: changes/{name}.csv, {marker}}}")
    spec.write_text("\n".join(lines) + "\n", "utf-8")
    return sites


def as_changes(extract: Path, share: float, out: Path) -> int:
    """The same night as files of inserts alone, beside the full files of what has none; how many patients."""
    visits = chosen_visits(extract, share)
    shutil.rmtree(out, ignore_errors=True)
    (out / "changes").mkdir(parents=True)
    for path in sorted(extract.glob("*.csv")):
        if path.stem not in OF_A_VISIT:
            os.link(path, out / path.name)
            continue
        with path.open(encoding="utf-8") as file:
            header = file.readline()
            file.seek(0)
            rows = list(new_rows(path.stem, file, set(visits.values())))
        if rows:
            with (out / "changes" / path.name).open("w", encoding="utf-8") as file:
                file.writelines([f"CHANGE,{header}", *(f"I,{row}" for row in rows)])
    return len(visits)


def night(source: Path, store: Path, lake: Path, given: argparse.Namespace, *options: str) -> Usage:
    command: list[str | Path] = [dure(), "run", "synthea", "--source", source, "--vocab", store, "--lake", lake,
               "--threads", str(given.threads), "--log-format", "json", *options]  # fmt: skip
    command += ["--sites", str(given.data / "sites")]
    if not given.check:
        command.append("--no-check")
    return measure(command, cwd=lake, environment=environment(), accepted=(0, 1))


def started_from(lake: Path, fresh: Path) -> Path:
    """A lake of its own with the first snapshot, made of links: nothing in a lake is changed in place."""
    shutil.rmtree(fresh, ignore_errors=True)
    subprocess.run(["cp", "-al", str(lake), str(fresh)], check=True)
    # Files that are replaced are renamed over; those that are locked or appended to must not be shared.
    for path in (fresh / "sites").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
    return fresh


def rows_of(lake: Path) -> dict[str, str]:
    """What the newest snapshot was made of: rows by table, and whether it was a delta."""
    said = subprocess.run(
        [dure(), "path", "synthea", "--lake", lake, "--latest"], capture_output=True, text=True, check=True
    )
    manifest = json.loads(Path(said.stdout.strip(), "manifest.json").read_text("utf-8"))
    return {table: content["rows"] for table, content in manifest["tables"].items()} | {"delta": manifest.get("delta")}


def median(usages: Sequence[Usage]) -> dict[str, float]:
    return {
        "wall": round(statistics.median(usage.wall for usage in usages), 2),
        "cpu": round(statistics.median(usage.cpu for usage in usages), 2),
        "peak_mb": round(statistics.median(usage.peak_rss for usage in usages) / 1e6),
    }


def main(argv: Sequence[str] | None = None) -> None:
    given = parsed(argv)
    require_inputs()
    given.data = given.data.resolve()
    given.data.mkdir(parents=True, exist_ok=True)
    extract = given.source.resolve() if given.source else scaled(given.size, given.data)
    first = given.data / "lake-delta"
    store = load_vocabulary(first, given.data)
    site_with_changes(given.data)
    results: dict[str, dict[str, object]] = {}
    try:
        night(extract, store, first, given, "--full")
        for share in map(float, given.shares.split(",")):
            source, changes = given.data / f"delta-{share:g}", given.data / f"changes-{share:g}"
            patients = changed(extract, share, source)
            as_changes(extract, share, changes)
            nights = {"full": (source, "--full"), "delta": (source,), "changes": (changes,)}
            usages: dict[str, list[Usage]] = {name: [] for name in nights}
            rows: dict[str, dict[str, str]] = {}
            for _ in range(given.repeat):
                for name, (arrived, *options) in nights.items():
                    lake = started_from(first, given.data / "lake-delta-night")
                    usages[name].append(night(arrived, lake / store.relative_to(first), lake, given, *options))
                    rows[name] = rows_of(lake)
            for name, found in rows.items():
                if (name == "full") == bool(found.pop("delta")) or found != rows["full"]:
                    sys.exit(f"{share:g}: {name} is not what it should be, or has other rows than a full run: {rows}")
            made = {name: median(found) for name, found in usages.items()}
            results[f"{share:g}"] = {"patients": patients, **made}
            full = made["full"]
            print(f"{share:.1%} of patients ({patients:,}): full {full['wall']:.1f} s, {full['cpu']:.1f} s CPU")
            for name, said in (("delta", "delta, full extract"), ("changes", "delta, change files")):
                one = made[name]
                print(
                    f"    {said}: {one['wall']:.1f} s, {one['cpu']:.1f} s CPU; ratio {one['wall'] / full['wall']:.2f} "
                    f"of wall, {one['cpu'] / full['cpu']:.2f} of CPU",
                    flush=True,
                )
            shutil.rmtree(changes)
            shutil.rmtree(source)
    except CommandFailed as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(given.data / "lake-delta-night", ignore_errors=True)
        shutil.rmtree(first, ignore_errors=True)
    RESULTS.parent.mkdir(exist_ok=True)
    record = {"measured": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "results": results}
    RESULTS.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
