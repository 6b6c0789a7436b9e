"""The benchmark's floor writes the rows that the rules ask for: a floor that cuts corners would measure nothing."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from oracle_synthea import DOMAIN_OF_TABLE, Oracle, Row
from synthea_snapshot import SHAPES, SHOWN, visits_before

from dure.cdm.schema import table as cdm_table

ROOT = Path(__file__).resolve().parents[2]
SYNTHEA, SAMPLE = ROOT / "../shared/data/synthea27", ROOT / "../shared/data/vocabulary_sample"

duckdb = pytest.importorskip("duckdb", reason="the floor is DuckDB SQL: pip install 'dure[duckdb]'")


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


@pytest.mark.parametrize("table", SHAPES)
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


def test_the_floor_writes_people_and_places(written: Path) -> None:
    oracle = Oracle(SYNTHEA, SAMPLE)
    found = {(r["person_source_value"], r["gender_concept_id"], r["race_concept_id"], r["ethnicity_concept_id"],
              r["year_of_birth"], r["location_id"] is None) for r in rows(written, "person")}  # fmt: skip
    assert found == {(p.source_value, p.gender, p.race, p.ethnicity, p.year, False) for p in oracle.persons()}
    assert len(rows(written, "location")) == len(oracle.locations())
    assert Counter((r["care_site_source_value"], r["care_site_name"]) for r in rows(written, "care_site")) == Counter(
        oracle.care_sites()
    )
    assert Counter(
        (r["provider_source_value"], r["specialty_concept_id"], r["gender_concept_id"], r["care_site_id"] is None)
        for r in rows(written, "provider")
    ) == Counter((p.source_value, p.specialty, p.gender, p.care_site is None) for p in oracle.providers())
    persons = {r["person_id"]: r["person_source_value"] for r in rows(written, "person")}
    assert {(persons[r["person_id"]], r["death_date"]) for r in rows(written, "death")} == set(oracle.deaths())


def test_the_floor_writes_the_same_insurance_and_costs(written: Path) -> None:
    oracle = Oracle(SYNTHEA, SAMPLE)
    persons = {r["person_id"]: r["person_source_value"] for r in rows(written, "person")}
    periods = Counter(
        (persons[r["person_id"]], r["payer_plan_period_start_date"], r["payer_plan_period_end_date"],
         r["payer_concept_id"], r["payer_source_value"], r["family_source_value"])
        for r in rows(written, "payer_plan_period")
    )  # fmt: skip
    assert periods == Counter(tuple(period) for period in oracle.payer_periods())

    starts: dict[tuple[str, object], object] = {
        ("Visit", r["visit_detail_id"]): r["visit_detail_start_datetime"] for r in rows(written, "visit_detail")
    }
    for table, (*_, start, _, _) in SHAPES.items():
        domain = DOMAIN_OF_TABLE[table]
        starts |= {(domain, r[f"{table}_id"]): r[start] for r in rows(written, table)}
    found = Counter(
        (starts[str(r["cost_domain_id"]), r["cost_event_id"]], r["cost_domain_id"], r["cost_type_concept_id"],
         r["total_charge"], r["total_cost"], r["total_paid"], r["paid_by_payer"], r["paid_patient_copay"])
        for r in rows(written, "cost")
    )  # fmt: skip
    wanted = Counter(
        (c.of.datetime if isinstance(c.of, Row) else c.of.start, c.domain, c.type_concept_id, c.total_charge,
         c.total_cost, c.total_paid, c.paid_by_payer, c.paid_patient_copay)
        for c in oracle.costs()
    )  # fmt: skip
    assert found == wanted


@pytest.mark.parametrize("source", ["condition", "drug"])
def test_the_floor_bridges_eras_day_by_day(written: Path, source: str) -> None:
    """Eras from the days that the floor's own rows cover, one day at a time."""
    table = "condition_occurrence" if source == "condition" else "drug_exposure"
    first, last = ("condition_start_date", "condition_end_date") if source == "condition" else (
        "drug_exposure_start_date", "drug_exposure_end_date")  # fmt: skip
    of_drug: dict[object, list[object]] = {}
    for drug, ingredient in duckdb.sql(f"from '{written.parent}/vocabulary/ingredient.parquet'").fetchall():
        of_drug.setdefault(drug, []).append(ingredient)
    spans: dict[tuple[object, object], list[tuple[int, int]]] = {}
    for row in rows(written, table):
        concept = row[f"{source}_concept_id"]
        start = row[first].toordinal()  # type: ignore[attr-defined]
        end = (row[last] or row[first]).toordinal()  # type: ignore[attr-defined]
        for thing in of_drug.get(concept, []) if source == "drug" else [concept] if concept else []:
            spans.setdefault((row["person_id"], thing), []).append((start, max(start, end)))
    wanted = Counter(
        (*key, *era) for key, held in spans.items() for era in _eras(held)
    )  # person, concept, first day, last day, rows, days that no row covers
    found = Counter(
        (r["person_id"], r[f"{source}_concept_id"], r[f"{source}_era_start_date"].toordinal(),  # type: ignore[attr-defined]
         r[f"{source}_era_end_date"].toordinal(),  # type: ignore[attr-defined]
         r["condition_occurrence_count" if source == "condition" else "drug_exposure_count"], r.get("gap_days"))
        for r in rows(written, f"{source}_era")
    )  # fmt: skip
    if source == "condition":  # which has no gap_days
        wanted = Counter((*era[:-1], None) for era in wanted.elements())
    assert found == wanted


def _eras(spans: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    covered = sorted({day for start, end in spans for day in range(start, end + 1)})
    breaks = [n for n in range(1, len(covered)) if covered[n] - covered[n - 1] > 30]
    eras = []
    for begin, end in zip([0, *breaks], [*breaks, len(covered)], strict=True):
        days = covered[begin:end]
        count = sum(days[0] <= start <= days[-1] for start, _ in spans)
        eras.append((days[0], days[-1], count, days[-1] - days[0] + 1 - len(days)))
    return eras


def test_the_floor_observes_persons_from_their_first_day_to_their_last(written: Path) -> None:
    oracle = Oracle(SYNTHEA, SAMPLE)
    seen: dict[str, list[date]] = {}
    for row in oracle.rows():
        seen.setdefault(row.person, []).append(row.date)
    for visit in oracle.visit_rows():
        seen.setdefault(visit.visit.person, []).extend([visit.visit.start.date(), visit.visit.end.date()])
    persons = {r["person_id"]: r["person_source_value"] for r in rows(written, "person")}
    found = {
        persons[r["person_id"]]: (r["observation_period_start_date"], r["observation_period_end_date"])
        for r in rows(written, "observation_period")
    }
    assert found == {person: (min(days), max(days)) for person, days in seen.items()}


def test_the_floor_writes_every_column_sorted_by_person(written: Path) -> None:
    import floor

    assert {file.stem for file in written.glob("*.parquet")} == set(floor.TABLES)
    for table in floor.TABLES:
        made = rows(written, table)
        assert tuple(made[0]) == cdm_table(table).names
        if "person_id" not in made[0]:
            continue
        persons = [row["person_id"] for row in made]
        assert persons == sorted(persons), table
