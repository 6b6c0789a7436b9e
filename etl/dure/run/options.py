"""What a run is asked to do, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dure.engine import Engine, EngineOptions
from dure.errors import Problem
from dure.site.loaded import Site
from dure.snapshot.lake import SiteLake
from dure.snapshot.pruning import Retention
from dure.vocab import VocabularyStore

if TYPE_CHECKING:
    from dure.quality.command import Checked

Clock = Callable[[], datetime]
StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]


def utc_now() -> datetime:
    """The clock of a run."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Committed:
    """A snapshot that stands, and what made it: enough to go on with it while the engine is up and the lock held."""

    engine: Engine
    lake: SiteLake
    snapshot: Path
    site: Site
    store: VocabularyStore


Prove = Callable[[Committed], "Checked"]


@dataclass(frozen=True)
class RunOptions:
    """What a run is asked to do; `as_of` overrides the spec's extract date.

    `restart` begins anew where a run that was cut off could go on; at `deadline` the run stops between two stages;
    `keep` says which snapshots stay when it is done, all where it is None; `run_id` is what the ledger calls the run. `accept_small` takes an
    extract that is far smaller than the one before.
    """

    site: str
    source: Path
    vocab: Path
    lake: Path
    sites: tuple[Path, ...]
    engine: EngineOptions = field(default_factory=EngineOptions)
    as_of: date | None = None
    until: str | None = None
    full: bool = False
    restart: bool = False
    deadline: datetime | None = None
    check_disk: bool = True
    keep: Retention | None = None
    run_id: str | None = None
    accept_small: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class RunResult:
    """What a run made: the snapshot's folder, the folder of its evidence, rows by CDM table, and a summary to print.

    `gate_open` is None where nobody asked.
    """

    snapshot: Path
    reports: Path
    tables: Mapping[str, int]
    lines: list[str]
    warnings: list[Problem]
    gate_open: bool | None = None
