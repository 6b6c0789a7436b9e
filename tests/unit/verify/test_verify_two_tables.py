"""Two tables row for row: every kind of difference is found in its place, and only there."""

from __future__ import annotations

import random
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dure.cdm.schema import site_tables, table
from dure.run.verify import two_tables
from dure.run.verify.hashes import cell_hashes, row_hashes
from dure.run.verify.scope import BY_RECORD, WHOLE, Scope
from dure.run.verify.two_tables import Side, TableCompared, compare_table
from dure.stages.tables import arrow_schema

Row = dict[str, object]
MEASURED: list[Row] = [
    {"measurement_id": n, "person_id": n % 5, "measurement_concept_id": 3004501, "value_as_number": n / 7,
     "measurement_date": date(2024, 3, 1), "measurement_datetime": datetime.fromisoformat(f"2024-03-01T09:{n:02}"),
     "unit_source_value": ["㎎/dL", None, ""][n % 3]}
    for n in range(1, 41)
]  # fmt: skip
LINKS: list[Row] = [{"fact_id_1": n % 4, "fact_id_2": n, "domain_concept_id_1": 56} for n in range(9)]


def write(folder: Path, name: str, rows: list[Row], files: int = 2) -> Path:
    """The rows in no particular order, in several files of several row groups."""
    rows = random.Random(len(rows)).sample(rows, len(rows))
    (folder / name).mkdir(parents=True)
    full = [{column: row.get(column) for column in table(name).names} for row in rows]
    for n in range(files):
        part = pa.Table.from_pylist(full[n::files], arrow_schema(name))
        pq.write_table(part, folder / name / f"part-{n}.parquet", row_group_size=3)
    return folder / name


def compared(tmp_path: Path, name: str, snapshot: list[Row], again: list[Row]) -> TableCompared:
    one = write(tmp_path / "snapshot", name, snapshot)
    two = write(tmp_path / "again", name, again, files=3)
    return compare_table(name, Side.of(one), Side.of(two), tmp_path / "work")


def changed(rows: list[Row], at: int, **cells: object) -> list[Row]:
    return [row | cells if n == at else row for n, row in enumerate(rows)]


@pytest.mark.parametrize(("name", "rows"), [("measurement", MEASURED), ("fact_relationship", LINKS)])
def test_the_same_rows_in_another_order_and_other_files_are_equal(tmp_path: Path, name: str, rows: list[Row]) -> None:
    assert compared(tmp_path, name, rows, rows[::-1]) == TableCompared(name, len(rows), len(rows))


def test_a_changed_cell_is_told_by_its_column(tmp_path: Path) -> None:
    again = changed(changed(MEASURED, 3, value_as_number=0.5), 7, value_as_number=None, unit_source_value="g/dL")
    found = compared(tmp_path, "measurement", MEASURED, again)
    assert found == TableCompared(
        "measurement", 40, 40, changed=2, columns={"value_as_number": 2, "unit_source_value": 1}
    )
    assert not found.equal


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.1 + 0.2, 0.3), (0.0, -0.0), (None, 0.0), (float("nan"), None)],
)
def test_numbers_are_equal_bit_for_bit_or_not_at_all(tmp_path: Path, one: float, other: float) -> None:
    found = compared(
        tmp_path, "measurement", changed(MEASURED, 0, value_as_number=one), changed(MEASURED, 0, value_as_number=other)
    )
    assert (found.changed, found.columns) == (1, {"value_as_number": 1})


@pytest.mark.parametrize(("one", "other"), [(None, ""), ("㎎", "mg"), ("양성", "양성 "), ("\u00e9", "e\u0301")])
def test_texts_that_only_look_alike_differ(tmp_path: Path, one: str | None, other: str) -> None:
    found = compared(
        tmp_path,
        "measurement",
        changed(MEASURED, 0, unit_source_value=one),
        changed(MEASURED, 0, unit_source_value=other),
    )
    assert (found.changed, found.columns) == (1, {"unit_source_value": 1})


def test_rows_that_are_on_one_side_only(tmp_path: Path) -> None:
    found = compared(tmp_path, "measurement", MEASURED[2:], MEASURED[:-1])
    assert found == TableCompared("measurement", 38, 39, only_snapshot=1, only_recomputed=2)


def test_an_emptied_table_lacks_every_row(tmp_path: Path) -> None:
    assert compared(tmp_path, "measurement", [], MEASURED) == TableCompared("measurement", 0, 40, only_recomputed=40)


def test_a_row_that_is_there_twice_is_one_too_many(tmp_path: Path) -> None:
    assert compared(tmp_path, "measurement", [*MEASURED, MEASURED[5]], MEASURED) == TableCompared(
        "measurement", 41, 40, only_snapshot=1
    )


