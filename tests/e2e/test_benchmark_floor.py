"""The benchmark's floor writes the rows that the rules ask for: a floor that cuts corners would measure nothing."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from oracle_synthea import Oracle, Row
from synthea_snapshot import SHAPES, SHOWN, visits_before

from dure.cdm.schema import table as cdm_table

ROOT = Path(__file__).resolve().parents[2]
SYNTHEA, SAMPLE = ROOT / "../shared/data/synthea27", ROOT / "../shared/data/vocabulary_sample"

duckdb = pytest.importorskip("duckdb", reason="the floor is DuckDB SQL: pip install 'dure[bench]'")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not SYNTHEA.is_dir():
        pytest.skip(f"no Synthea extract at {SYNTHEA}; it lies beside the checkout where the project is developed")
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import floor

    sys.path.pop(0)
    folder = tmp_path_factory.mktemp("floor")
    floor.prepare(SAMPLE, folder / "vocabulary")
    floor.run(SYNTHEA, folder / "vocabulary", folder / "out", threads=2)
    return folder / "out"


def rows(folder: Path, table: str) -> list[dict[str, object]]:
    found = duckdb.sql(f"from '{folder / table}.parquet'")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("table", ["drug_exposure", "measurement", "observation"])
def test_the_floor_writes_the_same_events(written: Path, table: str) -> None:
    concept, source, source_concept, kind, day, moment, end_day, end_moment = SHAPES[table]

    def seen(row: Row) -> tuple[object, ...]:
        shown = row._asdict()
        return (row.concept_id, row.source_value, row.source_concept_id, row.type_concept_id, row.date, row.datetime,
                row.end_date, row.end_datetime, row.visit is not None, *(shown[name] for name in SHOWN))  # fmt: skip

    found = Counter(
        (r[concept], r[source], r[source_concept], r[kind], r[day], r[moment], r[end_day] if end_day else None,
         r[end_moment] if end_moment else None, r["visit_occurrence_id"] is not None,
         *(r.get(name) for name in SHOWN))
        for r in rows(written, table)
    )  # fmt: skip
    wanted = Counter(seen(row) for row in Oracle(SYNTHEA, SAMPLE).rows() if row.table == table)
    assert list((wanted - found).items())[:5] == []
    assert list((found - wanted).items())[:5] == []


@pytest.mark.parametrize("table", ["visit_occurrence", "visit_detail"])
def test_the_floor_writes_the_same_visits(written: Path, table: str) -> None:
    prefix = "visit" if table == "visit_occurrence" else "visit_detail"
    found = Counter(
        (r[f"{prefix}_start_datetime"], r[f"{prefix}_end_datetime"], r[f"{prefix}_source_value"],
         r[f"{prefix}_concept_id"], r["provider_id"] is None, r["care_site_id"] is None)
        for r in rows(written, table)
    )  # fmt: skip
    visits = Oracle(SYNTHEA, SAMPLE).visit_rows()
    wanted = Counter((v.visit.start, v.visit.end, v.visit.kind, v.concept_id, False, False) for v in visits)
    assert found == wanted


def test_the_floor_names_the_visit_before(written: Path) -> None:
    made = rows(written, "visit_occurrence")
    assert {r["visit_occurrence_id"]: r["preceding_visit_occurrence_id"] for r in made} == visits_before(made)
    assert {r["preceding_visit_detail_id"] for r in rows(written, "visit_detail")} == {None}


def test_the_floor_writes_every_column_of_the_five_tables_sorted_by_person(written: Path) -> None:
    for table in ("visit_occurrence", "visit_detail", "drug_exposure", "measurement", "observation"):
        made = rows(written, table)
        assert tuple(made[0]) == cdm_table(table).names
        persons = [row["person_id"] for row in made]
        assert persons == sorted(persons), table
