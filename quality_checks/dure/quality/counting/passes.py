"""The passes over one table: every check of the table in one, at most three engine actions in all.

`structure` reads Parquet's footers; `rows` is one aggregate over the table; `joined` one aggregate over the table beside
its person, death, visit and other rows; `groups` one union of groups. The one table with checks of distributions has
a fourth action for them, in a pass of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.quality.catalogue import Check, is_own
from dure.quality.counting.conditions import Condition, joined_condition, row_condition
from dure.quality.counting.distributions import count_distributions, is_of_distributions
from dure.quality.counting.grouped import count_groups, groups_of, is_of_groups
from dure.quality.counting.joined import joined
from dure.quality.counting.outcome import Inapplicable, Outcome, Uncountable
from dure.quality.counting.own_groups import FIRST
from dure.quality.counting.own_structure import own_structure
from dure.quality.counting.snapshot import CheckedSnapshot

STRUCTURE, ROWS, JOINED, GROUPS, SPREAD = "structure", "rows", "joined", "groups", "distributions"
# Integers by their type are not looked at one by one.
DATATYPES = frozenset({"cdmDatatype", "bigintDatatype"})
OF_THE_SNAPSHOT_BEFORE = frozenset({"movedRecord", "changedId"})
INTEGERS = frozenset({"int8", "int16", "int32", "int64"})


@dataclass(frozen=True)
class TablePasses:
    """The checks of one table of a snapshot; `count(name)` runs one pass and gives the outcome of its checks by id."""

    snapshot: CheckedSnapshot
    table: str
    checks: Sequence[Check]

    @cached_property
    def by_pass(self) -> Mapping[str, Sequence[Check]]:
        """The checks of each pass; those whose table or field is absent are of the structure."""
        sorted_out: dict[str, list[Check]] = {STRUCTURE: [], ROWS: [], JOINED: [], GROUPS: [], SPREAD: []}
        for check in self.checks:
            sorted_out[self._pass(check)].append(check)
        return sorted_out

    def count(self, name: str) -> dict[str, Outcome]:
        """The outcome of each check of a pass, by id. A check that the engine refuses does not stop the others."""
        checks = self.by_pass[name]
        if not checks:
            return {}
        counted: Callable[[Sequence[Check]], Mapping[str, Outcome]] = {
            STRUCTURE: self._structure,
            ROWS: self._rows,
            JOINED: self._joined,
            GROUPS: self._groups,
            SPREAD: self._spread,
        }[name]
        try:
            return dict(counted(checks))
        except PySparkException as error:
            if len(checks) == 1:
                return {checks[0].id: Uncountable(_cause(error))}
        outcomes: dict[str, Outcome] = {}
        for half in (checks[: len(checks) // 2], checks[len(checks) // 2 :]):
            outcomes |= TablePasses(self.snapshot, self.table, half).count(name)
        return outcomes

    @cached_property
    def _fields(self) -> Mapping[str, str]:
        return self.snapshot.fields(self.table)

    def _pass(self, check: Check) -> str:
        fields = self._fields
        named = [check.field, *(check.given.get(name) for name in ("end_field", "standard_field", "beside_field"))]
        if not fields or any(name and name not in fields for name in named):
            return STRUCTURE
        if check.type.name in DATATYPES and fields[str(check.field)] in INTEGERS:
            return STRUCTURE
        if check.type.name in OF_THE_SNAPSHOT_BEFORE and not self.snapshot.was_there(self.table):
            return STRUCTURE
        if is_of_distributions(check):
            return SPREAD
        if is_of_groups(check):
            return GROUPS
        if row_condition(check, self.snapshot.today):
            return ROWS
        return JOINED if joined_condition(check) else STRUCTURE

    def _structure(self, checks: Sequence[Check]) -> Mapping[str, Outcome]:
        fields, rows = self._fields, self.snapshot.rows(self.table)
        outcomes: dict[str, Outcome] = {}
        for check in checks:
            match check.type.name:
                case "cdmTable":
                    outcomes[check.id] = (0 if fields else 1, 1)
                case "cdmField":
                    outcomes[check.id] = (0 if check.field in fields else 1, 1)
                case "cdmDatatype" | "bigintDatatype" if check.field in fields:
                    outcomes[check.id] = (0, rows)
                case _ if (outcome := own_structure(self.snapshot, check)) is not None:
                    outcomes[check.id] = outcome
                case name if name in OF_THE_SNAPSHOT_BEFORE and check.field in fields:
                    outcomes[check.id] = FIRST
                case _:
                    missing = f"the snapshot has no {f'{self.table}.{check.field}' if fields else self.table}"
                    outcomes[check.id] = Inapplicable(missing) if is_own(check) else Uncountable(missing)
        return outcomes

    def _rows(self, checks: Sequence[Check]) -> Mapping[str, Outcome]:
        conditions = {check.id: row_condition(check, self.snapshot.today) for check in checks}
        return _counted(self.snapshot.frame(self.table), {key: c for key, c in conditions.items() if c})

    def _joined(self, checks: Sequence[Check]) -> Mapping[str, Outcome]:
        conditions = {check.id: joined_condition(check) for check in checks}
        frame = joined(self.snapshot, self.table, checks)
        return _counted(frame, {key: c for key, c in conditions.items() if c})

    def _groups(self, checks: Sequence[Check]) -> Mapping[str, Outcome]:
        return count_groups(self.snapshot, checks, groups_of(self.snapshot, self.table, checks))

    def _spread(self, checks: Sequence[Check]) -> Mapping[str, Outcome]:
        return count_distributions(self.snapshot, checks)


def _counted(frame: DataFrame, conditions: Mapping[str, Condition]) -> dict[str, Outcome]:
    """(violated, denominator) by check: each distinct condition is counted once, all in one aggregate."""
    distinct = list(dict.fromkeys(sql for pair in conditions.values() for sql in pair))
    counts = [F.count(F.expr(f"case when {sql} then 1 end")).alias(f"c{i}") for i, sql in enumerate(distinct)]
    row = frame.agg(*counts).collect()[0]
    by_sql = {sql: int(row[f"c{i}"]) for i, sql in enumerate(distinct)}
    return {key: (by_sql[violated], by_sql[denominator]) for key, (violated, denominator) in conditions.items()}


def _cause(error: PySparkException) -> str:
    """The class of the engine's error; its message may show a value of a row, so it is left out."""
    condition = error.getCondition()
    return f"the engine refused the check: {condition or type(error).__name__}"