def test_an_id_that_two_rows_share_is_not_taken_for_a_changed_cell(tmp_path: Path) -> None:
    twice = [*MEASURED, *changed(MEASURED[5:6], 0, value_as_number=9.0)]
    assert compared(tmp_path, "measurement", twice, MEASURED) == TableCompared("measurement", 41, 40, only_snapshot=1)


def test_rows_without_an_id_are_counted_as_often_as_they_are_there(tmp_path: Path) -> None:
    found = compared(tmp_path, "fact_relationship", [*LINKS, LINKS[0]], changed(LINKS, 2, domain_concept_id_1=57))
    assert found == TableCompared(
        "fact_relationship", 10, 9, only_snapshot=2, only_recomputed=1,
        columns={"domain_concept_id_1": 1},
    )  # fmt: skip


def test_an_id_that_is_a_text(tmp_path: Path) -> None:
    row: Row = {"cdm_source_name": "바다병원", "cdm_version_concept_id": 756265}
    found = compared(tmp_path, "cdm_source", [row], [row | {"cdm_version_concept_id": 1}])
    assert (found.changed, found.columns) == (1, {"cdm_version_concept_id": 1})


def test_more_rows_than_memory_holds_come_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = changed(MEASURED[:-1], 3, value_as_number=0.5)
    once = compared(tmp_path / "once", "measurement", MEASURED, again)
    monkeypatch.setattr(two_tables, "HELD", 7)
    assert compared(tmp_path / "turns", "measurement", MEASURED, again) == once
    assert (once.changed, once.only_snapshot) == (1, 1)
    assert [path for path in (tmp_path / "turns/work").rglob("*") if path.is_file()] == []


def test_a_column_of_another_type_or_none_is_told_and_the_rest_compared(tmp_path: Path) -> None:
    one, two = (write(tmp_path / side, "measurement", MEASURED, 1) for side in ("snapshot", "again"))
    file = one / "part-0.parquet"
    read = pq.read_table(file)
    at = read.schema.get_field_index("value_as_number")
    pq.write_table(read.set_column(at, "value_as_number", read["value_as_number"].cast(pa.float32())), file)
    found = compare_table("measurement", Side.of(one), Side.of(two), tmp_path / "work")
    assert found == TableCompared("measurement", 40, 40, types=("value_as_number",))


@pytest.mark.parametrize("cut", ["the end", "the middle"])
def test_a_rotten_file_is_named(tmp_path: Path, cut: str) -> None:
    one, two = (write(tmp_path / side, "measurement", MEASURED, 1) for side in ("snapshot", "again"))
    content = (one / "part-0.parquet").read_bytes()
    rotten = content[:-9] if cut == "the end" else content[:4] + b"\xff" * 600 + content[604:]
    (one / "part-0.parquet").write_bytes(rotten)
    found = compare_table("measurement", Side.of(one), Side.of(two), tmp_path / "work")
    assert found == TableCompared("measurement", unreadable=("part-0.parquet",))


def test_hashes_spread_and_do_not_depend_on_how_a_column_is_cut() -> None:
    texts = [f"환자 {n}" for n in range(20_000)]
    whole = cell_hashes(pa.chunked_array([texts]))
    assert np.array_equal(whole, cell_hashes(pa.chunked_array([texts[:7], texts[7:]])))
    numbers = pa.table({"a": np.repeat(range(200), 200), "b": np.tile(range(200), 200)})
    assert len(np.unique(whole)) == 20_000
    assert len(np.unique(row_hashes(numbers, ["a", "b"]))) == 40_000


# ---------------------------------------------------------------- the rows of some persons


def test_every_table_says_whose_its_rows_are() -> None:
    """A table new to the CDM must be put in its place."""
    others = {name for name in site_tables() if "person_id" not in table(name).names}
    assert others == (set(WHOLE) - {"concept"}) | set(BY_RECORD)


def test_rows_of_other_tables_belong_to_the_person_of_their_record(tmp_path: Path) -> None:
    notes: list[Row] = [{"note_id": 10 + n, "person_id": n} for n in range(4)]
    words: list[Row] = [{"note_nlp_id": 100 + n, "note_id": 10 + n % 4} for n in range(8)]
    for side in ("snapshot", "again"):
        write(tmp_path / side, "note", notes)
        write(tmp_path / side, "note_nlp", words if side == "again" else changed(words, 1, note_id=99))
        write(tmp_path / side, "location", [{"location_id": 5}])
    scope = Scope({1}, tmp_path / "snapshot", tmp_path / "again")

    def of(name: str) -> TableCompared:
        one, two = (scope.side(tmp_path / side, name) for side in ("snapshot", "again"))
        return compare_table(name, one, two, tmp_path / "work")

    assert of("note") == TableCompared("note", 1, 1)
    assert of("note_nlp") == TableCompared("note_nlp", 1, 2, only_recomputed=1)
    assert of("location") == TableCompared("location", 1, 1)
