"""The evidence of a package, held against the manifest: how each check ended, and what the codes became."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc

from dure.center.receive.claimed import Claimed, EvidenceFile
from dure.center.receive.concepts import check_local
from dure.center.receive.parquet import blocks
from dure.center.receive.refused import refuse
from dure.publish.package_manifest import SMALL
from dure.quality.results import Status

Counted = tuple[str, int | None, int | None]
_STATUS = frozenset(status.value for status in Status)


def read_evidence(folder: Path, claimed: Claimed, local: Sequence[range]) -> dict[str, Counted]:
    """(status, violated, denominator) by check, as the hospital counted them on its copy.

    Codes may name local concepts of the blocks `local`, and none that fewer than ten records have is told.
    """
    found = _checks(folder, claimed)
    file = claimed.evidence.codes
    rows = 0
    for block in blocks(folder / file.path, file.path):
        rows += block.num_rows
        for name in ("source_concept_id", "target_concept_id"):
            check_local(block[name], local, f"{file.path} {name}")
        rare = pc.and_(pc.is_valid(block["code"]), pc.less(pc.fill_null(block["records"], 0), SMALL))
        if pc.any(rare).as_py():
            raise refuse("rare_codes", file.path, rows=pc.sum(rare).as_py(), small=SMALL)
    _check_rows(file, rows)
    return found


def _checks(folder: Path, claimed: Claimed) -> dict[str, Counted]:
    file = claimed.evidence.checks
    rows = [row for block in blocks(folder / file.path, file.path) for row in block.to_pylist()]
    found = {row["check"]: (row["status"], row["violated"], row["denominator"]) for row in rows}
    _check_rows(file, len(rows))
    ends = Counter(status for status, _, _ in found.values())
    said = {end: n for end, n in claimed.checks.rerun.items() if n}
    if len(found) != len(rows) or None in found or not set(ends) <= _STATUS or dict(ends) != said:
        raise refuse("checks_contradict", file.path)
    return found


def _check_rows(file: EvidenceFile, rows: int) -> None:
    if rows != file.rows:
        raise refuse("another_count", file.path, found=rows, expected=file.rows)
