"""A sample of the checks that the hospital ran on its copy, counted again here and compared with what it says."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from dure.center.receive.claimed import Claimed
from dure.center.receive.evidence import Counted
from dure.center.receive.refused import Finding, PackageRefused, refuse
from dure.center.summary.model import Recomputed
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.own_catalogue import catalogue
from dure.quality.results import Result, Status
from dure.quality.validate import validate
from dure.vocab import VocabularyStore

_SHOWN = 20
_DECIDED = (Status.PASSED.value, Status.FAILED.value)


def recompute(
    session: SparkSession,
    folder: Path,
    store: VocabularyStore,
    claimed: Claimed,
    said: Mapping[str, Counted],
    most: int,
    seed: int,
) -> Recomputed:
    """Counts `most` checks again, drawn by `seed`; PackageRefused where one gives other numbers or another end."""
    known = {check.id: check for check in catalogue()}
    countable = sorted(check for check, (_, violated, _) in said.items() if violated is not None and check in known)
    drawn = random.Random(seed).sample(countable, min(most, len(countable)))
    if not drawn:
        return Recomputed(checks=0, differ=0, seed=seed)
    snapshot = CheckedSnapshot(session, folder, store, claimed.gated.day)
    try:
        results = validate(snapshot, [known[check] for check in drawn])
    except PySparkException:
        raise refuse("not_counted", "evidence/checks.parquet") from None
    differ = [_finding(result, said[result.check.id]) for result in results if _differs(result, said[result.check.id])]
    if differ:
        raise PackageRefused(differ[:_SHOWN])
    return Recomputed(checks=len(results), differ=0, seed=seed)


def _differs(result: Result, said: Counted) -> bool:
    """Whether numbers differ, or how they were judged; why a check does not apply depends on others that ran with it."""
    status, violated, denominator = said
    if (result.violated, result.denominator) != (violated, denominator):
        return True
    return status in _DECIDED and result.status.value in _DECIDED and result.status.value != status


def _finding(result: Result, said: Counted) -> Finding:
    values: dict[str, str | int | float] = {
        "status": said[0],
        "violated": said[1] or 0,
        "denominator": said[2] or 0,
        "status_here": result.status.value,
        "violated_here": -1 if result.violated is None else result.violated,
        "denominator_here": -1 if result.denominator is None else result.denominator,
    }
    return Finding("check_differs", f"evidence/checks.parquet {result.check.id}", values)
