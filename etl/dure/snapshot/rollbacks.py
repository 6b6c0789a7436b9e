"""The record of a site's rollbacks: who set its pointers back, when, to what, and which snapshots that withdrew."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from dure.errors import Problem
from dure.snapshot.durable import LakeError, lake_access, replace_file
from dure.snapshot.lake import SiteLake

_FILE = "rollbacks.json"


class Rollback(BaseModel):
    """One rollback; `moved` has the pointers with the snapshots that they named before."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    when: AwareDatetime
    who: str
    to: str
    moved: dict[Literal["latest", "passed"], str]
    withdrawn: tuple[str, ...]


_FORMAT = TypeAdapter(tuple[Rollback, ...])


def rollbacks(site: SiteLake) -> tuple[Rollback, ...]:
    """All rollbacks of the site, the oldest first."""
    path = site.folder / _FILE
    with lake_access(path):
        if not path.exists():
            return ()
        content = path.read_bytes()
    try:
        return _FORMAT.validate_json(content)
    except ValidationError:
        do = "restore the file from a backup, or delete it: snapshots once withdrawn then count as any other"
        raise LakeError(Problem(str(path), "is not a record of rollbacks", do)) from None


def withdrawn(site: SiteLake) -> dict[str, Rollback]:
    """Snapshots that a rollback went behind, with that rollback; not those that somebody went to again since."""
    found: dict[str, Rollback] = {}
    for one in rollbacks(site):
        found |= dict.fromkeys(one.withdrawn, one)
        found.pop(one.to, None)
    return found


def record_rollback(site: SiteLake, rollback: Rollback) -> None:
    """Adds one. Under the site's lock, and before a pointer moves: none ever moves without a word."""
    site.require_lock()
    known = rollbacks(site)
    with lake_access(site.folder, "no pointer was moved"):
        replace_file(site.folder / _FILE, _FORMAT.dump_json((*known, rollback), indent=1) + b"\n")
