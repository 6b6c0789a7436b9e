"""`dure rollback`: sets what readers get, and what the next run goes on from, back to an earlier whole snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from dure.errors import ConfigurationError, Problem
from dure.quality.evidence.record import read_verdict
from dure.run.waiting import gate_decided
from dure.snapshot.lake import POINTERS, SiteLake
from dure.snapshot.manifest import changed_files, read_manifest
from dure.snapshot.names import check_snapshot_id
from dure.snapshot.rollbacks import Rollback, record_rollback, withdrawn

Movable = Literal["latest", "passed"]
Gate = Literal["open", "closed", "not checked"]


@dataclass(frozen=True)
class Standing:
    """One snapshot in the list: its gate (that of its present content), the pointers that name it, its rollback."""

    snapshot: str
    gate: Gate
    pointers: tuple[str, ...]
    withdrawn: Rollback | None


def standing(own: SiteLake) -> Iterator[Standing]:
    """Every snapshot of the site, the oldest first."""
    gone = withdrawn(own)
    pointed = {name: folder.name for name in POINTERS if (folder := own.pointer(name)) is not None}
    for snapshot in own.snapshots():
        names = tuple(name for name in POINTERS if pointed.get(name) == snapshot)
        yield Standing(snapshot, gate_of(own, snapshot), names, gone.get(snapshot))


def gate_of(own: SiteLake, snapshot: str) -> Gate:
    """What the gate decided of the snapshot as it is now; a verdict on other content does not count."""
    verdict = read_verdict(own.reports(snapshot))
    if verdict is None or verdict["digest"] != read_manifest(own.snapshot(snapshot)).digest:
        return "not checked"
    return "open" if verdict["gate"] == "open" else "closed"


def roll_back(
    own: SiteLake, to: str | None, only: Movable | None, who: str, now: datetime
) -> tuple[Rollback, list[Problem]]:
    """Moves `latest` and `passed` to a snapshot, after its files were held against its manifest; under the site's lock.

    Without `to` it is the newest one before what readers get now that could take its place. `passed` moves where there
    is such a pointer, and only to a snapshot whose gate opened; `only` leaves the other pointer alone. What is returned
    besides are things to look at.

    Raises ConfigurationError, and moves nothing, where there is no such snapshot, it is not whole, or its gate did not
    open.
    """
    own.require_lock()
    target = check_snapshot_id(to) if to is not None else _before(own)
    if target not in own.snapshots():
        raise ConfigurationError(
            Problem("--to", f"no snapshot {target} of {own.site}", f"there are {', '.join(own.snapshots()) or 'none'}")
        )
    moved = _to_move(own, target, only)
    _refuse_changed(own.snapshot(target))
    newest = max(moved.values(), default=target)
    still = {folder.name for name in ("latest", "passed") if name not in moved and (folder := own.pointer(name))}
    newer = tuple(name for name in own.snapshots() if target < name <= newest and name not in still)
    rollback = Rollback(when=now, who=who, to=target, moved=moved, withdrawn=newer)
    if moved:
        record_rollback(own, rollback)
        # What waited for its gate is not to pass it by itself any more.
        gate_decided(own)
        for name in moved:
            own.set_pointer(name, target)
    return rollback, list(_to_look_at(own, target))


def _before(own: SiteLake) -> str:
    current, gone = own.current().name, withdrawn(own)
    passed = own.pointer("passed") is not None
    for snapshot in reversed(own.snapshots()):
        if snapshot < current and snapshot not in gone and (not passed or gate_of(own, snapshot) == "open"):
            return snapshot
    kind = "whose gate opened " if passed else ""
    raise ConfigurationError(
        Problem(
            f"site {own.site}", f"no snapshot {kind}before {current}", "see `dure rollback --list`; name one by --to"
        )
    )


def _to_move(own: SiteLake, target: str, only: Movable | None) -> dict[Movable, str]:
    """The pointers that do not name the target yet, with what they name."""
    latest, passed = own.latest().name, own.pointer("passed")
    moved: dict[Movable, str] = {}
    if only != "passed" and latest != target:
        moved["latest"] = latest
    if only == "latest" or (passed is None and only is None):
        return moved
    gate = gate_of(own, target)
    if gate == "open":
        if passed is None or passed.name != target:
            moved["passed"] = passed.name if passed else ""
    elif only == "passed" or (passed is not None and passed.name > target):
        do = "choose one whose gate opened (`dure rollback --list`), or move the newest alone with --only latest"
        raise ConfigurationError(
            Problem(f"snapshot {target}", f"its gate is {gate}, so readers cannot be given it", do)
        )
    return moved


def _refuse_changed(folder: Path) -> None:
    changed = changed_files(folder, read_manifest(folder))
    if changed:
        shown = ", ".join(changed[:3]) + (", …" if len(changed) > 3 else "")
        found = f"{len(changed)} files are not those of its manifest: {shown}"
        raise ConfigurationError(Problem(str(folder), found, "choose another snapshot; no pointer was moved"))


def _to_look_at(own: SiteLake, target: str) -> Iterator[Problem]:
    published = own.pointer("published")
    if published is not None and published.name > target:
        yield Problem(
            f"site {own.site}",
            f"{published.name} has been published already, which is newer than {target}",
            "tell those who received it, or publish again",
        )
