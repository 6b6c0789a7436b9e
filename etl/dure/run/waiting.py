"""A snapshot that stands and waits for its gate: written down before the commit, so that a crash after it is known.

The run that follows on the same inputs then asks the gate alone, and does not build the same snapshot again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from dure.errors import Problem
from dure.run.fingerprint import MOVING, different
from dure.snapshot.durable import lake_access, replace_file, sync
from dure.snapshot.lake import SiteLake

_FILE = "waiting.json"


class Waiting(BaseModel):
    """One snapshot whose gate has not decided, what it was made from, and what its run would have printed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    waiting_version: Literal[1] = 1
    snapshot: str
    started: AwareDatetime
    inputs: dict[str, str]
    tables: dict[str, int]
    lines: tuple[str, ...]
    warnings: tuple[Problem, ...]


def wait_for_gate(own: SiteLake, waiting: Waiting) -> None:
    with lake_access(own.folder):
        replace_file(_path(own), waiting.model_dump_json().encode() + b"\n")


def waiting_snapshot(own: SiteLake, inputs: Mapping[str, str], not_before: datetime | None = None) -> Waiting | None:
    """The latest snapshot if its gate has not decided and a run of these inputs would make it once more.

    None, too, where it began before `not_before`.
    """
    path, latest = _path(own), own.pointer("latest")
    with lake_access(path):
        if latest is None or not path.is_file():
            return None
        content = path.read_bytes()
    try:
        waiting = Waiting.model_validate_json(content)
    except ValidationError:
        return None
    differ = set(different(waiting.inputs, inputs)) - MOVING
    if not_before is not None and waiting.started < not_before:
        return None
    return waiting if waiting.snapshot == latest.name and not differ else None


def gate_decided(own: SiteLake) -> None:
    """Nothing waits for a gate any more."""
    with lake_access(own.folder):
        if _path(own).exists():
            _path(own).unlink()
            sync(own.folder)


def _path(own: SiteLake) -> Path:
    return own.folder / _FILE
