"""Our counts are DataQualityDashboard's, check by check, on the snapshot of the Synthea extract.

The other side is `oracle_dqd`: one SQL query a check in DuckDB, after DataQualityDashboard's own, deprecated types too.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from oracle_dqd import counts, database, instances

from dure.engine import EngineOptions, engine
from dure.progress import SilentProgress
from dure.quality.catalogue import dqd_types
from dure.quality.check import Selection, check_snapshot
from dure.quality.command import gate_of
from dure.run import RunOptions, run_site
from dure.snapshot.lake import Lake
from dure.vocab import open_vocabulary

pytestmark = [pytest.mark.together, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
SYNTHEA, SAMPLE = ROOT / "../shared/data/synthea27", ROOT / "../shared/data/vocabulary_sample"
TODAY = date(2026, 3, 15)
# Made by studies: no table of a hospital's snapshot, so DataQualityDashboard's queries fail on them.
ABSENT = ("cohort", "cohort_definition")
Counted = dict[str, tuple[int | None, int | None]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counted, Counted]:
    """What we count and what the oracle counts, by check id; (None, None) where a check could not be counted."""
    if not SYNTHEA.is_dir():
        pytest.skip(f"no Synthea extract at {SYNTHEA}; it lies beside the checkout where the project is developed")
    root = tmp_path_factory.mktemp("lake")
    lake = Lake(root)
    sites = (ROOT / "vocab_mappings/sites",)
    made = run_site(RunOptions(site="synthea", source=SYNTHEA, vocab=SAMPLE, lake=root, sites=sites), SilentProgress())
    store = open_vocabulary(SAMPLE, lake.stores, SilentProgress())
    own, deprecated = lake.called("synthea"), tuple(t.name for t in dqd_types().values() if t.deprecated)
    with own.lock(), engine(EngineOptions(threads=2)) as running:
        arguments = (running.session, own, made.snapshot, store, gate_of(None, TODAY), SilentProgress())
        check_snapshot(*arguments)
        later = check_snapshot(*arguments, Selection(checks=deprecated))
    ours: Counted = {result.check.id: (result.violated, result.denominator) for result in later.results}
    for result in json.loads((made.reports / "results.json").read_bytes())["results"]:
        ours[result["check"]] = (result["violated"], result["denominator"])
    connection = database(made.snapshot, store.folder)
    theirs = {check_id: counts(connection, row, TODAY) or (None, None) for check_id, row in instances()}
    return ours, theirs


def test_no_count_differs(both: tuple[Counted, Counted]) -> None:
    ours, theirs = both
    differing = {
        check_id: (ours.get(check_id), expected)
        for check_id, expected in theirs.items()
        if ours.get(check_id) != expected and not any(f"_{table}" in check_id for table in ABSENT)
    }
    assert differing == {}


def test_every_instance_was_compared(both: tuple[Counted, Counted]) -> None:
    ours, theirs = both
    assert theirs.keys() <= ours.keys()
    assert len(theirs) == 2374
    uncounted = [check_id for check_id, expected in theirs.items() if expected == (None, None)]
    assert all(any(f"_{table}" in check_id for table in ABSENT) for check_id in uncounted), uncounted


def test_the_comparison_would_notice(both: tuple[Counted, Counted]) -> None:
    """Enough checks count something, on both sides of a ratio, for a wrong count to show."""
    _, theirs = both
    assert sum(bool(violated) for violated, _ in theirs.values()) > 150
    assert sum(bool(denominator) for _, denominator in theirs.values()) > 1000
