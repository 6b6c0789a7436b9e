"""Runs on its own: commits a snapshot again and again, each time killed with SIGKILL at another point.

    python killed_commits.py LAKE

Prints one JSON object a line for each death: the point, the pointer afterwards, what `dure path` would say, and whether
the next run, which then commits, found a clean lake. The last line is the commit that nobody killed.
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

from filled_lake import FIRST, SECOND, SITE, build, fill, lake_with_first, manifest_of

from dure.snapshot.lake import Lake
from dure.snapshot.manifest import changed_files, read_manifest

DEAD, THIRD = "20260314T120000Z", "20260316T010000Z"
CALLS = ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync")
# Fsyncs are many and alike: these are the first ones (the note of the run's id, the manifest, the first data file),
# some amid the data, and all from the renames on.
DATA_FSYNCS = frozenset({1, 2, 3, 4, 20, 40})


class Killer:
    """Counts the calls that change or settle a folder and, at the chosen one, ends the process as a power cut would."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.points: list[str] = []

    def watch(self) -> None:
        for name in CALLS:
            setattr(os, name, self.wrapped(name, getattr(os, name)))

    def wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self.step(f"before {name}")
            result = call(*arguments, **keywords)
            if name != "fsync":
                self.step(f"after {name}")
            return result

        return counted

    def step(self, point: str) -> None:
        self.points.append(point)
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def second_run(root: Path, killer: Killer) -> None:
    site = Lake(root).site(SITE)
    with site.lock():
        killer.watch()
        staging = site.begin(SECOND)
        fill(staging, persons=3)
        site.commit(staging, manifest_of(staging))


def leave_a_dead_run(root: Path) -> None:
    """What a run leaves that died between two renames of its commit: the killed run removes it first."""
    site = Lake(root).site(SITE)
    with site.lock():
        staging = site.begin(DEAD)
        (staging.cdm / "person").mkdir()
        (staging.cdm / "person" / "part-0.parquet").write_bytes(b"torn")
        staging.reports.rename(site.reports(DEAD))


def points_worth_killing_at(points: list[str]) -> list[int]:
    last_data = max(index for index, point in enumerate(points) if point == "before rename")
    chosen, fsyncs = [], 0
    for index, point in enumerate(points):
        if point == "before fsync":
            fsyncs += 1
            if fsyncs not in DATA_FSYNCS and index < last_data - 6:
                continue
        if point.endswith("mkdir") and index > 60 and index % 16:
            continue
        chosen.append(index)
    return chosen


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


def is_whole(folder: Path) -> bool:
    return changed_files(folder, read_manifest(folder)) == ()


def state_after(root: Path) -> dict[str, object]:
    """What readers see, and then what the next run makes of it."""
    site = Lake(root).site(SITE)
    seen = site.latest()
    whole = is_whole(seen)
    with site.lock():
        next_run = build(site, THIRD)
    areas = {
        area: sorted(path.name for path in (root / area / SITE).iterdir())
        for area in ("cdm", "reports", "landing", "work")
    }
    return {
        "latest": seen.name,
        "whole": whole,
        "next": next_run.name,
        "kept": areas["cdm"],
        "evidence": areas["reports"],
        "landing": areas["landing"],
        "work": areas["work"],
        "site": sorted(path.name for path in (root / "sites" / SITE).iterdir()),
        "first_is_whole": is_whole(site.snapshot(FIRST)),
    }


def main(root: Path) -> None:
    # A killed process loses nothing that it handed to the kernel: waiting for the disk would only make this slow.
    os.fsync = lambda handle: None
    lake_with_first(root / "first")
    leave_a_dead_run(root / "first")
    shutil.copytree(root / "first", root / "dry")
    counting = Killer(-1)
    listing = root / "points.json"

    def dry_run() -> None:
        second_run(root / "dry", counting)
        listing.write_text(json.dumps(counting.points))

    assert in_child(dry_run) == 0
    points = json.loads(listing.read_text())
    for index in points_worth_killing_at(points):
        lake = root / "killed"
        shutil.copytree(root / "first", lake)
        status = in_child(lambda lake=lake, index=index: second_run(lake, Killer(index)))
        print(json.dumps({"point": points[index], "index": index, "signal": os.WTERMSIG(status), **state_after(lake)}))
        shutil.rmtree(lake)
    print(json.dumps({"point": "none", "index": len(points), "signal": 0, **state_after(root / "dry")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
