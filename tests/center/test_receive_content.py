"""Packages whose signature and hashes hold and whose content does not: each is kept out with its own words."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sent_packages import (
    BADA,
    HANEUL,
    HYPERTENSION,
    KOREA,
    Center,
    Manifest,
    Rows,
    Sender,
    kept,
    measure_tables_of,
    measured_anew,
    person_id,
    rows,
    said,
    write_evidence,
    write_tables,
)

from dure.cdm.schema import table
from dure.center.receive import receive
from dure.center.receive.folder import Folder
from dure.center.store import CenterStore
from dure.publish.package import write_folder
from dure.publish.table_files import arrow_schema
from dure.snapshot.manifest import snapshot_digest


def refused(center: Center, sender: Sender, copied: Path, folder: Path) -> str:
    result = center.refused(write_folder(sender.package(copied), folder / "in"))
    assert result.site == sender.site
    return said(result)


def made_of(folder: Path, made: Rows) -> Path:
    write_tables(folder / "copy", made)
    write_evidence(folder / "copy")
    return folder / "copy"


def _first(table: str, **values: Any) -> Callable[[Rows], None]:
    return lambda made: made[table][0].update(values)


def _concept(**values: Any) -> Callable[[Rows], None]:
    return lambda made: made["concept"][0].update(values)


def _stranger(made: Rows) -> None:
    made["condition_occurrence"][-1]["person_id"] = person_id(999)


def _twice(made: Rows) -> None:
    made["measurement"].insert(1, dict(made["measurement"][0]))


def _person_twice(made: Rows) -> None:
    made["person"].insert(1, dict(made["person"][0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            _first("condition_occurrence", condition_source_concept_id=HANEUL + 7),
            "condition_source_concept_id: names the local concept 2001000007, which is neither the sender's nor",
        ),
        (_first("measurement", unit_concept_id=2_147_483_647), "unit_concept_id: names the local concept 2147483647"),
        (_concept(concept_id=HYPERTENSION), "concept_id: holds concepts of a vocabulary release"),
        (_concept(concept_id=HANEUL + 7), "concept_id: names the local concept 2001000007"),
        (_concept(concept_id=2_100_000_001), "concept_id: names the local concept 2100000001"),
        (_stranger, "condition_occurrence/part-00000.parquet: 1 rows are of persons whom PERSON lacks"),
        (_twice, "measurement/part-00000.parquet: its rows are not in order, or a record is there twice"),
        (_person_twice, "person/part-00000.parquet: its rows are not in order, or a record is there twice"),
        (lambda made: made["visit_occurrence"].reverse(), "visit_occurrence/part-00000.parquet: its rows are not in"),
        (lambda made: made["death"].extend(made["death"]), "death/part-00000.parquet: its rows are not in order"),
        (_first("cost", cost_id=None), "cost_id: is empty in some row"),
        (_first("measurement", person_id=None), "person_id or measurement_id: is empty in some row"),
        (lambda made: made["cdm_source"].clear(), "cdm_source: is missing or has no row"),
        (lambda made: made.pop("observation_period"), "observation_period: is missing or has no row"),
    ],
)
def test_rows_that_may_not_come_in(
    center: Center, bada: Sender, tmp_path: Path, change: Callable[[Rows], object], words: str
) -> None:
    made = rows()
    change(made)
    assert words in refused(center, bada, made_of(tmp_path, made), tmp_path)


def test_concepts_of_the_hospital_and_its_consortium_come_in(center: Center, bada: Sender, tmp_path: Path) -> None:
    made = rows()
    made["condition_occurrence"][0]["condition_source_concept_id"] = KOREA + 5
    made["condition_occurrence"][1]["condition_source_concept_id"] = BADA + 999_999
    made["concept"].insert(0, {**made["concept"][0], "concept_id": KOREA + 5})
    [result] = center.receive(write_folder(bada.package(made_of(tmp_path, made)), tmp_path / "in"))
    assert result.outcome == "received", said(result)


def _another_type(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("year_of_birth")
    return table.set_column(place, "year_of_birth", table["year_of_birth"].cast(pa.int64()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop_columns(["ethnicity_source_value"]), "ethnicity_source_value, ethnicity_source"),
        (_another_type, "has other columns than the CDM: year_of_birth;"),
        (lambda table: table.append_column("주민번호", pa.array(["x"] * len(table))), "than the CDM: 1 more;"),
        (lambda table: table.select(table.column_names[::-1]), "has other columns than the CDM: person_id, gender_"),
    ],
)
def test_columns_that_are_not_the_cdms(
    center: Center, bada: Sender, tmp_path: Path, change: Callable[[pa.Table], pa.Table], words: str
) -> None:
    copied = made_of(tmp_path, rows())
    file = copied / "person/part-00000.parquet"
    pq.write_table(change(pq.read_table(file)), file)
    found = refused(center, bada, copied, tmp_path)
    assert words in found and "주민번호" not in found


def test_what_is_no_parquet(center: Center, bada: Sender, tmp_path: Path) -> None:
    manifest = bada.manifest(bada.copy("copy"))
    copied = made_of(tmp_path, rows())
    file = copied / "measurement/part-00000.parquet"
    whole = file.read_bytes()
    for torn in (b"", b"PAR1", whole[:-9], b"\0" * len(whole), whole[:40] + b"\0" * 900 + whole[940:]):
        file.write_bytes(torn)
        measured_anew(manifest, copied, "measurement/part-00000.parquet")
        package = bada.signed(json.dumps(manifest).encode(), copied)
        [result] = center.receive(write_folder(package, tmp_path / f"in {hash(torn)}"))
        assert result.outcome == "refused"
        assert "measurement/part-00000.parquet: cannot be read as Parquet" in said(result), said(result)


def test_a_file_that_unfolds(center: Center, bada: Sender, tmp_path: Path) -> None:
    copied = made_of(tmp_path, rows())
    file = copied / "source_to_concept_map/part-00000.parquet"
    file.parent.mkdir()
    schema = arrow_schema(table("source_to_concept_map"))
    nothing = pa.table([pa.nulls(5_000_000, field.type) for field in schema], schema)
    pq.write_table(nothing, file, compression="zstd")
    assert file.stat().st_size < 1_000_000
    words = refused(center, bada, copied, tmp_path)
    assert "source_to_concept_map/part-00000.parquet: says 5,000,000 rows in" in words


def test_more_rows_than_the_manifest_says(center: Center, bada: Sender, tmp_path: Path) -> None:
    def one_less(manifest: Manifest) -> None:
        manifest["tables"]["measurement"]["rows"] -= 1
        manifest["copy"]["digest"] = snapshot_digest(measure_tables_of(manifest))

    package = write_folder(bada.package(bada.copy("copy"), change=one_less), tmp_path / "in")
    assert "measurement: holds 72 rows; expected: 71 rows, as the manifest says" in said(center.refused(package))


def test_texts_and_days_are_no_reason(center: Center, bada: Sender, tmp_path: Path) -> None:
    made = rows()
    made["person"][0]["person_source_value"] = "<script>'; DROP TABLE person; --\x00"
    made["measurement"][0] |= {"measurement_date": date(1, 1, 1), "value_as_number": float("inf")}
    made["measurement"][1] |= {"measurement_date": date(9999, 12, 31), "value_as_number": float("nan")}
    copied = made_of(tmp_path, made)
    file = copied / "observation_period/part-00000.parquet"
    periods = pq.read_table(file)
    place = periods.schema.get_field_index("observation_period_end_date")
    days = pa.array([2**31 - 1, -(2**31)] * (len(periods) // 2), pa.int32()).cast(pa.date32())
    pq.write_table(periods.set_column(place, periods.schema.field(place), days), file)
    [result] = center.receive(write_folder(bada.package(copied), tmp_path / "in"))
    assert result.outcome == "received", said(result)
    [summary] = CenterStore(center.store).summaries()
    assert (str(summary.observed_from), str(summary.observed_to)) == ("2020-01-01", "9999-12-31")


def test_a_bug_in_one_package_waits_until_the_others_are_in(
    center: Center, bada: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_folder(bada.package(bada.copy("copy")), tmp_path / "in")
    real = receive.read_content

    def surprised(*arguments: Any) -> Any:
        monkeypatch.setattr(receive, "read_content", real)
        raise ZeroDivisionError

    monkeypatch.setattr(receive, "read_content", surprised)
    second = write_folder(bada.package(bada.copy("copy"), 2), tmp_path / "in")
    with pytest.raises(ZeroDivisionError):
        center.receive(first, second)
    assert CenterStore(center.store).current() == {"bada": 2}


def _code(**values: Any) -> Callable[[Path], None]:
    def change(copied: Path) -> None:
        file = copied / "evidence/codes.parquet"
        table = pq.read_table(file)
        pq.write_table(pa.Table.from_pylist([table.to_pylist()[0] | values], table.schema), file)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_code(records=9), "evidence/codes.parquet: 1 rows tell a code that fewer than 10 records have"),
        (_code(source_concept_id=HANEUL + 1), "codes.parquet source_concept_id: names the local concept 2001000001"),
        (_code(target_concept_id=HANEUL + 1), "codes.parquet target_concept_id: names the local concept 2001000001"),
        (lambda copied: pq.write_table(pa.table({"x": [1]}), copied / "evidence/checks.parquet"), "other columns than"),
    ],
)
def test_evidence_that_may_not_come_in(
    center: Center, bada: Sender, tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    copied = made_of(tmp_path, rows())
    manifest = bada.manifest(copied)
    change(copied)
    measured_anew(manifest, copied, "evidence/codes.parquet", "evidence/checks.parquet")
    package = write_folder(bada.signed(json.dumps(manifest).encode(), copied), tmp_path / "in")
    assert words in said(center.refused(package))


def test_a_text_that_is_no_text(center: Center, bada: Sender, tmp_path: Path) -> None:
    copied = made_of(tmp_path, rows())
    file = copied / "person/part-00000.parquet"
    persons = pq.read_table(file)
    place = persons.schema.get_field_index("person_source_value")
    wrong = pa.Array.from_buffers(pa.string(), 24, pa.array([b"\xff\xfe"] * 24, pa.binary()).buffers())
    pq.write_table(persons.set_column(place, persons.schema.field(place), wrong), file)
    assert "person/part-00000.parquet: cannot be read as Parquet" in refused(center, bada, copied, tmp_path)


@pytest.mark.parametrize("step", ["unpack", "write_summary"])
def test_a_full_disk_keeps_the_store_as_it_was(
    center: Center, bada: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    center.receive(write_folder(bada.package(bada.copy("copy")), tmp_path / "in"))
    before = kept(center.store)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    second = write_folder(bada.package(bada.copy("copy"), 2), tmp_path / "in")
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "take", full) if step == "unpack" else patch.setattr(receive, "write_summary", full)
        [result] = center.receive(second)
    assert (result.outcome, result.exit_code) == ("failed", 2) and "make room on that disk" in said(result)
    assert kept(center.store) == before and not (center.store / "quarantine").exists()
    [result] = center.receive(second)
    assert result.outcome == "received"


def test_no_room_is_said_before_anything_is_written(
    center: Center, bada: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = write_folder(bada.package(bada.copy("copy")), tmp_path / "in")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    [result] = center.receive(package)
    assert (result.outcome, result.exit_code) == ("failed", 2)
    assert "bytes are to be written and 1 are free" in said(result) and kept(center.store) == {}
