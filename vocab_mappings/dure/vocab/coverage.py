"""Coverage: how many codes and records of a site have a standard concept, by source vocabulary, domain and year.

A run writes `code_records.parquet` as evidence; coverage, work lists, the weights of differences and the comparison of
hospitals are all read from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.errors import ConfigurationError, Problem
from dure.vocab.resolution import REQUEST, Resolution

CODE_RECORDS_FILE = "code_records.parquet"
# `authority` of codes that a short fixed map of the spec answers, or nobody.
SPEC = "spec"
_MAPS = ("site", "consortium")


class Status(StrEnum):
    """What became of a code, best first: `invalid` is a map's target that cannot be used, which counts as unmapped."""

    MAPPED = "mapped"
    WIDER = "wider"
    UNMAPPED = "unmapped"
    INVALID = "invalid"


STATUSES = tuple(status.value for status in Status)

CODE_RECORDS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("source", "table", "role", *REQUEST, "description")),
        pa.field("source_concept_id", pa.int32()),
        pa.field("target_concept_id", pa.int32()),
        *(
            pa.field(name, pa.string())
            for name in ("targets", "domain_id", "status", "equivalence", "authority", "provenance", "common_targets")
        ),
        pa.field("year", pa.int32()),
        pa.field("records", pa.int64()),
    ]
)
GROUPS = ("site", "vocabulary", "domain", "year", "role", "table")


@dataclass(frozen=True, slots=True)
class ResolvedCode:
    """One row of the resolved map as reports show it: the status, and every target of its stretch of days."""

    request: tuple[str | None, ...]
    source_concept_id: int
    target_concept_id: int
    targets: str
    domain_id: str | None
    status: Status
    equivalence: str | None
    authority: str
    provenance: str | None


def resolved_codes(resolution: Resolution) -> list[ResolvedCode]:
    """One entry a row of `resolution.targets`, in its order; `targets` are the ids of all ranks, ascending."""
    errors = {
        (vocabulary, code, f"{file}:{row}")
        for vocabulary, code, severity, file, row in zip(
            *(resolution.problems[name] for name in ("vocabulary", "code", "severity", "file", "row")), strict=True
        )
        if severity == "error"
    }
    table = resolution.to_arrow().to_pylist()
    of_stretch: dict[tuple[object, ...], list[int]] = {}
    for row in table:
        if row["target_concept_id"]:
            of_stretch.setdefault(_stretch(row), []).append(row["target_concept_id"])
    return [
        ResolvedCode(
            request=tuple(row[name] for name in REQUEST),
            source_concept_id=row["source_concept_id"],
            target_concept_id=row["target_concept_id"],
            targets=" ".join(map(str, sorted(of_stretch.get(_stretch(row), ())))),
            domain_id=row["target_domain_id"],
            status=_status(row, errors),
            equivalence=row["equivalence"],
            authority=row["authority"],
            provenance=row["provenance"],
        )
        for row in table
    ]


def _stretch(row: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in (*REQUEST, "valid_start", "valid_end"))


def _status(row: Mapping[str, object], errors: set[tuple[str, str, str]]) -> Status:
    if row["target_concept_id"]:
        return Status.WIDER if row["equivalence"] == Status.WIDER.value else Status.MAPPED
    broken = row["authority"] in _MAPS and (row["vocabulary"], row["code"], row["provenance"]) in errors
    return Status.INVALID if broken else Status.UNMAPPED


def read_code_records(reports: Path, site: str) -> pa.Table:
    """The evidence in the reports folder of a site's snapshot, with `site`; ConfigurationError where it has none."""
    path = reports / CODE_RECORDS_FILE
    if not path.is_file():
        do = f"run the site again (`dure run {site}`): snapshots of older versions have none"
        raise ConfigurationError(Problem(str(path), "no such file", do))
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigurationError(Problem(str(path), "cannot be read as Parquet", "run the site again")) from error
    if table.schema.names != CODE_RECORDS.names:
        raise ConfigurationError(Problem(str(path), "has other columns than this version writes", "run the site again"))
    return table.add_column(0, "site", pa.array([site] * table.num_rows, pa.string()))


def coverage(records: pa.Table, by: Sequence[str]) -> list[dict[str, object]]:
    """One row a group (columns `by`, of GROUPS), sorted: `codes` and `records`, all and by status, and shares mapped.

    A code counts once a group, by the worst that became of it there; a record counts once, under its first target's
    domain. Where nothing is mapped the domain is the one that the table expects.
    """
    ranks = pc.index_in(records["status"], value_set=pa.array(STATUSES, pa.string()))
    table = records.rename_columns([_GROUP_OF.get(name, name) for name in records.schema.names])
    table = table.append_column("rank", ranks)
    keys = [*by, "rank"]
    of_code = [*by, *(name for name in _CODE if name in table.schema.names and name not in by)]
    codes = table.group_by(of_code).aggregate([("rank", "max")]).rename_columns([*of_code, "rank"])
    codes = codes.append_column("one", pa.array([1] * codes.num_rows, pa.int64()))
    found: dict[tuple[object, ...], dict[str, object]] = {}
    for kind, counted in (
        ("codes", codes.group_by(keys).aggregate([("one", "sum")])),
        ("records", table.group_by(keys).aggregate([("records", "sum")])),
    ):
        for *group, rank, n in zip(*(column.to_pylist() for column in counted.columns), strict=True):
            row = found.setdefault(tuple(group), dict.fromkeys(COUNTS, 0))
            row[f"{kind}_{STATUSES[rank]}"] = n
    return [
        dict(zip(by, group, strict=True)) | _totals(found[group])
        for group in sorted(found, key=lambda group: [_sortable(part) for part in group])
    ]


def _totals(row: dict[str, object]) -> dict[str, object]:
    for kind in ("codes", "records"):
        counts = [int(str(row[f"{kind}_{status}"])) for status in STATUSES]
        row[kind] = sum(counts)
        row[f"{kind}_mapped_share"] = round(counts[0] / sum(counts), 4) if sum(counts) else 0.0
    return row


COUNTS = (
    *(name for kind in ("codes", "records") for name in (kind, *(f"{kind}_{status}" for status in STATUSES))),
    "codes_mapped_share",
    "records_mapped_share",
)
_GROUP_OF = {"domain_id": "domain"}
# What tells codes apart.
_CODE = ("site", "role", *REQUEST)


def code_records(columns: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    """CODE_RECORDS from its columns: one row a code and year, however many of them say the same, sorted."""
    table = pa.table({name: columns[name] for name in CODE_RECORDS.names}, schema=CODE_RECORDS)
    keys = [name for name in CODE_RECORDS.names if name != "records"]
    added = table.group_by(keys).aggregate([("records", "sum")]).rename_columns([*keys, "records"]).cast(CODE_RECORDS)
    order = ("source", "table", "role", *REQUEST, "year", "provenance", "targets")
    return added.sort_by([(name, "ascending") for name in order])


def code_records_table(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """CODE_RECORDS from its rows."""
    table = pa.Table.from_pylist(list(rows), CODE_RECORDS)
    return code_records({name: table[name] for name in CODE_RECORDS.names})


def _sortable(value: object) -> tuple[bool, str]:
    return value is not None, f"{value:06d}" if isinstance(value, int) else str(value)
