"""Requests that may not be answered: every reason is said with its line, put on record, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asked import REQUEST, Center, fill
from made_store import LOCAL, put, vocabulary

from dure.center.extract.allowed import ExtractRefused
from dure.center.extract.audit import AuditBroken, AuditLog
from dure.center.store import CenterStore
from dure.engine import Engine, EngineOptions
from dure.errors import ConfigurationError, DureError, IntegrityError, SiteLockedError
from dure.publish.keygen import make_keys


def no_engine(_: EngineOptions) -> AbstractContextManager[Engine]:
    raise AssertionError("the engine was started for a request that is refused")


@pytest.fixture
def center(tmp_path: Path) -> Center:
    fill(tmp_path / "store")
    make_keys(tmp_path / "keys", "site")
    return Center(tmp_path, vocabulary(tmp_path / "vocab"), tmp_path / "keys", no_engine)


def said(error: DureError) -> list[str]:
    return [f"{problem.where.rpartition('/')[2]}: {problem.found}" for problem in error.problems]


def events(center: Center) -> list[str]:
    return [line["event"] for line in AuditLog(center.store).lines()]


REFUSED: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "approval over": (
        lambda text: text.replace("until: 2026-12-31}\n  - {board: DRB", "until: 2026-02-28}\n  - {board: DRB"),
        [
            "request.yaml:7 approvals[0].until: the approval ended on 2026-02-28",
            "request.yaml:9 valid_until: is after the approvals end, on 2026-02-28",
        ],
    ),
    "approval to come": (
        lambda text: text.replace("approved: 2026-02-01", "approved: 2026-04-01"),
        ["request.yaml:8 approvals[1].approved: the approval begins on 2026-04-01"],
    ),
    "request over": (
        lambda text: text.replace("valid_until: 2026-12-31", "valid_until: 2026-03-01"),
        ["request.yaml:9 valid_until: the request ended on 2026-03-01"],
    ),
    "unknown hospital": (
        lambda text: text.replace("[haneul, bada]", "[haneul, badda]"),
        ["request.yaml:11 sites[1]: the store holds no delivery of 'badda' (closest: 'bada')"],
    ),
    "unknown concepts": (
        lambda text: text.replace("include: [100]", f"include: [100, 77, 300, {LOCAL}]"),
        [
            "request.yaml:14 concepts.diabetes.include[1]: the vocabulary has no concept 77",
            "request.yaml:14 concepts.diabetes.include[2]: 300 is not a standard concept",
            f"request.yaml:14 concepts.diabetes.include[3]: no hospital has a concept {LOCAL}",
        ],
    ),
    "another's key": (
        lambda text: text.replace("key: KEY", "key: 0123456789abcdef"),
        ["request.yaml:10 key: is not that of the key given, which is {own}"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_given_is_refused_with_every_reason(name: str, center: Center) -> None:
    change, expected = REFUSED[name]
    with pytest.raises(ExtractRefused) as refused:
        center.ask(change(REQUEST))
    own = center.project()[1]
    assert said(refused.value) == [each.format(own=own) for each in expected]
    assert refused.value.exit_code == 1
    assert events(center) == ["attempted", "refused"]
    assert not (center.root / "given").exists()


def test_the_reasons_are_on_record(center: Center) -> None:
    with pytest.raises(ExtractRefused):
        center.ask(now=datetime(2027, 1, 1, tzinfo=UTC))
    _, line = AuditLog(center.store).lines()
    assert line["project"] == "당뇨-2026"
    assert line["approvals"] == ["IRB 바다병원 2026-017", "DRB 센터 D-3"]
    assert [reason.rpartition(": ")[2] for reason in line["reasons"]] == [
        "the approval ended on 2026-12-31",
        "the approval ended on 2026-12-31",
        "the request ended on 2026-12-31",
    ]
    assert line["user"] == "tester"


WRONG: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "no approval": (
        lambda text: text.replace(text[text.index("approvals:") : text.index("valid_until")], ""),
        ["request.yaml:1: 'approvals' is missing"],
    ),
    "unknown key of the file": (
        lambda text: text + "everything: yes\n",
        ["request.yaml:25 everything: 'everything' is no part of a request"],
    ),
    "unknown table": (
        lambda text: text.replace("  measurement: {", "  measurment: {"),
        ["request.yaml:23 tables.measurment: no table 'measurment' (closest: 'measurement')"],
    ),
    "a table without persons": (
        lambda text: text.replace("  observation_period: {}", "  location: {}"),
        ["request.yaml:24 tables.location: location is not given to projects"],
    ),
    "notes": (
        lambda text: text.replace("  observation_period: {}", "  note: {}"),
        ["request.yaml:24 tables.note: note is not given to projects"],
    ),
    "unknown column": (
        lambda text: text.replace("person: {}", "person: {columns: [year_of_birt]}"),
        ["request.yaml:19 tables.person.columns[0]: no column 'year_of_birt' in person (closest: 'year_of_birth')"],
    ),
    "text that is not allowed": (
        lambda text: text.replace("provider_id]", "provider_id, condition_source_value]"),
        [
            "request.yaml:22 tables.condition_occurrence.columns[5]: "
            "condition_occurrence.condition_source_value is text of the hospital"
        ],
    ),
    "text asked for without an approval of it": (
        lambda text: text.replace("provider_id]", "provider_id, condition_source_value]") + "source_values: kept\n",
        [
            "request.yaml:22 tables.condition_occurrence.columns[5]: "
            "condition_occurrence.condition_source_value is text of the hospital"
        ],
    ),
    "a finer day than the dates": (
        lambda text: text.replace("person: {}", "person: {columns: [month_of_birth]}") + "dates: year\n",
        ["request.yaml:19 tables.person.columns[0]: person.month_of_birth tells more than `dates: year`"],
    ),
    "unknown set": (
        lambda text: text.replace("having: [diabetes]", "having: [diabetis]"),
        ["request.yaml:17 persons.having[0]: no concept set 'diabetis' (closest: 'diabetes')"],
    ),
    "a set for nothing": (
        lambda text: text.replace("persons:\n", "  spare: {include: [101]}\npersons:\n"),
        ["request.yaml:16 concepts.spare: the set 'spare' is used nowhere"],
    ),
    "a period backwards": (
        lambda text: text.replace("until: 2024-12-31}", "until: 2023-12-31}"),
        ["request.yaml:12 period.from: begins after it ends"],
    ),
    "fewer than ten": (
        lambda text: text + "smallest: 3\n",
        ["request.yaml:25 smallest: Input should be greater than or equal to 10"],
    ),
    "a name that leaves the folder": (
        lambda text: text.replace("project: 당뇨-2026", "project: ../당뇨"),
        ["request.yaml:2 project: String should match pattern '^[0-9A-Za-z가-힣][0-9A-Za-z가-힣_-]{0,59}$'"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_no_request_is_refused_by_line(name: str, center: Center) -> None:
    change, expected = WRONG[name]
    with pytest.raises(ConfigurationError) as refused:
        center.ask(change(REQUEST))
    assert [text.rstrip() for text in said(refused.value)] == expected
    assert events(center) == ["attempted", "refused"]


def test_a_set_of_which_all_is_excluded_is_refused(center: Center) -> None:
    with pytest.raises(ExtractRefused) as refused:
        center.ask(REQUEST.replace("exclude: [102]", "exclude: [100]"))
    assert said(refused.value) == ["concepts.diabetes: is empty: all of it is excluded"]


def test_a_local_concept_that_a_hospital_has_may_be_asked_for(center: Center) -> None:
    concept = {
        "concept_id": LOCAL,
        "concept_name": "우리 병원 검사",
        "domain_id": "Measurement",
        "vocabulary_id": "HANEUL",
        "concept_class_id": "Lab Test",
        "concept_code": "L1",
    }
    put(center.store, "gangsan", tables={"concept": [concept]})
    text = REQUEST.replace("[haneul, bada]", "[gangsan]").replace("include: [200]", f"include: [{LOCAL}]")
    with pytest.raises(AssertionError, match="the engine was started"):
        center.ask(text)
    assert events(center) == ["attempted", "failed"]


def test_a_delivery_that_is_not_what_was_received_is_not_given_on(center: Center) -> None:
    folder = center.store / "deliveries" / "bada" / "000001"
    file = folder / "person" / "part-00000.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    (folder / "measurement" / "part-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntegrityError) as found:
        center.ask()
    assert said(found.value) == [
        "part-00000.parquet: is not the file that was received",
        "part-00001.parquet: is not the file that was received",
    ]
    assert events(center) == ["attempted", "refused"]


def test_without_a_signing_key_only_a_dry_run_is_made(center: Center, tmp_path: Path) -> None:
    center.keys = tmp_path / "nowhere"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        center.ask()
    assert events(center) == []


def test_an_empty_store_has_nothing_to_give(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    make_keys(tmp_path / "keys", "site")
    center = Center(tmp_path, vocabulary(tmp_path / "vocab"), tmp_path / "keys", no_engine)
    with pytest.raises(ConfigurationError, match="holds no delivery"):
        center.ask()


def test_one_at_a_time(center: Center) -> None:
    with CenterStore(center.store).lock(), pytest.raises(SiteLockedError):
        center.ask()
    assert events(center) == []


def test_none_is_made_while_the_log_is_not_whole(center: Center) -> None:
    with pytest.raises(ExtractRefused):
        center.ask(now=datetime(2027, 1, 1, tzinfo=UTC))
    log = center.store / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"tester"', b'"nobody"', 1))
    before = log.read_bytes()
    with pytest.raises(AuditBroken) as broken:
        center.ask()
    assert said(broken.value) == ["audit.jsonl:1: was altered: its content has another hash"]
    assert log.read_bytes() == before
