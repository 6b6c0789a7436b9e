"""What the ledger costs a run: processor and wall seconds of opening it, of each time it is written, and of a year's.

python benchmarks/ledger_cost.py [FOLDER]    # a folder on the disk that matters, by default a temporary one
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dure.ledger.address import address_of
from dure.ledger.facts import RunFacts
from dure.ledger.recorder import Recorder
from dure.ledger.store import Ledger
from sample_run import sample_run

STAGES, WRITTEN, TABLES, FILES, NIGHTS = 9, 80, 39, 40, 365


def night(lake: Path, number: int) -> RunFacts:
    """A run as large as one of a hospital with 40 files."""
    run = sample_run(1 + number, lake=str(lake))
    run.stages *= STAGES // 2 + 1
    run.written *= WRITTEN // 2
    run.tables *= TABLES
    run.files *= FILES
    run.maps *= FILES
    return run


def measured(what: str, work: Callable[[], object]) -> None:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{what:<44}{processor * 1000:>9.1f} ms processor{wall * 1000:>9.1f} ms wall")


def main(root: Path) -> None:
    lake = root / "lake"
    lake.mkdir()
    address = address_of(None, lake)
    assert address is not None
    recorder = Recorder(address, lake, lambda problem: print(problem, file=sys.stderr))
    run = night(lake, 0)
    measured("a new ledger, and the first write", lambda: recorder.save(run))
    measured(f"a run: {STAGES + 2} writes", lambda: [recorder.save(run) for _ in range(STAGES + 2)])
    ledger = Ledger(address)
    ledger.save(night(lake, number) for number in range(NIGHTS))
    size = (lake / "ledger.sqlite").stat().st_size / (1 << 20)
    print(f"{NIGHTS} nights of a site: {size:.1f} MiB")
    later = Recorder(address, lake, lambda problem: print(problem, file=sys.stderr))
    last = night(lake, NIGHTS)
    measured("then: opened, and the first write", lambda: later.save(last))
    measured(f"then: {STAGES + 2} writes", lambda: [later.save(last) for _ in range(STAGES + 2)])
    measured("then: the last 20 runs read", lambda: ledger.runs(str(lake), limit=20))
    measured("then: one run read whole", lambda: ledger.named(last.id))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        main(Path(folder))
