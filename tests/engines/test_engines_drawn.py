"""Eras, stays and observation periods of drawn rows on each engine, against plain computations in Python.

tests/property draws many more examples, for most of these on the default engine alone; here both engines are tried, each
started once.  The cases that an engine's plan is most likely to break are written out.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

PROPERTY = Path(__file__).resolve().parents[1] / "property"
sys.path.insert(0, str(PROPERTY))
import test_visits_merged as visits  # noqa: E402
from eras_vocabulary import COMBINATION, TABLET, drug_store  # noqa: E402
from plain_eras import DAY, FIRST_DAY, frame_of  # noqa: E402
from plain_periods import Covered, enrolments, observed_rows, periods_of_enrolment, periods_of_events, persons  # noqa: E402
from test_eras_condition import ASTHMA, condition_eras_hold, conditions  # noqa: E402
from test_eras_dose import dose_eras_hold  # noqa: E402
from test_eras_dose import exposures as doses  # noqa: E402
from test_eras_drug import drug_eras_hold, exposures  # noqa: E402

sys.path.pop(0)

from dure.derive import condition_era, observation_period  # noqa: E402
from dure.engine import Engine, EngineOptions, engine  # noqa: E402
from dure.site.entries import Entry  # noqa: E402
from dure.site.spec import Merge  # noqa: E402
from dure.stages.visits import merge_stays  # noqa: E402
from dure.tables.rule import Rule  # noqa: E402
from dure.vocab import VocabularyStore  # noqa: E402

pytestmark = pytest.mark.together

FOR_LITTLE_DATA = {
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
few = settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate, Phase.shrink))
MANY = 100_000


@pytest.fixture(scope="module", params=["sail", pytest.param("spark", marks=pytest.mark.spark)])
def running(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with engine(EngineOptions(request.param, threads=2)) as made:
        if request.param == "spark":
            for name, value in FOR_LITTLE_DATA.items():
                made.session.conf.set(name, value)
        yield made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    return drug_store(tmp_path_factory.mktemp("store"))


# What the spans of a person may look like, (days to the start, length), in an order that no engine would give them.
UNSORTED = ((70, 3), (0, 3), (35, 3), (1, 2))
OVERLAPPING = ((0, 90), (10, 3), (5, 29), (110, 0))
WITHOUT_END = ((0, None), (30, None), (61, None), (62, None))
SAME_DAY = ((7, 0), (7, None), (7, 3), (7, 0))


def named_spans(**more: Any) -> list[dict[str, Any]]:
    """A person for each of the above."""
    return [
        {"person": person, "start": FIRST_DAY + DAY * start, "length": length, **more}
        for person, spans in enumerate((UNSORTED, OVERLAPPING, WITHOUT_END, SAME_DAY), start=1)
        for start, length in spans
    ]


def test_condition_eras(running: Engine) -> None:
    @few
    @example(named_spans(concept=ASTHMA))
    @given(conditions)
    def hold(of: list[dict[str, Any]]) -> None:
        condition_eras_hold(running.session, of, 2)

    hold()


def test_drug_eras(running: Engine, store: VocabularyStore) -> None:
    @few
    @example(named_spans(drug=COMBINATION))
    @given(exposures)
    def hold(of: list[dict[str, Any]]) -> None:
        drug_eras_hold(running.session, store, of, 2)

    hold()


def test_dose_eras(running: Engine, store: VocabularyStore) -> None:
    @few
    @example(named_spans(drug=TABLET, quantity=10.0, supply=None, unit=None))
    @given(doses)
    def hold(of: list[dict[str, Any]]) -> None:
        dose_eras_hold(running.session, store, of, 2)

    hold()


def test_condition_eras_of_one_person_with_a_hundred_thousand_rows(running: Engine, tmp_path: Path) -> None:
    """Every second day in one of two blocks 31 days apart, fifty rows a day, ends unknown, in no order."""
    start = np.tile(np.concatenate([np.arange(0, 2000, 2), 1998 + 31 + np.arange(0, 2000, 2)]), 50).astype(np.int32)
    np.random.default_rng(5).shuffle(start)
    days = pa.array(start + (FIRST_DAY - date(1970, 1, 1)).days, pa.int32()).cast(pa.date32())
    same = np.ones(MANY, np.int64)
    columns = {
        "person_id": same,
        "condition_concept_id": (same * ASTHMA).astype(np.int32),
        "condition_start_date": days,
        "condition_end_date": pa.nulls(MANY, pa.date32()),
    }
    pq.write_table(pa.table(columns), tmp_path / "conditions.parquet", row_group_size=MANY // 7)
    frame = running.session.read.parquet(str(tmp_path))
    found = condition_era.build(frame, "바다", 2).collect()
    assert [
        (
            era.condition_occurrence_count,
            era.condition_era_start_date - FIRST_DAY,
            era.condition_era_end_date - FIRST_DAY,
        )
        for era in found
    ] == [(MANY // 2, DAY * 0, DAY * 1998), (MANY // 2, DAY * 2029, DAY * 4027)]


# ---------------------------------------------------------------- stays


def stays_hold(running: Engine, of: Sequence[visits.Visit], policy: list[Merge], folder: Path) -> None:
    """Asserts that the engine merges these visits as the search does."""
    if not of:
        return
    rule = Rule("visit_occurrence", 0, Entry.model_construct(), "ward", "")
    mapped = [(rule, visits.mapped_frame(running, [replace(v, provider=None) for v in of], True, folder / "mapped"))]
    wanted = visits.expected([replace(v, provider=None) for v in of], policy)
    [(_, frame)], merged_away = merge_stays(running.session, mapped, policy, folder)
    assert merged_away == sum(visit != became[0] for visit, became in wanted.items())
    found = {row["_id"]: row for row in frame.where("_outcome <> 'rejected'").collect()}
    assert set(found) == {v.id for v in of}
    for visit in of:
        row, (into, concept, end, discharged) = found[visit.id], wanted.get(visit.id) or (None, None, None, None)
        if into == visit.id:
            said = row["code__concept_id"], row["end__datetime"], row["discharged_to__source_value"]
            assert said == (concept, end, discharged)
        assert row["_outcome"] == ("merged" if into not in (None, visit.id) else "written")


def stay(person: int, n: int, start: float, hours: float | None) -> visits.Visit:
    """A stay that begins so many days after the first of March, open where it has no length."""
    begins = visits.MARCH + timedelta(days=start)
    ends = visits.MARCH + timedelta(days=60) if hours is None else begins + timedelta(hours=hours)
    return visits.Visit(
        person, (person * 10 + n) * 7919 % 10007 + 1, 9201, begins, ends, 1, None, f"퇴원{n}", hours is None
    )


# Unsorted; overlapping; open; of one moment.
NAMED_STAYS = [
    *[stay(1, 1, 9.5, 5), stay(1, 2, 1.25, 5), stay(1, 3, 9.75, 5), stay(1, 4, 1.5, 5)],
    *[stay(2, 1, 1.0, 200), stay(2, 2, 2.0, 5), stay(2, 3, 3.0, 300), stay(2, 4, 15.0, 5)],
    *[stay(3, 1, 1.0, None), stay(3, 2, 1.0, 48), stay(3, 3, 3.0, 5), stay(3, 4, 20.0, 5)],
    *[stay(4, 1, 1.0, 0), stay(4, 2, 1.0, 0), stay(4, 3, 1.0, 0), stay(4, 4, 1.0, 0)],
]
WARDS = [Merge.model_validate({"when": [9201], "followed_by": [9201], "within_days": 0})]


def test_stays(running: Engine, tmp_path: Path) -> None:
    turn = iter(range(1_000))

    @few
    @example(NAMED_STAYS, WARDS)
    @given(visits.some_visits, visits.policies)
    def hold(of: list[visits.Visit], policy: list[Merge]) -> None:
        no_provider = [
            entry.model_copy(update={"same": [s for s in entry.same if s != "provider"]}) for entry in policy
        ]
        stays_hold(running, of, no_provider, tmp_path / str(next(turn)))

    hold()


def test_stays_of_one_person_with_a_hundred_thousand_visits(running: Engine, tmp_path: Path) -> None:
    """A hundred visits a stay and two days between stays, in no order."""
    order = np.random.default_rng(6).permutation(MANY)
    began = 1_000_000 * 3600 * (3 * order + 48 * (order // 100))
    start, end = (pa.array(began + 1_000_000 * 3600 * hours).cast(pa.timestamp("us")) for hours in (0, 2))
    whole = pa.array(np.ones(MANY, np.int64))
    mapped = pa.table(
        {
            "_id": pa.array(order + 1),
            "_outcome": pa.array(["written"] * MANY),
            "person__id": whole,
            "code__concept_id": pa.array(np.full(MANY, 9201, np.int32)),
            "start__datetime": start,
            "end__datetime": end,
            "end__date": end.cast(pa.date32()),
        }
    )
    (tmp_path / "mapped").mkdir()
    pq.write_table(mapped, tmp_path / "mapped/visits.parquet", row_group_size=MANY // 7)
    frame = running.session.read.parquet(str(tmp_path / "mapped"))
    policy = [Merge.model_validate({"when": [9201], "followed_by": [9201], "within_hours": 6})]
    rule = Rule("visit_occurrence", 0, Entry.model_construct(), "ward", "")
    [(_, after)], merged_away = merge_stays(running.session, [(rule, frame)], policy, tmp_path)
    assert merged_away == MANY - MANY // 100
    found = after.select("_id", "_into").toArrow()
    wanted = {n + 1: None if n % 100 == 0 else n // 100 * 100 + 1 for n in range(MANY)}
    assert dict(zip(found["_id"].to_pylist(), found["_into"].to_pylist(), strict=True)) == wanted


# ---------------------------------------------------------------- observation periods


def periods(
    running: Engine, table: str, of: list[Covered], births: dict[int, Any], as_of: date
) -> list[tuple[Any, ...]]:
    """(person, first day, last day) of the periods that the engine makes of rows of a table."""
    person = frame_of(running.session, "person", births.values())
    frame = frame_of(running.session, table, observed_rows(table, of))
    if table == "payer_plan_period":
        made = observation_period.from_enrolment(frame, person, "바다", as_of)
    else:
        found = observation_period.from_events({table: frame}, person, "바다", as_of)
        assert found is not None
        made = found
    read = made.collect()
    assert len({row.observation_period_id for row in read}) == len(read)
    return [(r.person_id, r.observation_period_start_date, r.observation_period_end_date) for r in read]


@pytest.mark.parametrize(
    ("table", "plain"), [("payer_plan_period", periods_of_enrolment), ("visit_occurrence", periods_of_events)]
)
def test_observation_periods(
    running: Engine,
    table: str,
    plain: Callable[[list[Covered], dict[int, Any], date], list[tuple[Any, ...]]],
) -> None:
    @few
    @example([(1, 70, 3), (1, 0, 3), (1, 35, 3), (1, 4, 30)], {1: -400}, 400)
    @example([(1, 0, 90), (1, 10, 3), (1, 91, 0), (1, 93, 0)], {1: 5}, 92)
    @example([(1, 7, 0), (1, 7, 0), (1, 7, 0)], {1: 7}, 7)
    @example([(1, 7, 0), (2, 7, 0)], {1: 8, 2: 0}, 6)
    @given(enrolments, persons, st.integers(-5, 130))
    def hold(of: list[Covered], born: dict[int, int], as_of: int) -> None:
        births = {
            number: {
                "person_id": number,
                "year_of_birth": (FIRST_DAY + DAY * day).year,
                "month_of_birth": (FIRST_DAY + DAY * day).month,
                "day_of_birth": (FIRST_DAY + DAY * day).day,
            }
            for number, day in born.items()
        }
        until = FIRST_DAY + DAY * as_of
        known = [row for row in of if row[0] in births]
        mixed = known.copy()
        random.Random(len(of)).shuffle(mixed)
        assert periods(running, table, mixed, births, until) == plain(known, births, until)

    hold()
