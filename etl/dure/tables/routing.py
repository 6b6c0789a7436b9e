"""Which table a mapped row goes to: the standard concept's domain decides (`routing.csv` beside this module)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from pyspark.sql import Column
from pyspark.sql import functions as F

from dure.cdm.roles import Role, roles
from dure.tables.expressions import looked_up

# Where a standard concept of any other domain goes.
OTHERWISE = "observation"

# Tables whose rows are events: mapped code by code and routed by domain.
EVENT_TABLES = (
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "device_exposure",
    "measurement",
    "observation",
    "specimen",
)


@cache
def domain_tables() -> dict[str, tuple[str, ...]]:
    """Domain -> the table or tables that take it, the preferred one first."""
    text = files("dure.tables").joinpath("routing.csv").read_text(encoding="utf-8")
    return {row["domain_id"]: tuple(row["tables"].split()) for row in csv.DictReader(text.splitlines())}


def routed_table(own_table: str, target: Column, domain: Column) -> Column:
    """The table of one mapped row: concept 0 stays in the rule's own, compound domains too where they can."""
    taken = {name: own_table if own_table in tables else tables[0] for name, tables in domain_tables().items()}
    by_domain = F.coalesce(looked_up(domain, taken), F.lit(OTHERWISE))
    unmapped = target.isNull() | (target == 0) | domain.isNull()
    return F.when(unmapped, F.lit(own_table)).otherwise(by_domain)


def part_column(role: str, part: str) -> str:
    """The name under which a mapped frame carries one part of a role, whatever table the row ends in."""
    return f"{role}__{part}"


def homeless_roles(from_table: str, to_table: str) -> list[Role]:
    """The roles of one table that have no place in another: what a row loses by moving."""
    there = roles(to_table)
    return [role for name, role in roles(from_table).items() if role.columns and name not in there]
