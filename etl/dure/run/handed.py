"""What the stages of a run handed on in memory, as plain values from which another process can go on.

Frames are not among them: they are told by the folders that hold their rows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict
from pyspark.sql import Row

from dure.accounting.reconciliation import Reconciliation
from dure.errors import Problem
from dure.landing import Landed
from dure.run.shared import shared_of
from dure.run.state import RunState
from dure.run.told import Told
from dure.stages import account, derive, mapping, prepare, resolve
from dure.stages.source_rows import Counted
from dure.vocab.resolution import MappingProblem


class _Plain(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CountedRows(_Plain):
    """What preparing one source or view counted; `fates` are (outcome, reason, rows)."""

    rows: int
    excluded: dict[str, int]
    fates: tuple[tuple[str, str, int], ...]
    reached: int
    not_folded: dict[str, int]
    selected: dict[str, int]
    not_claimed: int
    goes_on: int

    @classmethod
    def of(cls, counted: Counted) -> Self:
        fates = tuple((outcome, reason, n) for (outcome, reason), n in counted.fates.items())
        return cls(**{**vars(counted), "fates": fates})

    def counted(self) -> Counted:
        fates = {(outcome, reason): n for outcome, reason, n in self.fates}
        return Counted(**{**dict(self), "fates": fates})


class PreparedRows(_Plain):
    """What preparing gave: counts by source or view, and what the resolver found wrong with the maps."""

    counted: dict[str, CountedRows]
    problems: tuple[MappingProblem, ...]


class MappedRows(_Plain):
    """What mapping gave: the folder of the mapped frames, the rules in their order, and the counting rows."""

    folder: str
    rules: tuple[str, ...]
    counts: tuple[tuple[str, tuple[dict[str, int | str | None], ...]], ...]
    given: dict[str, dict[str, int]]


class Handed(_Plain):
    """What the stages so far handed on; a part is None until its stage has ended."""

    warnings: tuple[Problem, ...]
    landed: dict[str, Landed]
    prepared: PreparedRows | None
    mapped: MappedRows | None
    tables: dict[str, int]
    derived: derive.Derived
    told: Told
    reconciliation: Reconciliation | None

    @classmethod
    def of(cls, run: RunState) -> Self:
        return cls(
            warnings=tuple(run.warnings),
            landed=dict(run.landed),
            prepared=_prepared(run),
            mapped=_mapped(run),
            tables=dict(run.tables),
            derived=run.derived,
            told=run.told,
            reconciliation=run.reconciliation,
        )

    def give(self, run: RunState) -> None:
        """Fills the state of a run that goes on from here."""
        for problem in self.warnings:
            run.warn(problem)
        run.landed = dict(self.landed)
        # As landing does: a source of which no file came tonight has the columns of before.
        columns = {name: made.columns for name, made in run.landed.items()}
        run.site = replace(run.site, headers=columns | run.site.headers)
        if self.prepared is not None:
            self._give_prepared(run, self.prepared)
        if self.mapped is not None:
            run.mapped_in = self.mapped.folder
            work = run.staging.work / self.mapped.folder
            run.mapped = mapping.restored_rules(run.engine.session, run.rules, self.mapped.rules, work)
            by_rule: dict[str, list[Row]] = defaultdict(list)
            for rule, rows in self.mapped.counts:
                by_rule[rule] = [Row(**row) for row in rows]
            run.rows = account.RuleRows(by_rule, self.mapped.given)
        run.tables = dict(self.tables)
        run.derived = self.derived
        run.told = self.told
        run.reconciliation = self.reconciliation

    def _give_prepared(self, run: RunState, prepared: PreparedRows) -> None:
        session, work = run.engine.session, run.staging.work
        counted = {name: each.counted() for name, each in prepared.counted.items()}
        folders = {name: run.staging.landing / name for name in run.landed}
        run.prepared = prepare.restored(session, run.site, run.reading, folders, work, counted)
        resolved = resolve.restored(session, run.rules, run.reading, run.store, work, prepared.problems)
        run.resolution = resolved.resolution
        run.shared = shared_of(run, resolved)


def _prepared(run: RunState) -> PreparedRows | None:
    if run.prepared is None or run.resolution is None:
        return None
    found = pa.Table.from_pandas(run.resolution.problems, preserve_index=False).to_pylist()
    problems = tuple(MappingProblem(**row) for row in found)
    counted = {name: CountedRows.of(each) for name, each in run.prepared.counted.items()}
    return PreparedRows(counted=counted, problems=problems)


def _mapped(run: RunState) -> MappedRows | None:
    if run.rows is None:
        return None
    return MappedRows(
        folder=run.mapped_in,
        rules=tuple(rule.folder for rule, _ in run.mapped),
        counts=tuple((rule, tuple(row.asDict() for row in rows)) for rule, rows in run.rows.by_rule.items() if rows),
        given={table: dict(rules) for table, rules in run.rows.given.items()},
    )
