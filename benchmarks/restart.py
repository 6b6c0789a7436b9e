"""What restarting costs: the room that a run needs on the disk, and the time that its checkpoints take.

    python benchmarks/restart.py --vocab STORE [--repeat 3] NAME=EXTRACT [NAME=EXTRACT …]

NAME is a site that comes with Dure (synthea, haneul, bada, gangsan), EXTRACT the folder of its files; `dure demo generate`
makes some, `make bench` leaves large ones in bench/. Prints, for each extract:

- room: bytes in all folders of a run just before its commit, when they are most, for each byte of the extract;
- checkpoints: seconds and CPU seconds of a run with and without them, the two taking turns, medians.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from dure.engine import EngineOptions
from dure.progress import SilentProgress
from dure.run import RunOptions, run_site
from dure.run.checkpoints import Checkpoints
from dure.settings import shipped_sites


def options_of(site: str, extract: Path, vocab: Path, lake: Path, until: str | None) -> RunOptions:
    sites = shipped_sites()
    assert sites is not None
    return RunOptions(
        site, extract, vocab, lake, (sites,), engine=EngineOptions(threads=2), as_of=date(2025, 12, 31), until=until,
        check_disk=False,
    )  # fmt: skip


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def room(site: str, extract: Path, vocab: Path) -> float:
    """Bytes that a run has written before its commit, for each byte of the extract's files that it reads."""
    with tempfile.TemporaryDirectory(prefix="room-") as folder:
        lake = Path(folder)
        run_site(options_of(site, extract, vocab, lake, "account"), SilentProgress())
        staged = {path.parent.parent.name: bytes_of(path) for path in lake.glob("*/*/.staging-*")}
        (checkpoint,) = lake.glob("work/*/.staging-*/checkpoint.json")
        landed = json.loads(checkpoint.read_bytes())["handed"]["landed"]
        read = sum(file["bytes"] for source in landed.values() for file in source["files"])
        shown = ", ".join(f"{area} {size / read:.2f}" for area, size in sorted(staged.items()))
        print(
            f"{site}: {read / 1e6:,.1f} MB of files; {sum(staged.values()) / read:.2f} bytes a byte ({shown})",
            flush=True,
        )
        return sum(staged.values()) / read


def one_run(site: str, extract: Path, vocab: Path, *, saving: bool) -> None:
    """Prints the seconds of one run in this process."""
    if not saving:
        Checkpoints.after = lambda self, stage, run: None  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        started = time.perf_counter()
        run_site(options_of(site, extract, vocab, Path(folder), None), SilentProgress())
        wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([wall, used.ru_utime + used.ru_stime]))


def cost(site: str, extract: Path, vocab: Path, repeat: int) -> None:
    taken: dict[str, list[list[float]]] = {"with": [], "without": []}
    for _ in range(repeat):
        for kind, found in taken.items():
            command = [sys.executable, __file__, "--vocab", str(vocab), "--one", kind, f"{site}={extract}"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found.append(json.loads(said.splitlines()[-1]))
    wall, cpu = ({kind: statistics.median(run[n] for run in runs) for kind, runs in taken.items()} for n in (0, 1))
    print(
        f"{site}: wall {wall['with']:.2f} s with checkpoints, {wall['without']:.2f} s without ({wall['with'] / wall['without']:.3f});"
        f" CPU {cpu['with']:.2f} s, {cpu['without']:.2f} s ({cpu['with'] / cpu['without']:.3f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what restarting costs.")
    parser.add_argument("--vocab", type=Path, required=True, help="a vocabulary store")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, 0 to leave the time out; default 3")
    parser.add_argument("--one", choices=("with", "without"), help=argparse.SUPPRESS)
    parser.add_argument("extracts", nargs="+", metavar="NAME=EXTRACT")
    given = parser.parse_args()
    for pair in given.extracts:
        site, _, extract = pair.partition("=")
        if given.one:
            one_run(site, Path(extract), given.vocab, saving=given.one == "with")
            continue
        room(site, Path(extract), given.vocab)
        if given.repeat:
            cost(site, Path(extract), given.vocab, given.repeat)


if __name__ == "__main__":
    main()
