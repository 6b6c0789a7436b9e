"""A checking of an invented hospital with everything that a report can show, made without an engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from dure.accounting.reconciliation import Reconciliation, RuleCount, SourceCount, TableCount
from dure.quality.catalogue import Check, dqd_checks
from dure.quality.evidence.record import RESULTS, VERDICT, Checking, as_text, results_json, verdict_json
from dure.quality.gate.policy import Waiver, read_policy
from dure.quality.gate.verdict import decide
from dure.quality.results import Result, Status
from dure.snapshot.manifest import EngineUsed, Manifest, TableContent, TableFile, VocabularyUsed, snapshot_digest
from dure.vocab.coverage import CODE_RECORDS_FILE, code_records_table

TODAY = date(2026, 3, 15)
SNAPSHOT, BEFORE = "20260315T010203Z", "20260301T010203Z"
# A code as an extract may hold it: whatever it says must stay text.
HOSTILE = """</script><img src=x onerror=alert('1')>"&amp;{{7*7}}"""
LAB = "검사 & <i>$x$"
CLOSING = "field_isrequired_person_year_of_birth"
WAIVED = "field_isforeignkey_cost_currency_concept_id"
UNUSED = "field_isprimarykey_person_person_id"
BROKEN = "field_withinvisitdates_measurement_measurement_date"
WARNING = "field_plausiblevaluehigh_person_year_of_birth"
ROWS = {"person": 120, "observation_period": 120, "visit_occurrence": 900, "cdm_source": 1, "measurement": 4000}
_FOUND = {CLOSING: (3, 120), WAIVED: (900, 900), WARNING: (30, 120)}


def waivers() -> tuple[Waiver, ...]:
    """One that is used and ends in nine days, one without use."""
    return (
        Waiver(check=WAIVED, site="bada", reason="통화 <b>원</b>", owner_role="원무팀", expires=TODAY + timedelta(9)),
        Waiver(check=UNUSED, site="bada", reason="옛 면제", owner_role="의무기록팀", expires=TODAY + timedelta(400)),
    )


def checking(snapshot: str = SNAPSHOT, rows: dict[str, int] = ROWS) -> Checking:
    """Every check of DataQualityDashboard: those named above end badly, concept checks do not apply, the rest pass."""
    results = [_result(check) for check in dqd_checks() if not check.type.deprecated]
    verdict = decide(results, rows, read_policy(None), waivers(), "bada", TODAY)
    started = datetime(2026, 3, 15, 1, 2, 3, tzinfo=UTC)
    return Checking(
        _manifest(snapshot, rows), results, verdict, rows, TODAY, started, started + timedelta(0, 75), False
    )


def passing() -> Checking:
    """The same where nothing fails and no waiver is there."""
    results = [Result(check, Status.PASSED, 0, 10) for check in dqd_checks() if not check.type.deprecated]
    verdict = decide(results, ROWS, read_policy(None), (), "bada", TODAY)
    return replace(checking(), results=results, verdict=verdict)


def write_evidence_of_run(reports: Path) -> None:
    """What a run leaves in a folder of reports; the work list as a spreadsheet program saved it since."""
    reports.mkdir(parents=True, exist_ok=True)
    records = code_records_table(
        [
            _code("E11", "Condition", "mapped", 4000),
            _code("상병9", "Condition", "unmapped", 7),
            _code(HOSTILE, "Measurement", "unmapped", 1200),
            _code("L2001", "Measurement", "mapped", 2800),
        ]
    )
    pq.write_table(records, reports / CODE_RECORDS_FILE)
    (reports / "worklist.csv").write_bytes("순위,코드".encode("cp949"))
    (reports / "reconciliation.json").write_text(_reconciliation().model_dump_json(), "utf-8")


