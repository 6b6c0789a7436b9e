"""Tables copied with the rows of some persons replaced, against the same done in plain Python."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dure.run.delta import copying
from dure.run.delta.basis import Mismatch
from dure.run.delta.copying import alike, copy_plain, copy_table
from dure.stages.tables import arrow_schema

SCHEMA = arrow_schema("condition_era")
Era = tuple[int, int, int]  # person, id, concept
persons = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), max_size=20)


def eras(rows: list[Era]) -> pa.Table:
    day = date(2024, 1, 1)
    return pa.Table.from_pylist(
        [
            {"condition_era_id": id, "person_id": person, "condition_concept_id": concept,
             "condition_era_start_date": day, "condition_era_end_date": day, "condition_occurrence_count": 1}
            for person, id, concept in rows
        ],
        SCHEMA,
    )  # fmt: skip


def numbered(found: list[tuple[int, int]], first: int) -> list[Era]:
    return [(person, first + n, concept) for n, (person, concept) in enumerate(sorted(found))]


def write(folder: Path, files: list[list[Era]]) -> Path:
    folder.mkdir(parents=True)
    for number, rows in enumerate(files):
        pq.write_table(eras(rows), folder / f"engine-{number}.parquet", row_group_size=3, compression="zstd")
    return folder


@settings(max_examples=200, deadline=None)
@given(persons, persons, st.sets(st.integers(1, 9)), st.integers(1, 3), st.booleans(), st.sampled_from([1, 4096]))
def test_rows_of_some_persons_are_replaced(
    old: list[tuple[int, int]], new: list[tuple[int, int]], gone: set[int], files: int, apart: bool, slices: int
) -> None:
    before = numbered(old, 1)
    coming = numbered([row for row in new if row[0] in gone or row[0] > 7], 1000)
    stay = [row for row in before if row[0] not in gone]
    coming = [row for row in coming if row[0] not in {person for person, _, _ in stay}]
    size = -(-len(before) // files) or 1
    dealt = [before[n * size : (n + 1) * size] if apart else before[n::files] for n in range(files)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "_MOST_SLICES", slices)
        source = write(Path(folder, "before"), dealt)
        out = Path(folder, "after")
        made = copy_table(
            "condition_era", source, eras(coming), np.array(sorted(gone), np.int64), np.empty(0, np.int64), out
        )
        found = [pq.read_table(file) for file in sorted(out.glob("*.parquet"))]
        assert alike(pa.concat_tables(found), eras(sorted(stay + coming)))
        assert alike(pa.concat_tables([SCHEMA.empty_table(), *made.gone]), eras([r for r in before if r[0] in gone]))
        assert made.rows == len(stay) + len(coming)
        for table in found:
            assert table.schema.equals(SCHEMA)
            assert all(one <= two for one, two in pairwise(table["person_id"].to_pylist()))


def test_a_file_in_which_nothing_changes_is_the_same_file(tmp_path: Path) -> None:
    before = write(tmp_path / "before", [[(1, 1, 7), (2, 2, 7)], [(3, 3, 7), (4, 4, 7)]])
    made = copy_table(
        "condition_era", before, eras([(3, 30, 8)]), np.array([3], np.int64), np.empty(0, np.int64), tmp_path / "after"
    )
    one, two = sorted((tmp_path / "after").iterdir())
    assert one.samefile(before / "engine-0.parquet")
    assert not two.samefile(before / "engine-1.parquet")
    assert (made.linked, made.files, made.rows) == (1, 2, 4)


def test_a_new_record_with_the_id_of_one_that_stays_is_refused(tmp_path: Path) -> None:
    before = write(tmp_path / "before", [[(1, 1, 7), (2, 2, 7)], [(8, 8, 7)]])
    for taken in (2, 8):
        with pytest.raises(Mismatch, match="the id of another"):
            copy_table(
                "condition_era", before, eras([(1, taken, 8)]), np.array([1], np.int64), np.empty(0, np.int64),
                tmp_path / f"after-{taken}",
            )  # fmt: skip


def test_a_table_that_names_nobody_is_changed_by_its_records(tmp_path: Path) -> None:
    schema = arrow_schema("cost")
    rows = [
        {"cost_id": n, "cost_event_id": n, "cost_domain_id": "Drug", "cost_type_concept_id": 0} for n in range(1, 6)
    ]
    (tmp_path / "before").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "before/a.parquet")
    new = pa.Table.from_pylist([rows[1] | {"total_cost": 3.5}, rows[0] | {"cost_id": 9}], schema)
    made = copy_table(
        "cost", tmp_path / "before", new, np.array([4], np.int64), np.array([2], np.int64), tmp_path / "after"
    )
    after = pq.read_table(tmp_path / "after")
    assert after["cost_id"].to_pylist() == [1, 2, 3, 4, 5, 9]
    assert after["total_cost"].to_pylist() == [None, 3.5, None, None, None, None]
    assert made.gone[0]["cost_id"].to_pylist() == [2]


def test_a_table_without_ids_is_changed_by_whole_rows(tmp_path: Path) -> None:
    schema = arrow_schema("fact_relationship")

    def facts(*pairs: tuple[int, int]) -> pa.Table:
        names = ("domain_concept_id_1", "fact_id_1", "domain_concept_id_2", "fact_id_2", "relationship_concept_id")
        return pa.Table.from_pylist([dict(zip(names, (0, one, 0, two, 0), strict=True)) for one, two in pairs], schema)

    (tmp_path / "before").mkdir()
    pq.write_table(facts((1, 2), (1, 2), (3, 4)), tmp_path / "before/a.parquet")
    rows = copy_plain("fact_relationship", tmp_path / "before", facts((1, 2)), facts((0, 9)), tmp_path / "after")
    after = pq.read_table(tmp_path / "after")
    assert list(zip(after["fact_id_1"].to_pylist(), after["fact_id_2"].to_pylist(), strict=True)) == [
        (0, 9),
        (1, 2),
        (3, 4),
    ]
    assert rows == 3
    with pytest.raises(Mismatch, match="were not there"):
        copy_plain("fact_relationship", tmp_path / "before", facts((5, 5)), facts(), tmp_path / "none")


def test_alike_tells_zero_from_minus_zero_and_sees_nan() -> None:
    one, two, nan = (pa.table({"x": pa.array([value])}) for value in (0.0, -0.0, float("nan")))
    assert alike(one, one) and alike(nan, nan)
    assert not alike(one, two)
    assert not alike(one, pa.table({"x": pa.array([], pa.float64())}))
