"""All groups that the checks of a table need as one union, so one engine action, and what each check counts in them.

What concepts are is looked up afterwards, by distinct id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import DataFrame

from dure.quality.catalogue import Check
from dure.quality.counting.groups import COUNT, PARTS, parts_of
from dure.quality.counting.outcome import Outcome
from dure.quality.counting.own_groups import OWN_COUNT, OWN_PARTS, own_parts
from dure.quality.counting.snapshot import CheckedSnapshot

_PART, _COUNT = {**PARTS, **OWN_PARTS}, {**COUNT, **OWN_COUNT}


def is_of_groups(check: Check) -> bool:
    """True for the checks that are counted over groups."""
    return check.type.name in _COUNT and check["fk_table"] in ("", "concept")


def groups_of(snapshot: CheckedSnapshot, table: str, checks: Iterable[Check]) -> DataFrame | None:
    """(kind, name, first, second, n): the groups that `checks` of one table need; None where they need none."""
    frame = snapshot.frame(table)
    wanted = {each for check in checks for each in (*parts_of(check), *own_parts(check))}
    parts = [part for kind, name in sorted(wanted) if (part := _PART[kind](snapshot, frame, table, name)) is not None]
    return reduce(DataFrame.unionAll, parts) if parts else None


def count_groups(snapshot: CheckedSnapshot, checks: Sequence[Check], groups: DataFrame | None) -> dict[str, Outcome]:
    """The outcome of each check, by its id: the one engine action of the groups of a table."""
    found: dict[tuple[str, str], list[tuple[int | None, int | None, int]]] = defaultdict(list)
    for row in groups.collect() if groups is not None else ():
        found[row["kind"], row["name"]].append((row["first"], row["second"], row["n"]))
    named = {first for (kind, _), rows in found.items() if kind == "concept" for first, _, _ in rows}
    facts = snapshot.concepts({first for first in named if first is not None})
    return {check.id: _COUNT[check.type.name](snapshot, check, found, facts) for check in checks}
