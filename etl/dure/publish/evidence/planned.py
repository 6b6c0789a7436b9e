"""The dry run's lines on evidence."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dure.publish.deidentify.treatment import TableTreatment
from dure.publish.evidence.shown import place_of, shown_roles
from dure.publish.package_manifest import SMALL


def lines_of_evidence(records: pa.Table, plan: Mapping[str, TableTreatment]) -> list[str]:
    """What evidence would leave, from CODE_RECORDS of the run: at most, as the copy that decides is not made."""
    shown = shown_roles(plan)
    rows = records.group_by(["table", "role", "vocabulary", "code", "targets"]).aggregate([("records", "sum")])
    roles = [(row["table"], row["role"]) for row in rows.select(["table", "role"]).to_pylist()]
    spelled = [shown[place].spelled if (place := place_of(*role)) in shown else None for role in roles]
    enough = pc.greater_equal(rows["records_sum"], SMALL).to_pylist()
    named = sum(bool(may) and many for may, many in zip(spelled, enough, strict=True))
    lines = [
        "evidence/checks.parquet: how each check ended on the copy",
        f"evidence/codes.parquet: at most {named:,} of {len(roles):,} codes with what they became and their records, "
        "those that the copy shows; the others summed, without code or description",
    ]
    for said, kind in (("summed only", False), ("no evidence", None)):
        names = sorted({".".join(role) for role, may in zip(roles, spelled, strict=True) if may is kind})
        if names:
            lines.append(f"  {said}: {', '.join(names)}")
    return lines
