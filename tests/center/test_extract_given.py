"""An extract holds what the request asks for and no more, under ids of the project's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest
from asked import REQUEST, Center, fill, rows
from made_store import DIABETES, GLUCOSE, TYPE_2, vocabulary

from dure.center.extract.allowed import ExtractRefused
from dure.center.extract.audit import AuditLog
from dure.engine import Engine, EngineOptions, engine
from dure.publish.keygen import make_keys
from dure.publish.signing import decrypt, fingerprint, verified, verifying_key


@pytest.fixture(scope="module")
def sail() -> Iterator[Engine]:
    with engine(EngineOptions(threads=min(2, os.cpu_count() or 1))) as running:
        yield running


@pytest.fixture
def center(sail: Engine, tmp_path: Path) -> Center:
    fill(tmp_path / "store")
    make_keys(tmp_path / "keys", "site")
    return Center(tmp_path, vocabulary(tmp_path / "vocab"), tmp_path / "keys", lambda _: nullcontext(sail))


def test_only_persons_rows_and_columns_asked_for_are_in_it(center: Center) -> None:
    place = center.ask().place
    assert place is not None
    assert sorted(path.name for path in place.iterdir()) == [
        "condition_occurrence",
        "manifest.json",
        "manifest.json.sig",
        "measurement",
        "observation_period",
        "person",
    ]
    people = rows(place, "person")
    # 20 of each hospital, of whom one has withdrawn; the same number at two hospitals is two persons.
    assert len(people) == len({each["person_id"] for each in people}) == 39
    assert people[0].keys() == {"person_id", "gender_concept_id", "year_of_birth"}
    assert sorted({each["year_of_birth"] for each in people}) == list(range(1950, 1970))
    conditions = rows(place, "condition_occurrence")
    assert list(conditions[0]) == [
        "condition_occurrence_id",
        "person_id",
        "condition_concept_id",
        "condition_start_date",
        "provider_id",
        "visit_occurrence_id",
    ]
    assert len(conditions) == 39
    assert {each["condition_concept_id"] for each in conditions} == {DIABETES, TYPE_2}
    assert all(date(2024, 1, 1) <= each["condition_start_date"] <= date(2024, 12, 31) for each in conditions)
    measurements = rows(place, "measurement")
    assert len(measurements) == 39
    assert {each["measurement_concept_id"] for each in measurements} == {GLUCOSE}
    assert {each["measurement_date"] for each in measurements} == {date(2024, 6, 15)}
    assert "value_source_value" not in measurements[0]
    assert {each["person_id"] for each in measurements} == {each["person_id"] for each in people}
    periods = rows(place, "observation_period")
    assert {(each["observation_period_start_date"], each["observation_period_end_date"]) for each in periods} == {
        (date(2024, 1, 1), date(2024, 12, 31))
    }


def test_ids_of_the_deliveries_do_not_come_along_and_two_projects_share_none(center: Center) -> None:
    first = center.ask().place
    second = center.ask(project="another", to="other").place
    third = center.ask(REQUEST.replace("당뇨-2026", "당뇨-2027"), to="third").place
    seen: set[object] = set()
    for place in (first, second, third):
        conditions = rows(place, "condition_occurrence")
        for column in ("person_id", "condition_occurrence_id", "visit_occurrence_id", "provider_id"):
            own = {each[column] for each in conditions}
            assert min(own) > 1_000_000
            assert not own & seen
            seen |= own
            assert len(own) == (2 if column == "provider_id" else 39)


def test_the_same_request_gives_the_same_rows_and_small_parts_change_nothing(center: Center) -> None:
    first, again = center.ask().place, center.ask(to="again", part_rows=10).place
    assert again is not None and len(list((again / "person").glob("*.parquet"))) > 1
    for table in ("person", "condition_occurrence", "measurement"):
        assert rows(first, table) == rows(again, table)


def test_rows_are_ordered_by_the_new_ids_so_that_order_tells_nothing(center: Center) -> None:
    people = [each["person_id"] for each in rows(center.ask().place, "person")]
    assert people == sorted(people)


def test_the_manifest_says_for_whom_from_what_and_is_signed(center: Center) -> None:
    place = center.ask().place
    assert place is not None
    content = (place / "manifest.json").read_bytes()
    key = verifying_key(center.keys / "signing.pub")
    assert verified(key, (place / "manifest.json.sig").read_bytes(), content)
    said = json.loads(content)
    assert said["project"] == "당뇨-2026"
    assert [each["number"] for each in said["approvals"]] == ["2026-017", "D-3"]
    assert said["persons"] == 39
    assert said["tables"]["person"]["rows"] == 39
    assert said["tables"]["person"]["columns"] == ["person_id", "gender_concept_id", "year_of_birth"]
    assert said["concept_sets"] == {"diabetes": 2, "glucose": 1}
    assert said["deliveries"]["bada"]["sequence"] == 1
    assert said["keys"]["signing"] == fingerprint(key)
    assert said["audit"]["line"] == 1
    log = list(AuditLog(center.store).lines())
    assert [line["event"] for line in log] == ["attempted", "completed"]
    assert log[0]["hash"] == said["audit"]["hash"]
    assert log[1]["counts"]["person"] == 39
    assert not any(path.name.startswith(".extracting") for path in center.store.iterdir())


def test_dates_may_be_asked_for_by_month_or_year(center: Center) -> None:
    text = REQUEST.replace("tables:\n", "dates: year\ntables:\n").replace(
        "condition_start_date,", "condition_start_date, condition_start_datetime,"
    )
    conditions = rows(center.ask(text).place, "condition_occurrence")
    assert {str(each["condition_start_date"]) for each in conditions} == {"2024-01-01"}
    assert {str(each["condition_start_datetime"]) for each in conditions} == {"2024-01-01 00:00:00"}
    months = center.ask(REQUEST.replace("tables:\n", "dates: month\ntables:\n"), to="months").place
    assert {str(each["measurement_date"]) for each in rows(months, "measurement")} == {"2024-06-01"}


def test_texts_of_the_hospital_come_only_where_an_approval_says_so(center: Center) -> None:
    text = REQUEST.replace("provider_id]", "provider_id, condition_source_value]").replace(
        "until: 2026-12-31}\nvalid", "until: 2026-12-31, source_values: true}\nvalid"
    )
    text = text.replace("tables:\n", "source_values: kept\ntables:\n")
    conditions = rows(center.ask(text).place, "condition_occurrence")
    assert {each["condition_source_value"] for each in conditions} == {"E11.9"}


def test_at_most_takes_the_same_sample_every_time(center: Center) -> None:
    text = REQUEST.replace("having: [diabetes]", "having: [diabetes]\n  at_most: 12")
    first, again = center.ask(text).place, center.ask(text, to="again").place
    people = {each["person_id"] for each in rows(first, "person")}
    assert len(people) == 12
    assert people == {each["person_id"] for each in rows(again, "person")}
    assert {each["person_id"] for each in rows(first, "measurement")} == people


def test_birth_sex_and_several_sets_narrow_the_persons(center: Center) -> None:
    text = REQUEST.replace(
        "having: [diabetes]", "having: [diabetes, glucose]\n  born: {from: 1950, until: 1965}\n  sex: [8507]"
    )
    people = rows(center.ask(text).place, "person")
    assert len(people) == 16
    assert {each["gender_concept_id"] for each in people} == {8507}


def test_fewer_than_ten_persons_are_given_to_nobody(center: Center) -> None:
    text = REQUEST.replace("having: [diabetes]", "having: [diabetes]\n  born: {from: 1960, until: 1963}")
    with pytest.raises(ExtractRefused) as refused:
        center.ask(text)
    assert [problem.found for problem in refused.value.problems] == ["fewer than 10 qualify"]
    assert not (center.root / "given").exists()
    assert [line["event"] for line in AuditLog(center.store).lines()] == ["attempted", "refused"]


def test_a_dry_run_counts_hides_small_counts_and_is_on_record(center: Center) -> None:
    done = center.ask(dry_run=True)
    assert done.place is None
    assert "persons: 39" in done.lines
    assert "measurement: 39 rows" in done.lines
    assert not (center.root / "given").exists()
    log = list(AuditLog(center.store).lines())
    assert [line["event"] for line in log] == ["attempted", "counted"]
    assert log[1]["counts"]["measurement"] == 39


def test_a_table_of_which_few_persons_have_rows_is_not_counted_in_a_dry_run(center: Center) -> None:
    text = REQUEST.replace("glucose: {include: [200]}", "glucose: {include: [200]}\n  other: {include: [101]}")
    text = text.replace(
        "persons:\n  having: [diabetes]", "persons:\n  having: [diabetes]\n  born: {from: 1950, until: 1957}"
    )
    text = text.replace("concepts: [diabetes]\n", "concepts: [other]\n")
    done = center.ask(text, dry_run=True)
    assert "persons: 15" in done.lines
    assert "condition_occurrence: of <10 persons" in done.lines


def test_it_can_be_encrypted_to_the_project(center: Center, tmp_path: Path) -> None:
    make_keys(tmp_path / "reader", "center")
    place = center.ask(encrypt_to=tmp_path / "reader" / "center.pub").place
    assert place is not None and place.suffix == ".dure"
    decrypt(place, tmp_path / "plain.tar", tmp_path / "reader" / "center.key")
    assert (tmp_path / "plain.tar").read_bytes()[:13] == b"manifest.json"
    assert sorted(path.name for path in place.parent.iterdir()) == [place.name]
