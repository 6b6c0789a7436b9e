"""Runs on its own: receives a delivery again and again, each time killed with SIGKILL at another point.

    python killed_receives.py FOLDER

The delivery withdraws a person, so that a purge of the one before is among the points. Prints one JSON object a line for
each death: the point, the number that counts afterwards, whether every delivery that counts is whole with its summary,
and whether the next receive makes the store the very same as one that nobody killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sent_packages import Center, Sender, kept, person_id, rows, write_registry

from dure.center.receive.purge import damaged
from dure.center.store import CenterStore
from dure.publish.package import write_folder

CALLS = ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync")
FSYNCS = frozenset({1, 10, 30})


class Killer:
    """Counts the calls that change or settle a folder and, at the chosen one, ends the process as a power cut would."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.points: list[str] = []

    def watch(self) -> None:
        for name in CALLS:
            setattr(os, name, self.wrapped(name, getattr(os, name)))

    def wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self.step(f"before {name}")
            result = call(*arguments, **keywords)
            if name in ("replace", "rename"):
                self.step(f"after {name}")
            return result

        return counted

    def step(self, point: str) -> None:
        if len(self.points) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.points.append(point)


def in_child(work: Callable[[], None]) -> int:
    """The wait status of a forked process that did the work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def worth_killing_at(points: list[str]) -> list[int]:
    """All renames, the first replacements and every fourth of the others; a few of the many other calls."""
    chosen, seen = [], dict[str, int]()
    for index, point in enumerate(points):
        seen[point] = seen.get(point, 0) + 1
        n = seen[point]
        if point == "before fsync" and n not in FSYNCS:
            continue
        if point in ("before mkdir", "before unlink", "before rmdir") and n % 5 != 1:
            continue
        if point.endswith(" replace") and n > 3 and n % 4:
            continue
        chosen.append(index)
    return chosen


def main(folder: Path) -> None:
    # A killed process loses nothing that it handed to the kernel: waiting for the disk would only make this slow.
    os.fsync = lambda _: None
    bada = Sender("bada", folder / "bada")
    registry = folder / "registry"
    registry.mkdir()
    for site in ("bada", "haneul"):
        (registry / f"{site}.pub").write_bytes(
            (Sender(site, folder / site) if site != "bada" else bada).public.read_bytes()
        )
    write_registry(registry)
    made = rows(range(8))
    first = write_folder(bada.package(bada.copy("copy", made)), folder)
    rest = rows([n for n in range(8) if n != 3])
    second = write_folder(bada.package(bada.copy("rest", rest), 2, [person_id(3)]), folder)

    def receive(store: Path, package: Path, at: int | None = None, listing: Path | None = None) -> None:
        killer = Killer(-1 if at is None else at)
        if at is not None or listing:
            killer.watch()
        [result] = Center(registry, store).receive(package)
        assert result.outcome in ("received", "already here"), result
        if listing:
            listing.write_text(json.dumps(killer.points))

    receive(folder / "first", first)
    leftover = folder / "first/deliveries/bada/000007/person"
    leftover.mkdir(parents=True)  # of a receive that died long ago
    (folder / "first/.incoming").mkdir()
    shutil.copytree(folder / "first", folder / "whole")
    points = folder / "points.json"
    assert in_child(lambda: receive(folder / "whole", second, listing=points)) == 0
    expected = kept(folder / "whole")
    names = json.loads(points.read_text())
    for index in worth_killing_at(names):
        store = folder / "killed"
        shutil.copytree(folder / "first", store)
        status = in_child(lambda store=store, index=index: receive(store, second, at=index))
        read = CenterStore(store)
        current = read.current()["bada"]
        whole = all(not damaged(read.delivery("bada", n)) for n in read.received("bada"))
        summaries = [each.sequence for each in read.history("bada")]
        receive(store, second)
        print(
            json.dumps(
                {
                    "point": names[index],
                    "signal": os.WTERMSIG(status),
                    "current": current,
                    "whole": whole and summaries == list(range(1, current + 1)),
                    "healed": kept(store) == expected,
                }
            )
        )
        shutil.rmtree(store)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
