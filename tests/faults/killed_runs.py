"""Runs on its own: a run is killed with SIGKILL at one point after the other, and the next run goes on from there.

    python killed_runs.py FOLDER VOCABULARY full|delta [POINT …]

The lake has a snapshot; since then the site's file has changed, so that a full run is needed, or the extract has, so that
a delta is enough. Prints one JSON object a line: first the run that nobody killed, then one for each point with what readers see after the
death and what the next run did. All runs are children of this process, so that the libraries are loaded once.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from small_hospital import (
    NAME,
    Content,
    DiesAt,
    Notes,
    Proves,
    die,
    in_child,
    is_whole,
    options_of,
    site_of,
    write_hospital,
)

import dure.run.checkpoints as checkpoints
from dure.progress import SilentProgress
from dure.quality.command import Checked
from dure.run import Committed, RunOptions, run_site
from dure.vocab import load_athena

# Those with a checkpoint in a full run: comparing is quick, and done again.
STAGES = ("land", "prepare", "map", "tables", "derive", "account")
WITHIN = {"land": 2, "prepare": 1, "map": 2, "tables": 2, "derive": 1}


def after(stage: str) -> Callable[[RunOptions], None]:
    """Dies as soon as the checkpoint of the stage is on disk."""

    def run(options: RunOptions) -> None:
        write = checkpoints.write_checkpoint

        def written(staging: Any, checkpoint: Any) -> None:
            write(staging, checkpoint)
            if checkpoint.stage == stage:
                die()

        checkpoints.write_checkpoint = written
        run_site(options, SilentProgress(), prove=Proves())

    return run


def before_checkpoint(stage: str) -> Callable[[RunOptions], None]:
    """Dies when the checkpoint of the stage is written but not yet in its place."""

    def run(options: RunOptions) -> None:
        replace = Path.replace
        seen = 0

        def replaced(path: Path, target: Any) -> Any:
            nonlocal seen
            if path.name == ".checkpoint.json.new":
                seen += 1
                if seen == STAGES.index(stage) + 1:
                    die()
            return replace(path, target)

        Path.replace = replaced  # type: ignore[method-assign]
        run_site(options, SilentProgress(), prove=Proves())

    return run


def within(stage: str) -> Callable[[RunOptions], None]:
    """Dies amid the stage, with files of it half done."""

    def run(options: RunOptions) -> None:
        run_site(options, DiesAt(stage, WITHIN[stage]), prove=Proves())

    return run


def within_commit(options: RunOptions) -> None:
    """Dies between two renames of the commit: landing and reports have their names, the snapshot has not."""
    rename = Path.rename

    def renamed(path: Path, target: Any) -> Any:
        if path.parent.parent.name == "cdm" and path.name.startswith(".staging-"):
            die()
        return rename(path, target)

    Path.rename = renamed  # type: ignore[method-assign]
    run_site(options, SilentProgress(), prove=Proves())


def before_gate(options: RunOptions) -> None:
    """Dies when the snapshot stands and the gate was not asked."""

    def prove(done: Committed) -> Checked:
        die()
        raise AssertionError

    run_site(options, SilentProgress(), prove=prove)


POINTS: dict[str, Callable[[RunOptions], None]] = {
    **{f"after {stage}": after(stage) for stage in STAGES},
    **{f"within {stage}": within(stage) for stage in WITHIN},
    **{f"before the checkpoint of {stage}": before_checkpoint(stage) for stage in ("land", "map")},
    "within commit": within_commit,
    "before the gate": before_gate,
}


def told(work: Callable[[], dict[str, object]], said: Path) -> dict[str, Any]:
    """What a child gives, by way of a file."""
    status = in_child(lambda: said.write_text(json.dumps(work())) and None)
    assert status == 0, f"the child ended with {status}"
    found: dict[str, Any] = json.loads(said.read_text())
    return found


def whole_run(options: RunOptions) -> dict[str, object]:
    notes, prove = Notes(), Proves()
    made = run_site(options, notes, prove=prove)
    own = site_of(options.lake)
    return {
        "snapshot": made.snapshot.name,
        "content": asdict(Content.of(own, made.snapshot.name)),
        "lines": made.lines,
        "warnings": [str(problem) for problem in made.warnings],
        "proved": prove.asked,
        "stages": notes.stages,
        "said": notes.said,
        "manifest": json.loads((made.snapshot / "manifest.json").read_bytes())["inputs"],
        "left": sorted(str(path) for path in options.lake.rglob(".staging-*")),
        "work": sorted(path.name for path in (options.lake / "work" / own.site).iterdir()),
        "waiting": (own.folder / "waiting.json").exists(),
    }


def change(folder: Path, night: str) -> None:
    """What has happened since the snapshot before."""
    if night == "full":
        spec = folder / "sites" / NAME / "site.yaml"
        spec.write_text(spec.read_text("utf-8") + "# 오늘부터\n", "utf-8")
    else:
        found = folder / "extract" / "진단.csv"
        found.write_text(found.read_text("utf-8") + "904,P3,V3,고혈압,20240313\n", "utf-8")


def main(folder: Path, vocabulary: Path, night: str, points: list[str]) -> None:
    # A killed process loses nothing that it handed to the kernel: waiting for the disk would only make this slow.
    os.fsync = lambda handle: None
    write_hospital(folder)
    store = load_athena(vocabulary, folder / "stores").folder
    said, base = folder / "said.json", folder / "base"
    first = told(lambda: whole_run(options_of(folder, store, base)), said)
    change(folder, night)
    shutil.copytree(base, folder / "undisturbed")
    print(json.dumps(told(lambda: whole_run(options_of(folder, store, folder / "undisturbed")), said)), flush=True)
    for point in points or POINTS:
        lake = folder / "killed"
        shutil.copytree(base, lake)
        options = options_of(folder, store, lake)
        status = in_child(lambda options=options, point=point: POINTS[point](options))
        own = site_of(lake)
        seen = own.latest().name
        state = {"point": point, "signal": os.WTERMSIG(status), "moved": seen != first["snapshot"],
                 "readers": own.current().name == first["snapshot"],
                 "whole": is_whole(own, seen) and is_whole(own, first["snapshot"])}  # fmt: skip
        print(json.dumps(state | told(lambda options=options: whole_run(options), said)), flush=True)
        shutil.rmtree(lake)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
