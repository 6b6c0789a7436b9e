"""43 hospitals send packages: what receiving all of them and the report cost, in time and memory.

One hospital of the demonstration is run and published once. Its package is then signed anew for each of 43 hospitals with
a key of its own, so that what is received is 43 whole packages with the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dure.center.receive.receive import ReceiveOptions, receive_packages
from dure.center.report.command import ReportOptions, make_report
from dure.demo.consortium import Demonstration, shipped_folder
from dure.engine import EngineOptions, engine
from dure.progress import SilentProgress
from dure.publish.keygen import make_keys
from dure.publish.package import SIGNATURE
from dure.publish.package_manifest import as_bytes
from dure.publish.publish import PublishOptions, publish_site
from dure.publish.signing import fingerprint, signing_key
from dure.run import RunOptions, proving, run_site
from dure.snapshot.manifest import MANIFEST, read_manifest

SITE = "bada"
HOSPITALS = 43
TODAY = date(2026, 3, 15)


def published(out: Path, patients: int) -> tuple[Path, Path]:
    """The package of one hospital, a folder, and the vocabulary store that its run used."""
    asked = Demonstration(out, patients, 1, (), None, EngineOptions(threads=2), TODAY)
    progress = SilentProgress()
    asked.prepare(progress)
    made = run_site(
        RunOptions(SITE, asked.extract / SITE, shipped_folder("demo_vocabulary"), asked.lake, asked.site_folders),
        progress,
        prove=proving(TODAY, progress),
    )
    make_keys(out / "keys", "site")
    sent = publish_site(
        PublishOptions(
            site=SITE, to=str(out / "sent"), lake=asked.lake, today=TODAY,
            key=out / "keys/pseudonym.key", sign_key=out / "keys/signing.key",
        ),
        progress,
    )  # fmt: skip
    return Path(sent.place), Path(read_manifest(made.snapshot).vocabulary.folder)


def copies(package: Path, out: Path, hospitals: int) -> list[Path]:
    """The same tables as the package of each hospital, signed by its own key; the registry lies in `out`."""
    manifest = json.loads((package / MANIFEST).read_bytes())
    registry: dict[str, object] = {}
    packages = []
    for number in range(1, hospitals + 1):
        site = f"h{number:02d}"
        make_keys(out / "keys" / site, "site")
        key: Ed25519PrivateKey = signing_key(out / "keys" / site / "signing.key")
        own = manifest | {"site": site, "keys": manifest["keys"] | {"signing": fingerprint(key.public_key())}}
        folder = out / "inbox" / f"{site}-000001"
        for file in sorted(package.rglob("*.parquet")):
            there = folder / file.relative_to(package)
            there.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, there)
        content = as_bytes(own)
        (folder / MANIFEST).write_bytes(content)
        (folder / SIGNATURE).write_bytes(key.sign(content))
        keys = [{"key": f"../keys/{site}/signing.pub", "from": "2026-01-01"}]
        registry[site] = {"name": f"병원 {number}", "consortium": f"c{number % 6}", "keys": keys}
        packages.append(folder)
    store = out / "center"
    store.mkdir()
    written = {
        "hospitals_version": "1",
        "shared_blocks": {"demo_vocabulary": 2100000000},
        "consortia": {f"c{number}": {"name": f"컨소시엄 {number}"} for number in range(6)},
        "hospitals": registry,
    }
    (store / "hospitals.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), "utf-8")
    return packages


def measured(out: Path, vocabulary: Path) -> list[tuple[str, float, float, float]]:
    """(step, wall s, CPU s, peak MB so far) of this process: receiving all, then the report."""
    lines = []
    progress = SilentProgress()
    packages = sorted((out / "inbox").iterdir())

    def timed(name: str, started: float, cpu: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append((name, time.monotonic() - started, time.process_time() - cpu, peak))

    started, cpu = time.monotonic(), time.process_time()
    options = ReceiveOptions(tuple(packages), out / "center", datetime.now(UTC), 1, vocab=(vocabulary,))
    results = receive_packages(options, progress, engine)
    if {each.outcome for each in results} != {"received"}:
        raise SystemExit(f"not all were received: {[(each.outcome, each.problems) for each in results][:3]}")
    timed("receive", started, cpu)
    started, cpu = time.monotonic(), time.process_time()
    made = make_report(ReportOptions(out / "center", None, vocabulary, out / "report", 10, "en", TODAY), progress)
    assert made.hospitals == len(packages)
    timed("report", started, cpu)
    return lines


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--patients", type=int, default=1000, help="persons of the demonstration")
    asked.add_argument("--hospitals", type=int, default=HOSPITALS)
    asked.add_argument("--center", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--vocab", type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.center:
        for name, wall, used, peak in measured(given.center, given.vocab):
            print(f"{name:10}{wall:8.1f} s wall{used:8.1f} s CPU{peak:8.0f} MB peak", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        package, vocabulary = published(out, given.patients)
        packages = copies(package, out, given.hospitals)
        rows = sum(table["rows"] for table in json.loads((package / MANIFEST).read_bytes())["tables"].values())
        print(f"{len(packages)} packages of {rows:,} rows", flush=True)
        # A process of its own, so that the peak is that of the center and not of the run before.
        again = [sys.executable, __file__, "--center", str(out), "--vocab", str(vocabulary)]
        raise SystemExit(subprocess.run(again, check=False).returncode)


if __name__ == "__main__":
    main()
