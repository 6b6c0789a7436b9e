"""What the stages of one run hand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from dure.engine import Engine, Starting
from dure.errors import Problem
from dure.landing import Landed
from dure.run.options import RunOptions
from dure.run.told import Told
from dure.site.loaded import Site
from dure.snapshot.lake import SiteLake, Staging
from dure.stages import account, derive, mapping, prepare
from dure.stages.early import Early
from dure.tables.rule import Rule, Shared
from dure.vocab import Resolution, VocabularyStore

if TYPE_CHECKING:
    from dure.accounting.reconciliation import Reconciliation
    from dure.progress import Progress
    from dure.run.delta.night import Delta
    from dure.tables.cells import Reading


@dataclass
class RunState:
    """What stages hand on; each stage fills what its name says."""

    options: RunOptions
    site: Site
    as_of: date
    store: VocabularyStore
    starting: Starting
    early: Early
    lake: SiteLake
    staging: Staging
    progress: Progress
    rules: list[Rule]
    reading: Reading
    warnings: list[Problem] = field(default_factory=list)
    landed: dict[str, Landed] = field(default_factory=dict)
    prepared: prepare.Prepared | None = None
    shared: Shared | None = None
    mapped: mapping.Mapped = field(default_factory=list)
    mapped_in: str = ""  # the work folder that holds them
    rows: account.RuleRows | None = None
    tables: dict[str, int] = field(default_factory=dict)
    resolution: Resolution | None = None
    derived: derive.Derived = field(default_factory=derive.Derived)
    reconciliation: Reconciliation | None = None
    delta: Delta | None = None  # where the run maps touched persons only
    told: Told = field(default_factory=Told)

    @property
    def resumable(self) -> bool:
        """Whether another process can go on after the stage that has just ended; a delta is compared anew, which is quick."""
        return self.delta is None

    @property
    def engine(self) -> Engine:
        """The engine; waits until it is up."""
        return self.starting.engine()

    def warn(self, problem: Problem) -> None:
        self.warnings.append(problem)
        self.progress.warn(problem)


@dataclass(frozen=True)
class Stage:
    """One step of a run: what it reads from the folders before it, and the folder that it writes."""

    name: str
    reads: tuple[str, ...]
    writes: str
    fn: Callable[[RunState], None]
