"""What a run is asked to do, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dure.engine import Engine, EngineOptions
from dure.errors import Problem
from dure.site.loaded import Site
from dure.snapshot.lake import SiteLake
from dure.vocab import VocabularyStore

if TYPE_CHECKING:
    from dure.quality.command import Checked

StartEngine = Callable[[EngineOptions], AbstractContextManager[Engine]]


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
    """What a run is asked to do; `as_of` overrides the spec's extract date."""

    site: str
    source: Path
    vocab: Path
    lake: Path
    sites: tuple[Path, ...]
    engine: EngineOptions = field(default_factory=EngineOptions)
    as_of: date | None = None
    until: str | None = None
    full: bool = False


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
