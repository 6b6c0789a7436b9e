"""The catalogue: one `Check` an instance, read from the tables under suites/; nothing about a check stands in code twice.

Check types, instances, thresholds and limits are those of OHDSI's DataQualityDashboard 2.8 for CDM 5.4, carried over
as data of our own form; its ids and its meaning of numerator and denominator are kept, so that results compare one for
one. Ours have ids that begin with `dure_`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path


class Severity(Enum):
    """What a failure means: `fatal` breaks the CDM, `convention` breaks OMOP's rules, the last describes the source."""

    FATAL = "fatal"
    CONVENTION = "convention"
    CHARACTERIZATION = "characterization"


@dataclass(frozen=True)
class CheckType:
    """One kind of check; `deprecated` ones run only when asked for by name."""

    name: str
    level: str
    severity: Severity
    context: str
    category: str
    subcategory: str
    deprecated: bool
    description: str


@dataclass(frozen=True)
class Check:
    """One check: a type applied to a table, a field, concepts.

    `threshold` is the percentage of violated rows that still passes; 0 allows none. `given` holds what its type needs
    (fk_table, low, sex ...), by the column of its table under suites/.
    """

    id: str
    type: CheckType
    table: str
    field: str | None
    concept_ids: tuple[int, ...]
    threshold: float
    given: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.given[name]


def is_own(check: Check) -> bool:
    """True for a check of ours, as against one of DataQualityDashboard."""
    return check.id.startswith("dure_")


def suites_folder() -> Path:
    """The folder of the shipped tables: beside the package when installed, else the repository's."""
    installed = Path(__file__).parent / "suites"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "suites"


@cache
def dqd_types() -> dict[str, CheckType]:
    """The check types of DataQualityDashboard by name."""
    return read_types("dqd/check_types.csv")


def read_types(name: str) -> dict[str, CheckType]:
    """The check types of a table under suites/, by name."""
    return {
        row["check"]: CheckType(
            name=row["check"],
            level=row["level"],
            severity=Severity(row["severity"]),
            context=row["context"],
            category=row["category"],
            subcategory=row["subcategory"],
            deprecated=row["deprecated"] == "yes",
            description=row["description"],
        )
        for row in rows(name)
    }


@cache
def dqd_checks() -> tuple[Check, ...]:
    """Every instance of DataQualityDashboard's default thresholds, deprecated ones included, by table."""
    return tuple(_check(row) for row in rows("dqd/instances.csv"))


def _check(row: Mapping[str, str]) -> Check:
    kind = dqd_types()[row["check"]]
    concept_ids = tuple(int(part) for part in row["concept_ids"].split())
    # DataQualityDashboard joins the concepts of one check by commas in its id.
    parts = [kind.level, kind.name, row["table"], row["field"], ",".join(map(str, concept_ids))]
    return Check(
        id="_".join(part for part in parts if part).lower(),
        type=kind,
        table=row["table"],
        field=row["field"] or None,
        concept_ids=concept_ids,
        threshold=float(row["threshold"] or 0),
        given=row,
    )


def rows(name: str) -> Iterator[dict[str, str]]:
    """The lines of a table under suites/."""
    with (suites_folder() / name).open(encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle)
