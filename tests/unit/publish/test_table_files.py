"""The files of the tables to deliver: whole, typed, and read in blocks of bounded size."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dure.cdm.schema import table
from dure.errors import ConfigurationError, IntegrityError
from dure.publish.cutting import Cutter
from dure.publish.table_files import (
    TableFiles,
    arrow_schema,
    check_unchanged,
    content_digest,
    files_to_load,
    site_files,
)

LOCATION = arrow_schema(table("location"))


def locations(folder: Path, rows: list[dict[str, object]], schema: pa.Schema = LOCATION) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    records = [{name: row.get(name) for name in schema.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(records, schema), folder / f"part-{len(list(folder.iterdir()))}.parquet")
    return folder


def test_rows_come_in_the_order_of_the_files_and_the_columns_of_the_cdm(tmp_path: Path) -> None:
    backwards = pa.schema(list(LOCATION)[::-1])
    locations(tmp_path / "location", [{"location_id": 2, "city": "부산"}, {"location_id": 1}], backwards)
    locations(tmp_path / "location", [{"location_id": 3}])
    files = site_files({"location": tmp_path / "location"})["location"]
    assert files.rows == 3
    blocks = list(files.blocks())
    assert [block.schema.names for block in blocks] == [LOCATION.names] * 2
    assert [value for block in blocks for value in block.column("location_id").to_pylist()] == [2, 1, 3]


def test_blocks_stay_small_however_wide_the_rows_are(tmp_path: Path) -> None:
    note = arrow_schema(table("note"))
    text = "가나다라마바사" * 20_000  # 420 KB; the dictionary of the file holds it once
    rows = [dict.fromkeys(note.names) | {"note_id": n, "note_text": text} for n in range(400)]
    pq.write_table(pa.Table.from_pylist(rows, note), tmp_path / "part-0.parquet")
    del rows
    files = site_files({"note": tmp_path})["note"]
    sizes = [(block.num_rows, block.nbytes) for block in files.blocks()]
    assert sum(rows for rows, _ in sizes) == 400
    assert max(size for _, size in sizes) <= 33 << 20


def test_what_is_no_table_or_holds_no_file_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "person").mkdir()
    with pytest.raises(ConfigurationError) as refused:
        site_files({"person": tmp_path / "person", "환자": tmp_path, "death": tmp_path / "absent"})
    assert [problem.found for problem in refused.value.problems] == [
        "is no table of CDM 5.4", "holds no Parquet file", "holds no Parquet file",
    ]  # fmt: skip


def test_a_file_that_is_not_whole_or_lacks_a_column_is_refused(tmp_path: Path) -> None:
    folder = locations(tmp_path / "location", [{"location_id": 1}])
    whole = (folder / "part-0.parquet").read_bytes()
    (folder / "part-1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IntegrityError, match="not a whole Parquet file"):
        site_files({"location": folder})
    pq.write_table(pa.table({"location_id": [1]}), folder / "part-1.parquet")
    with pytest.raises(IntegrityError, match="lacks the column zip"):
        site_files({"location": folder})


def test_a_value_of_another_type_is_refused_without_showing_it(tmp_path: Path) -> None:
    wide = pa.schema(
        [field.with_type(pa.int64()) if field.name == "country_concept_id" else field for field in LOCATION]
    )
    folder = locations(tmp_path / "location", [{"location_id": 1, "country_concept_id": 900_607_012_345}], wide)
    with pytest.raises(IntegrityError, match=r"location\.country_concept_id: a int64 that is no int32") as refused:
        list(site_files({"location": folder})["location"].blocks())
    assert "900607" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_all_tables_of_a_site_are_made_and_those_of_a_vocabulary_only_with_one() -> None:
    files = files_to_load({}, None)
    assert all(isinstance(file, TableFiles) and file.rows == 0 for file in files.values())
    assert "person" in files and "concept" not in files


def test_the_digest_ignores_the_names_of_files_and_sees_their_content(tmp_path: Path) -> None:
    one = locations(tmp_path / "one", [{"location_id": 1}])
    same = locations(tmp_path / "same", [{"location_id": 1}])
    (same / "part-0.parquet").rename(same / "part-9.parquet")
    other = locations(tmp_path / "other", [{"location_id": 2}])
    first, second, third = (content_digest(site_files({"location": folder})) for folder in (one, same, other))
    assert first == second != third


def test_a_file_written_to_during_the_load_is_noticed(tmp_path: Path) -> None:
    folder = locations(tmp_path / "location", [{"location_id": 1}])
    files = site_files({"location": folder})
    before = {name: file.fingerprint() for name, file in files.items()}
    check_unchanged(files, before)
    with (folder / "part-0.parquet").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(IntegrityError, match="its files changed while they were read"):
        check_unchanged(files, before)


def test_texts_are_cut_by_characters_and_counted() -> None:
    rows = [
        {"location_id": n, "zip": value, "state": "서울"} for n, value in enumerate(["가" * 9, "가" * 10, "", None])
    ]
    block = pa.RecordBatch.from_pylist([{name: row.get(name) for name in LOCATION.names} for row in rows], LOCATION)
    cutter = Cutter()
    cut = cutter.cut(table("location"), block)
    assert cut.column("zip").to_pylist() == ["가" * 9, "가" * 9, "", None]
    assert cut.column("state").to_pylist() == ["서울"] * 4
    assert cutter.counts == {"location.zip": 1}
