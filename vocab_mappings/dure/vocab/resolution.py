"""What resolving gives: the table that a run joins once, and what is to be reported about the maps behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

REQUEST = ("vocabulary", "code", "code_type", "specimen", "unit")

TARGETS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in REQUEST),
        pa.field("valid_start", pa.date32()),
        pa.field("valid_end", pa.date32()),
        pa.field("rank", pa.int32()),
        pa.field("source_concept_id", pa.int32()),
        pa.field("target_concept_id", pa.int32()),
        pa.field("target_domain_id", pa.string()),
        pa.field("value_concept_id", pa.int32()),
        pa.field("equivalence", pa.string()),
        pa.field("authority", pa.string()),
        pa.field("provenance", pa.string()),
    ]
)


class Target(NamedTuple):
    """The columns of one resolved row after the request's own five; see `Resolution.targets`."""

    valid_start: date | None
    valid_end: date | None
    rank: int
    source_concept_id: int
    target_concept_id: int
    target_domain_id: str | None
    value_concept_id: int | None
    equivalence: str | None
    authority: str
    provenance: str | None


class MappingProblem(NamedTuple):
    """One thing to report about a code's mapping; `file` and `row` are None where the vocabulary itself is meant."""

    vocabulary: str
    code: str
    rule: str
    severity: str
    detail: str
    file: str | None
    row: int | None


@dataclass(frozen=True)
class Resolution:
    """The concepts of every request.

    `targets`: one row a (request, validity interval, rank). The intervals of a request do not overlap and cover all
    dates; `valid_start`, `valid_end` are inclusive, None for unbounded. An interval without a concept is one row with
    target 0, `target_domain_id`, `value_concept_id` and `equivalence` None. `authority` is site, consortium, vocabulary
    or none; it is the map's where the map itself says 0 or is in error.
    `problems`: one row a finding, with `severity` error (not applied, concept 0) or warning.
    """

    targets: pd.DataFrame
    problems: pd.DataFrame

    def to_arrow(self) -> pa.Table:
        """`targets` with the types of the schema TARGETS."""
        return pa.Table.from_pandas(self.targets, schema=TARGETS, preserve_index=False)


def targets_frame(rows: Iterable[tuple[tuple[str | None, ...], Target]]) -> pd.DataFrame:
    """`Resolution.targets` from (request, target) pairs, in their order."""
    frame = pd.DataFrame([request + target for request, target in rows], columns=TARGETS.names, dtype=object)
    integers = ("rank", "source_concept_id", "target_concept_id")
    return frame.astype({**dict.fromkeys(integers, "int64"), "value_concept_id": "Int64"})


def problems_frame(problems: Iterable[MappingProblem]) -> pd.DataFrame:
    """`Resolution.problems`, sorted and without repeats."""
    distinct = sorted(
        set(problems), key=lambda each: tuple("" if part is None else str(part).zfill(9) for part in each)
    )
    return pd.DataFrame(distinct, columns=MappingProblem._fields, dtype=object).astype({"row": "Int64"})
