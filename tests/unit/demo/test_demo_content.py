"""The content digest: of the rows, not of the files that hold them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.demo.content import content_digest

ROWS = [
    {"person_id": 2**53 - 1, "name": "가", "value": 1.5},
    {"person_id": 2, "name": None, "value": None},
    {"person_id": 2, "name": None, "value": None},
]


def snapshot(folder: Path, *files: list[dict[str, object]], table: str = "person") -> Path:
    (folder / table).mkdir(parents=True, exist_ok=True)
    schema = pa.schema([("person_id", pa.int64()), ("name", pa.string()), ("value", pa.float64())])
    for number, rows in enumerate(files):
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / table / f"part-{number}.parquet")
    return folder


def test_neither_files_nor_order_count(tmp_path: Path) -> None:
    one = content_digest(snapshot(tmp_path / "one", ROWS))
    assert content_digest(snapshot(tmp_path / "two", ROWS[1:], [], ROWS[:1])) == one


def test_every_cell_counts(tmp_path: Path) -> None:
    digests = {content_digest(snapshot(tmp_path / "whole", ROWS))}
    for n, change in enumerate(
        [{"person_id": 2**53 - 2}, {"name": "나"}, {"value": 1.25}, {"name": None}, {"value": 0}]
    ):
        digests.add(content_digest(snapshot(tmp_path / str(n), [ROWS[0] | change, *ROWS[1:]])))
    assert len(digests) == 6


def test_a_row_more_or_another_table_counts(tmp_path: Path) -> None:
    one = content_digest(snapshot(tmp_path / "one", ROWS))
    assert content_digest(snapshot(tmp_path / "two", ROWS, ROWS[1:2])) != one
    assert content_digest(snapshot(tmp_path / "three", ROWS, table="death")) != one


def test_of_empty_tables_too(tmp_path: Path) -> None:
    assert content_digest(snapshot(tmp_path / "one", [])) == content_digest(snapshot(tmp_path / "two", [], []))
