"""Persons who withdraw leave every delivery of their hospital; the signed manifest stays, and what became of its files."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sent_packages import Center, Sender, person_id, record_id, rows, said

from dure.center.receive import purge
from dure.center.receive.purge import damaged, read_record
from dure.center.store import CenterStore
from dure.publish.package import write_archive, write_folder

GONE = [person_id(3), person_id(10)]


@pytest.fixture
def later(bada: Sender, tmp_path: Path) -> Path:
    """Delivery 3 of bada, without the two persons whom it withdraws."""
    rest = [n for n in range(24) if person_id(n) not in GONE]
    return write_folder(bada.package(bada.copy("rest", rows(rest)), 3, GONE), tmp_path / "later")


@pytest.fixture
def filed(center: Center, bada: Sender, tmp_path: Path) -> Center:
    """Deliveries 1 and 2 hold them."""
    for number in (1, 2):
        center.receive(write_folder(bada.package(bada.copy("copy"), number), tmp_path / "in"))
    return center


def ids(delivery: Path, table: str, column: str) -> list[int]:
    found: list[int] = pq.read_table(delivery / table)[column].to_pylist()
    return found


def assert_gone(filed: Center) -> None:
    for number in (1, 2):
        delivery = filed.store / f"deliveries/bada/{number:06d}"
        for table in ("person", "visit_occurrence", "condition_occurrence", "measurement", "death"):
            assert not set(GONE) & set(ids(delivery, table, "person_id")), table
        assert len(ids(delivery, "person", "person_id")) == 22
        assert ids(delivery, "death", "person_id") == []
        assert sorted(ids(delivery, "cost", "cost_event_id")) == sorted(
            record_id("visit", n) for n in range(24) if n not in (3, 10)
        )
        assert ids(delivery, "fact_relationship", "fact_id_1") == [record_id("condition", 2 * n) for n in range(3)]
        assert damaged(delivery) == []


def test_withdrawn_persons_leave_every_stored_delivery(filed: Center, later: Path) -> None:
    first = filed.store / "deliveries/bada/000001"
    signed = (first / "manifest.json").read_bytes(), (first / "manifest.json.sig").read_bytes()
    untouched = (first / "cdm_source/part-00000.parquet").read_bytes()
    [result] = filed.receive(later)
    assert result.outcome == "received", said(result)
    assert_gone(filed)
    assert ((first / "manifest.json").read_bytes(), (first / "manifest.json.sig").read_bytes()) == signed
    assert (first / "cdm_source/part-00000.parquet").read_bytes() == untouched
    record = read_record(first)
    assert record.persons == 2
    assert sorted(record.files) == [
        f"{table}/part-00000.parquet"
        for table in (
            "condition_occurrence",
            "cost",
            "death",
            "fact_relationship",
            "measurement",
            "observation_period",
            "person",
            "visit_occurrence",
        )
    ]
    assert record.files["person/part-00000.parquet"][-1].rows == 22


def test_the_summaries_forget_them_too(filed: Center, later: Path) -> None:
    filed.receive(later)
    first, second, third = CenterStore(filed.store).history("bada")
    assert [first.persons, second.persons, third.persons] == [22, 22, 22]
    assert [first.withdrawn, third.withdrawn] == [2, 0]
    assert first.tables["death"] == 0 and first.tables["measurement"] == 66
    folder = filed.store / "summaries/bada/000001"
    persons = pq.read_table(folder / "persons.parquet")
    assert sum(persons["persons"].to_pylist()) == 22
    assert "death" not in pq.read_table(folder / "records.parquet")["table"].to_pylist()
    assert sorted(path.name for path in folder.iterdir()) == [
        "codes.parquet",
        "persons.parquet",
        "records.parquet",
        "summary.json",
        "values.parquet",
    ]


def test_a_file_changed_by_hand_is_noticed_after_a_purge(filed: Center, later: Path) -> None:
    filed.receive(later)
    delivery = filed.store / "deliveries/bada/000001"
    file = delivery / "person/part-00000.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)
    (delivery / "death/part-00000.parquet").unlink()
    assert damaged(delivery) == ["death/part-00000.parquet", "person/part-00000.parquet"]


def test_a_purge_that_was_cut_off_is_finished_by_the_next_receive(
    filed: Center, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    real = purge._write
    written = 0

    def killed(folder: Path, record: purge.PurgeRecord) -> None:
        nonlocal written
        real(folder, record)
        written += 1
        if written == 4:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(purge, "_write", killed)
        with pytest.raises(Killed):
            filed.receive(later)
    assert CenterStore(filed.store).current() == {"bada": 3}
    assert damaged(filed.store / "deliveries/bada/000001") == []
    [again] = filed.receive(later)
    assert again.outcome == "already here"
    assert_gone(filed)


def test_who_withdrew_once_never_comes_back(filed: Center, later: Path, bada: Sender, tmp_path: Path) -> None:
    filed.receive(later)
    back = write_folder(bada.package(bada.copy("copy"), 4), tmp_path / "back")
    words = said(filed.refused(back))
    assert "person/part-00000.parquet: holds 2 persons whom this or an earlier delivery withdraws" in words
    itself = write_folder(bada.package(bada.copy("copy"), 5, GONE), tmp_path / "itself")
    assert "holds 2 persons whom this or an earlier delivery withdraws" in said(filed.refused(itself))


def test_files_in_quarantine_go_with_them(filed: Center, bada: Sender, later: Path, tmp_path: Path) -> None:
    closed = write_archive(
        bada.package(bada.copy("copy"), 3, change=lambda m: m["gated"].update(gate="closed")),
        tmp_path / "x.tar",
        tmp_path,
        None,
    )
    report = filed.refused(closed).place
    assert report is not None and (report / "package.tar").read_bytes() == closed.read_bytes()
    filed.receive(later)
    assert sorted(path.name for path in report.iterdir()) == ["report.json", "report.txt"]


def test_a_package_that_is_kept_out_withdraws_nobody(filed: Center, bada: Sender, tmp_path: Path) -> None:
    rest = [n for n in range(24) if person_id(n) not in GONE]
    package = bada.package(bada.copy("rest", rows(rest)), 3, GONE, change=lambda m: m["gated"].update(gate="closed"))
    filed.refused(write_folder(package, tmp_path / "later"))
    assert len(ids(filed.store / "deliveries/bada/000001", "person", "person_id")) == 24


def test_withdrawals_are_in_no_report(filed: Center, later: Path) -> None:
    filed.receive(later)
    text = (filed.store / "deliveries/bada/000001/purge.json").read_text()
    assert not any(str(person) in text for person in GONE)
    assert json.loads(text)["purge_version"] == 1
