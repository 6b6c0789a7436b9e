"""The facts of one run, every part filled, for tests of what keeps and shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dure.ledger.facts import (
    FileFacts,
    MapFacts,
    Outcome,
    ProblemFacts,
    RunFacts,
    SourceFacts,
    StageFacts,
    TableFacts,
    WrittenFacts,
)

SITE = "바다병원"
STARTED = datetime(2026, 3, 15, 2, 30, tzinfo=UTC)


def sample_run(number: int = 1, **changed: Any) -> RunFacts:
    """A run that passed, `number` days after the first."""
    started = STARTED + timedelta(days=number - 1)
    facts = RunFacts(
        id=f"{started:%Y%m%dT%H%M%SZ}-{number:08x}",
        lake="/자료/호수",
        site=SITE,
        name=SITE,
        started=started,
        ended=started + timedelta(seconds=90),
        seconds=90.25,
        outcome=Outcome.PASSED,
        exit_code=0,
        snapshot=f"{started:%Y%m%dT%H%M%SZ}",
        as_of="2026-03-14",
        gate="open",
        score=0.991,
        persons=365,
        rows_read=10_000_000_000,
        rows_mapped=9_000_000_000,
        rows_unmapped=500_000_000,
        rows_rejected=1,
        rows_excluded=2,
        engine="sail",
        engine_version="0.7.2",
        dure_version="0.1.0",
        cdm_version="5.4",
        vocabulary="v5.0 29-FEB-24",
        vocabulary_digest="c" * 64,
        spec_digest="a" * 64,
        python_version="3.11.7",
        pyspark_version="4.1.4",
        pysail_version="0.7.2",
        host="병원서버",
        user="dure",
        pid=4711,
        process="boot/4711/99",
        stages=[
            StageFacts(name="land", started=started, seconds=6.5),
            StageFacts(name="map", started=started, seconds=3.0),
        ],
        written=[
            WrittenFacts(stage="land", name="환자", rows=3, seconds=0.1),
            WrittenFacts(stage="map", name="person[0] 환자", rows=None, seconds=0.2),
        ],
        tables=[TableFacts(name="person", rows=365, bytes=4096)],
        sources=[SourceFacts(name="환자", read=5, mapped=2, unmapped=1, rejected=1, excluded=1)],
        files=[FileFacts(source="환자", path="환자.csv", bytes=10, sha256="d" * 64, modified=started)],
        maps=[MapFacts(path="maps/검사.csv", sha256="b" * 64)],
        problems=[ProblemFacts(level="warning", where="검사.csv", found="a new column 'RESLT2'", do="name it")],
    )
    return facts.model_copy(update=changed)
