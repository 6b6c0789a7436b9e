"""The work list of a terminologist: codes without a concept, those with most records first.

A form that Usagi imports: `code`, `name` and `records` are its source code, source name and source frequency; its other
columns may be taken along as additional information. It holds terminology and counts, never a patient's value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dure.vocab.coverage import STATUSES, Status
from dure.vocab.resolution import REQUEST

WORKLIST_FILE = "worklist.csv"
# `rank` comes first because Usagi takes the BOM for a part of the first column's name.
COLUMNS = (
    "rank",
    "code",
    "name",
    "records",
    "cumulative_share",
    "status",
    "vocabulary",
    "code_type",
    "specimen",
    "units",
    "description",
    "first_year",
    "last_year",
    "source",
    "table",
    "role",
)
_MOST_UNITS = 5
_OPEN = (Status.UNMAPPED.value, Status.INVALID.value)
_KEY = ["source", "table", "role", *REQUEST]
Units = Mapping[tuple[str | None, ...], Mapping[str, int]]


def worklist(records: pa.Table, units: Units) -> list[list[object]]:
    """One row a (source, table, role, code) without a concept, in COLUMNS; `name` is the description or else the code.

    `records` are rows of CODE_RECORDS; `units` are the records by unit text of the source, by (source, table, role and
    the five parts of the request). The share is cumulative over the whole list.
    """
    statuses = pa.array(STATUSES, pa.string())
    records = records.append_column("worst", pc.index_in(records["status"], value_set=statuses))
    open_still = records.filter(pc.is_in(records["status"], value_set=pa.array(_OPEN, pa.string())))
    grouped = open_still.group_by(_KEY).aggregate(
        [("records", "sum"), ("description", "max"), ("year", "min"), ("year", "max"), ("worst", "max")]
    )
    names = [*_KEY, "records", "description", "first_year", "last_year", "worst"]
    rows = grouped.rename_columns(names).to_pylist()
    rows.sort(key=lambda row: (-row["records"], *(row[name] or "" for name in _KEY)))
    total, so_far = sum(row["records"] for row in rows), 0
    out: list[list[object]] = []
    for rank, row in enumerate(rows, 1):
        so_far += row["records"]
        seen = units.get(tuple(row[name] for name in _KEY), {})
        told = row | {
            "rank": rank,
            "name": row["description"] or row["code"],
            "cumulative_share": f"{so_far / total:.4f}",
            "status": STATUSES[row["worst"]],
            "units": row["unit"] or _most_used(seen),
        }
        out.append([told[name] for name in COLUMNS])
    return out


def _most_used(units: Mapping[str, int]) -> str | None:
    ordered: Sequence[str] = sorted(units, key=lambda unit: (-units[unit], unit))
    more = [f"and {len(ordered) - _MOST_UNITS} more"] if len(ordered) > _MOST_UNITS else []
    return "; ".join([*ordered[:_MOST_UNITS], *more]) or None
