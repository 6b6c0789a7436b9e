"""Runs as they are read back: from the ledger, from what waits to be entered, and from snapshots that neither knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from dure.errors import DureError, Problem
from dure.ledger.address import PENDING, Address
from dure.ledger.facts import Outcome, RunFacts
from dure.ledger.pending import read_pending
from dure.ledger.process import is_alive
from dure.ledger.snapshots import known_by_snapshot
from dure.ledger.store import Ledger
from dure.snapshot.lake import Lake


class History:
    """The runs of one lake. Reading changes nothing; what could not be read is in `problems`, and the rest is given."""

    def __init__(self, lake: Path, address: Address | None) -> None:
        self.problems: list[Problem] = []
        self._lake = Lake(lake.resolve())
        self._ledger = Ledger(address) if address is not None and _is_there(address) else None

    def runs(
        self, sites: Sequence[str] = (), since: datetime | None = None, limit: int | None = None
    ) -> list[RunFacts]:
        """Runs, the newest first, without their parts where the ledger has them; `sites` by id or by name."""

        def wanted(run: RunFacts) -> bool:
            return (not sites or bool({run.site, run.name} & set(sites))) and (since is None or run.started >= since)

        found = self._found(lambda ledger, lake: ledger.runs(lake, sites=sites, since=since, limit=limit), wanted)
        return sorted(found, key=_by_time, reverse=True)[:limit]

    def last_runs(self) -> dict[str, RunFacts]:
        """The last `dure run` of each site."""
        found = self._found(lambda ledger, lake: ledger.last_runs(lake), lambda run: run.command == "run")
        return {run.site: run for run in sorted(found, key=_by_time)}

    def named(self, text: str) -> list[RunFacts]:
        """Runs, with all their parts, whose id begins with the text or that made the snapshot of that name."""

        def wanted(run: RunFacts) -> bool:
            return run.id.startswith(text) or run.snapshot == text

        return sorted(self._found(lambda ledger, lake: ledger.named(text, lake), wanted), key=_by_time)

    def _found(
        self, ask: Callable[[Ledger, str], list[RunFacts]], wanted: Callable[[RunFacts], bool]
    ) -> list[RunFacts]:
        """What the ledger answers, and the wanted ones of those that it does not know, or knew otherwise."""
        found: dict[str, RunFacts] = {}
        known: set[tuple[str, str]] = set()
        root = str(self._lake.root)
        if self._ledger is not None:
            try:
                found = {run.id: run for run in ask(self._ledger, root)}
                known = self._ledger.snapshots(root)
            except DureError as error:
                self._trouble(error.problems)
        found |= {run.id: run for run in [*self._pending(), *self._by_snapshot(known)] if wanted(run)}
        return [_died(run) for run in found.values()]

    def _pending(self) -> Sequence[RunFacts]:
        path = self._lake.root / PENDING
        try:
            return read_pending(path).runs
        except OSError as error:
            self._trouble([Problem(str(path), f"cannot be read: {error.strerror}", "")])
            return ()

    def _by_snapshot(self, known: set[tuple[str, str]]) -> list[RunFacts]:
        pending = {(run.site, run.snapshot) for run in self._pending() if run.snapshot}
        return list(known_by_snapshot(self._lake, known | pending))

    def _trouble(self, problems: Sequence[Problem]) -> None:
        told = "what is shown comes from the lake alone; the next run repairs or fills the ledger"
        self.problems += [Problem(f"ledger {problem.where}", problem.found, told) for problem in problems]


def _is_there(address: Address) -> bool:
    """A ledger of a lake that has none yet is nothing to warn of."""
    return not address.of_lake or (address.file is not None and address.file.exists())


def _by_time(run: RunFacts) -> tuple[datetime, str]:
    return run.started, run.id


def _died(run: RunFacts) -> RunFacts:
    """The run, with the outcome that it could not write itself."""
    if run.outcome is None and is_alive(run.host, run.pid, run.process) is False:
        run.outcome = Outcome.DIED
    return run
