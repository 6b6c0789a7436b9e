"""One row a check of the catalogue that was run on the copy: how it ended, and of how many rows."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from dure.publish.rerun import Counts

CHECKS = pa.schema(
    [
        pa.field("check", pa.string()),
        pa.field("status", pa.string()),
        pa.field("violated", pa.int64()),
        pa.field("denominator", pa.int64()),
    ]
)


def check_evidence(counts: Mapping[str, Counts]) -> pa.Table:
    """As CHECKS, by the id of the check. Numbers are not held back: whoever has the copy can count them again."""
    rows = [(check, *counts[check]) for check in sorted(counts)]
    columns = list(zip(*rows, strict=True)) or [()] * len(CHECKS)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, CHECKS, strict=True)], CHECKS)
