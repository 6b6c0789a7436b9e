"""Runs on its own: processes that write runs into the ledger of a lake.

    python ledger_writers.py LAKE many      four at one time, each ten runs of a site of its own
    python ledger_writers.py LAKE killed    one that is killed with SIGKILL amid its run
    python ledger_writers.py LAKE nobody    one without the right to write, where the caller is root

Prints one line for each warning.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dure.errors import Problem
from dure.ledger.address import address_of
from dure.ledger.history import History
from dure.ledger.process import here
from dure.ledger.recorder import Recorder
from sample_run import sample_run


def recorder(lake: Path) -> Recorder:
    address = address_of(None, lake)
    assert address is not None
    return Recorder(address, lake, say)


def say(problem: Problem) -> None:
    os.write(1, f"{problem.where}: {problem.found}; {problem.do}\n".encode())  # one write, as processes share the pipe


def ten_runs(lake: Path, worker: int) -> None:
    for number in range(10):
        run = sample_run(1 + 10 * worker + number, lake=str(lake), site=f"병원{worker}")
        one = recorder(lake)
        one.save(run)
        one.save(run, last=True)


def dies(lake: Path) -> None:
    where = here()
    now = {"outcome": None, "exit_code": None, "host": where.host, "pid": where.pid, "process": where.process}
    recorder(lake).save(sample_run(1, lake=str(lake), **now))
    os.kill(os.getpid(), signal.SIGKILL)


def without_rights(lake: Path) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    recorder(lake).save(sample_run(2, lake=str(lake)), last=True)
    for run in History(lake, address_of(None, lake)).runs():
        os.write(1, f"read {run.id}\n".encode())


def forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return child


def main(lake: Path, what: str) -> int:
    workers: list[Callable[[], None]] = {
        "many": [lambda n=n: ten_runs(lake, n) for n in range(4)],
        "killed": [lambda: dies(lake)],
        "nobody": [lambda: without_rights(lake)],
    }[what]
    children = [forked(work) for work in workers]
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    print("exit", main(Path(sys.argv[1]), sys.argv[2]), flush=True)