def write_earlier(reports: Path) -> None:
    """An earlier checking of the site beside `reports`, with fewer rows."""
    folder = reports.parent / BEFORE
    write_evidence_of_run(folder)
    earlier = checking(BEFORE, ROWS | {"person": 100})
    (folder / RESULTS).write_bytes(as_text(results_json(earlier)))
    (folder / VERDICT).write_bytes(as_text(verdict_json(earlier)))


def broken_earlier(reports: Path, content: Sequence[object]) -> None:
    """A neighbour whose results are no results."""
    folder = reports.parent / "20260201T010203Z"
    folder.mkdir(parents=True)
    (folder / RESULTS).write_text(json.dumps(content), "utf-8")


def _result(check: Check) -> Result:
    if check.id in _FOUND:
        violated, denominator = _FOUND[check.id]
        return Result(check, Status.FAILED, violated, denominator)
    if check.id == BROKEN:
        return Result(check, Status.ERROR, None, None, "the engine refused: <no such column>")
    if check.type.level == "concept":
        return Result(check, Status.NOT_APPLICABLE, 0, 0, f"no row of {check.table} has this concept")
    return Result(check, Status.PASSED, 0, 120)


def _manifest(snapshot: str, rows: dict[str, int]) -> Manifest:
    tables = {
        name: TableContent(rows=n, files=(TableFile(path=f"{name}/part.parquet", bytes=1, sha256="0" * 64),))
        for name, n in rows.items()
    }
    return Manifest(
        site="bada",
        snapshot=snapshot,
        created=datetime(2026, 3, 15, tzinfo=UTC),
        as_of=date(2026, 2, 28),
        dure_version="0.1.0",
        cdm_version="5.4",
        engine=EngineUsed(name="sail", version="0.7.2"),
        vocabulary=VocabularyUsed(release="v5.0 29-FEB-24", digest="0" * 64, folder="vocab"),
        spec_digest="0" * 64,
        map_digests={},
        inputs={},
        tables=tables,
        digest=snapshot_digest(tables),
        reconciliation={},
    )


def _code(code: str, domain: str, status: str, records: int) -> dict[str, object]:
    mapped = status == "mapped"
    table = "condition_occurrence" if domain == "Condition" else "measurement"
    return {
        "source": "진단" if domain == "Condition" else LAB,
        "table": table,
        "role": "code",
        "vocabulary": "KCD7" if domain == "Condition" else None,
        "code": code,
        "code_type": None,
        "specimen": None,
        "unit": None,
        "description": None,
        "source_concept_id": 0,
        "target_concept_id": 201826 if mapped else 0,
        "targets": "201826" if mapped else "",
        "domain_id": domain,
        "status": status,
        "equivalence": None,
        "authority": "site",
        "provenance": None,
        "common_targets": None,
        "year": 2025,
        "records": records,
    }


def _reconciliation() -> Reconciliation:
    return Reconciliation(
        site="bada",
        sources=[
            SourceCount(
                source="진단",
                read=4030,
                unreadable={"columns": 3},
                landed=4027,
                rejected={"no_key": 20},
                goes_on=4007,
                outcomes={"mapped": 4000, "unmapped": 7},
            ),
            SourceCount(source=LAB, read=4000, landed=4000, goes_on=4000, outcomes={"mapped": 2800, "unmapped": 1200}),
        ],
        rules=[
            RuleCount(
                rule="condition_occurrence.1",
                table="condition_occurrence",
                source="진단",
                rows_in=4007,
                not_selected=0,
                selected=4007,
                written=4007,
                merged=0,
                rows_out={"condition_occurrence": 4107},
                zero={"condition_occurrence": 7},
            ),
            RuleCount(
                rule="measurement.1",
                table="measurement",
                source=LAB,
                rows_in=4000,
                not_selected=0,
                selected=4000,
                written=4000,
                merged=0,
                rows_out={"measurement": 4000},
                zero={"measurement": 1200},
            ),
        ],
        tables=[TableCount(table="measurement", rows=4000, by_rule={"measurement.1": 4000})],
    )
