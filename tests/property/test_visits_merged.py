"""Merging visits and the visit before each, against an independent computation over datetimes, by search and no heap."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import cloudpickle
from pyspark.sql import DataFrame

from dure.cdm.schema import table as cdm_table
from dure.engine import Engine, EngineOptions, engine
from dure.site.entries import Entry
from dure.site.spec import Merge
from dure.stages.frames import stored
from dure.stages.visits import joinings, merge_stays, merging
from dure.tables.preceding import with_preceding
from dure.tables.rule import Rule
from dure.tables.visits import CARE_SITE, CONCEPT, END, ID, KNOWN, PERSON, PROVIDER, START, merged_visits

MIDNIGHT = time()
NEW_YEAR = datetime.fromisoformat("1970-01-01")
MARCH = datetime.fromisoformat("2024-03-01")


@dataclass(frozen=True)
class Visit:
    """One visit as a source gives it."""

    person: int
    id: int
    concept: int
    start: datetime
    end: datetime
    care_site: int | None = None
    provider: int | None = None
    discharged: str | None = None
    is_open: bool = False  # the source gives no end: `end` is the run's

    @property
    def known(self) -> datetime:
        """Until when the source says that it went on."""
        return self.start if self.is_open else self.end


@dataclass
class Whole:
    """One stay of the independent computation: its visits in the order in which they joined."""

    concept: int
    end: datetime
    last: Visit
    visits: list[Visit] = field(default_factory=list)

    @property
    def first(self) -> Visit:
        return self.visits[0]

    @property
    def known(self) -> datetime:
        return max(visit.known for visit in self.visits)

    def place(self, same: Iterable[str]) -> list[int | None]:
        return [getattr(self.last, name) for name in same]


def days_between(end: datetime, start: datetime) -> int:
    return (start.date() - end.date()).days


def is_near(entry: Merge, end: datetime, start: datetime) -> bool:
    if entry.same_day:
        return start.date() <= end.date()
    if entry.within_days is not None:
        return days_between(end, start) <= entry.within_days
    assert entry.within_hours is not None
    by_days = MIDNIGHT in (end.time(), start.time()) and days_between(end, start) <= entry.within_hours // 24
    return by_days or start <= end + timedelta(hours=entry.within_hours)


def in_order(entry: Merge, stays: list[Whole]) -> list[Whole]:
    def place(stay: Whole) -> tuple[Any, ...]:
        start, can_lead, can_follow = stay.first.start, stay.concept in entry.when, stay.concept in entry.followed_by
        at = datetime.max.time() if can_follow and not can_lead and start.time() == MIDNIGHT else start.time()
        return start.date(), at, 0 if can_lead and not can_follow else 1, stay.end, stay.first.id

    return sorted(stays, key=place)


def stays_of(visits: list[Visit], policy: list[Merge]) -> list[Whole]:
    """The stays of one person: for each visit a search through all stays before it."""
    stays = [Whole(v.concept, v.end, v, [v]) for v in visits]
    for entry in policy:
        kept: list[Whole] = []
        for stay in in_order(entry, stays):
            before = [
                s
                for s in kept
                if s.concept in entry.when
                and stay.concept in entry.followed_by
                and None not in s.place(entry.same)
                and s.place(entry.same) == stay.place(entry.same)
            ]
            lately = max(before, key=lambda s: (s.known, s.first.start, s.first.id), default=None)
            if lately is None or not is_near(entry, lately.known, stay.first.start):
                kept.append(stay)
                continue
            lately.visits += stay.visits
            no_time = stay.end.time() == MIDNIGHT and stay.end.date() == lately.end.date()
            if stay.end >= lately.end or no_time:
                lately.last = stay.last
            lately.end = max(lately.end, stay.end)
            lately.concept = entry.becomes or lately.concept
        stays = kept
    return stays


# What became of a visit of a stay of several: (id of the stay, its class, its end, the discharge of its last visit).
Became = tuple[int, int, datetime, str | None]


def expected(visits: list[Visit], policy: list[Merge]) -> dict[int, Became]:
    """Id of each visit that is part of a stay of several -> what became of it."""
    of_person: dict[int, list[Visit]] = defaultdict(list)
    for visit in visits:
        of_person[visit.person].append(visit)
    return {
        visit.id: (stay.first.id, stay.concept, stay.end, stay.last.discharged)
        for own in of_person.values()
        for stay in stays_of(own, policy)
        if len(stay.visits) > 1
        for visit in stay.visits
    }


# ---------------------------------------------------------------- what is tried

CLASSES = (9201, 9203, 9202, 262)
AS_OF = NEW_YEAR + timedelta(days=6)
days = st.integers(0, 6).map(lambda n: NEW_YEAR - timedelta(days=2) + timedelta(days=n))  # before and after 1970
moments = st.builds(lambda day, hour: day + timedelta(hours=hour), days, st.sampled_from((0, 0, 1, 9, 12, 12.5, 23)))
lengths = st.sampled_from((timedelta(0), timedelta(hours=5), timedelta(hours=24), timedelta(days=2), timedelta(days=5)))
# Mostly one person, and as many visits as make stays overlap.
seeds = st.tuples(
    st.sampled_from((1, 1, 1, 2)),
    st.sampled_from((9201, 9203, 9201, 9203, 9202, 262)),
    moments,
    lengths,
    st.sampled_from((1, 1, 2, None)),
    st.sampled_from((7, 7, None)),
    st.sampled_from((False, False, False, True)),
)
gaps = st.sampled_from(
    (
        {"within_hours": 0},
        {"within_hours": 6},
        {"within_hours": 30},
        {"within_days": 0},
        {"within_days": 1},
        {"same_day": True},
    )
)
some_classes = st.sampled_from(([9201], [9203], [9201, 262], [9203, 262], [9201, 9203], [9202, 9201, 9203]))
entries = st.builds(
    lambda when, then, gap, same, becomes: Merge.model_validate(
        {"when": when, "followed_by": then, "same": same, **becomes, **gap}
    ),
    some_classes,
    some_classes,
    gaps,
    st.sampled_from(([], ["care_site"], ["care_site", "provider"])),
    st.sampled_from(({}, {"becomes": 262}, {"becomes": 9201})),
)
policies = st.lists(entries, min_size=1, max_size=3)


def visits_of(drawn: list[tuple[Any, ...]]) -> list[Visit]:
    """Visits whose ids have nothing to do with their order."""
    ids = [(n * 7919 + 13) % 10007 + 1 for n in range(len(drawn))]
    return [
        Visit(
            person,
            ids[n],
            concept,
            start,
            max(start, AS_OF) if is_open else start + length,
            site,
            provider,
            None if n % 5 == 0 else f"퇴원{n}",
            is_open,
        )
        for n, (person, concept, start, length, site, provider, is_open) in enumerate(drawn)
    ]


some_visits = st.integers(0, 12).flatmap(lambda n: st.lists(seeds, min_size=n, max_size=n)).map(visits_of)

_SCHEMA = pa.schema(
    [
        (PERSON, pa.int64()),
        (ID, pa.int64()),
        (CONCEPT, pa.int32()),
        (START, pa.timestamp("us")),
        (END, pa.timestamp("us")),
        (CARE_SITE, pa.int64()),
        (PROVIDER, pa.int64()),
        ("discharged", pa.string()),
        (KNOWN, pa.timestamp("us")),
    ]
)


def batches(visits: list[Visit], size: int) -> Iterator[pa.RecordBatch]:
    """The visits in batches that cut a person's visits anywhere."""
    rows = [(*list(vars(v).values())[:-1], v.known) for v in visits]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_SCHEMA)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)
    yield from table.to_batches(max_chunksize=size)


def found(visits: list[Visit], policy: list[Merge], size: int = 3) -> dict[int, Became]:
    rows = [
        row
        for batch in merged_visits(batches(visits, size), joinings(policy), ["discharged"])
        for row in batch.to_pylist()
    ]
    assert len({row[ID] for row in rows}) == len(rows)
    return {row[ID]: (row["into"], row["becomes"], row[END], row["discharged"]) for row in rows}


@given(some_visits, policies, st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_visits_merge_as_the_search_says_whatever_their_order(
    visits: list[Visit], policy: list[Merge], mixed: random.Random, size: int
) -> None:
    wanted = expected(visits, policy)
    shuffled = visits.copy()
    mixed.shuffle(shuffled)
    assert found(shuffled, policy, size) == wanted


@given(some_visits, policies)
@settings(max_examples=150, deadline=None)
def test_a_stay_spans_its_visits_and_no_visit_is_lost(visits: list[Visit], policy: list[Merge]) -> None:
    by_id = {v.id: v for v in visits}
    stays: dict[int, list[Visit]] = defaultdict(list)
    became = found(visits, policy)
    for visit, (into, _, _, _) in became.items():
        stays[into].append(by_id[visit])
    for into, members in stays.items():
        assert by_id[into] in members  # the earliest names the stay and stays in it
        assert {m.person for m in members} == {by_id[into].person}
        assert by_id[into].start.date() == min(m.start for m in members).date()
        assert {became[m.id][2] for m in members} == {max(m.end for m in members)}
        assert len(members) > 1


def test_one_person_with_a_hundred_thousand_visits() -> None:
    """As many stays as pauses, and every visit in the stay that its number says."""
    start = MARCH
    visits = [
        Visit(
            1,
            n + 1,
            9201,
            start + timedelta(hours=3 * n + 48 * (n // 100)),
            start + timedelta(hours=3 * n + 48 * (n // 100) + 2),
        )
        for n in range(100_000)
    ]
    policy = [Merge.model_validate({"when": [9201], "followed_by": [9201], "within_hours": 6})]
    mixed = visits.copy()
    random.Random(7).shuffle(mixed)
    became = found(mixed, policy, 4096)
    assert {visit: into for visit, (into, _, _, _) in became.items()} == {
        n + 1: n // 100 * 100 + 1 for n in range(100_000)
    }
    assert became[100_000][2] == visits[-1].end


def test_a_person_two_of_whose_visits_share_an_id_waits_for_another_id() -> None:
    start = MARCH
    visits = [Visit(1, 5, 9201, start, start), Visit(1, 5, 9201, start, start), Visit(2, 6, 9201, start, start), Visit(2, 7, 9201, start, start)]  # fmt: skip
    policy = [Merge.model_validate({"when": [9201], "followed_by": [9201], "within_days": 0})]
    assert set(found(visits, policy)) == {6, 7}


def test_a_worker_without_dure_merges_all_the_same(tmp_path: Path) -> None:
    """The worker of a cluster gets the function as bytes; here it is a process in which no `dure` can be imported."""
    visits = [Visit(1, n, 9201, MARCH.replace(day=n), MARCH.replace(day=n)) for n in (1, 2, 9)]
    policy = [Merge.model_validate({"when": [9201], "followed_by": [9201], "within_days": 1})]
    (tmp_path / "function").write_bytes(cloudpickle.dumps(merging(joinings(policy))))
    rows = pa.Table.from_batches(batches(visits, 2)).rename_columns(
        ["discharged_to__source_value" if name == "discharged" else name for name in _SCHEMA.names]
    )
    pq.write_table(
        rows.append_column("discharged_to__concept_id", pa.nulls(3, pa.int32())), tmp_path / "visits.parquet"
    )
    script = (
        "import sys, pickle, pyarrow.parquet as pq; sys.modules['dure'] = None; "
        "merged = pickle.load(open('function', 'rb')); "
        "print([(r['id'], r['into']) for b in merged(pq.read_table('visits.parquet').to_batches()) for r in b.to_pylist()])"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.stdout.strip(), said.stderr) == ("[(1, 1), (2, 1)]", "")


# ---------------------------------------------------------------- on an engine


@contextmanager
def _running(name: str) -> Iterator[Engine]:
    with engine(EngineOptions(name, threads=min(2, os.cpu_count() or 1))) as running:
        yield running


@pytest.fixture(scope="module", params=["sail", pytest.param("spark", marks=pytest.mark.spark)])
def running(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with _running(request.param) as made:
        yield made


def many_visits(persons: int, seed: int) -> list[Visit]:
    chance = random.Random(seed)
    made = []
    for person in range(1, persons + 1):
        for _ in range(chance.randint(0, 6)):
            at = MARCH + timedelta(hours=chance.choice((0, 9, 13, 24, 30, 40, 72, 100)))
            made.append(
                Visit(
                    (person << 40) + 1,
                    chance.getrandbits(53),
                    chance.choice(CLASSES),
                    at,
                    at + timedelta(hours=chance.choice((0, 2, 24, 60))),
                    chance.choice((None, 1, 2)),
                    None,
                    chance.choice((None, "귀가", "전원")),
                    chance.random() < 0.2,
                )
            )
    return made


MAPPED = (
    "_id bigint, _rank int, _outcome string, _table string, _key_hash bigint, person__id bigint, code__concept_id int, "
    "start__date date, start__datetime timestamp_ntz, end__date date, end__datetime timestamp_ntz, care_site__id bigint, "
    "_note_end_assumed boolean"
)
POLICY = [
    Merge.model_validate({"when": [9203], "followed_by": [9201], "within_hours": 24, "becomes": 262}),
    Merge.model_validate({"when": [9201, 262], "followed_by": [9201], "within_days": 0, "same": ["care_site"]}),
]


def mapped_frame(running: Engine, visits: list[Visit], discharge: bool, folder: Path) -> DataFrame:
    """What mapping leaves of a source: its visits and a rejected row; not every source says where patients went."""
    rows: list[tuple[Any, ...]] = [
        (v.id, 0, "written", "visit_occurrence", v.id + 1, v.person, v.concept, v.start.date(), v.start, v.end.date(),
         v.end, v.care_site, v.is_open, *((v.discharged, 0 if v.discharged else None) if discharge else ()))
        for v in visits
    ]  # fmt: skip
    lost = rows[0]
    rows.append((*lost[:2], "rejected", *lost[3:]))
    more = ", discharged_to__source_value string, discharged_to__concept_id int" if discharge else ""
    return stored(running.session, running.session.createDataFrame(rows, MAPPED + more).repartition(3), folder)


def test_frames_of_several_rules_merge_on_an_engine(running: Engine, tmp_path: Path) -> None:
    visits = many_visits(150, seed=3)
    wards = [v for v in visits if v.concept != 9203]
    # Emergency rows say nothing of the discharge.
    others = [replace(v, discharged=None) for v in visits if v.concept == 9203]
    rules = [
        Rule("visit_occurrence", n, Entry.model_construct(), source, "") for n, source in enumerate(("er", "ward"))
    ]
    mapped = [
        (rules[0], mapped_frame(running, others, False, tmp_path / "er")),
        (rules[1], mapped_frame(running, wards, True, tmp_path / "ward")),
    ]
    after, merged_away = merge_stays(running.session, mapped, POLICY, tmp_path)
    wanted = expected(wards + others, POLICY)
    assert merged_away == sum(visit != became[0] for visit, became in wanted.items()) > 20
    assert [rule for rule, _ in after] == rules
    for own, (_, frame) in zip((others, wards), after, strict=True):
        rows = {r["_id"]: r for r in frame.where("_outcome <> 'rejected'").collect()}
        assert set(rows) == {v.id for v in own}
        for v in own:
            row, became = rows[v.id], wanted.get(v.id)
            if became is None:
                says = v.concept, v.start, v.end, v.end.date(), v.discharged
                state: tuple[str, int | None] = "written", None
            elif became[0] != v.id:
                says = v.concept, v.start, v.end, v.end.date(), v.discharged
                state = "merged", became[0]
            else:
                says = became[1], v.start, became[2], became[2].date(), became[3]
                state = "written", None
            assert (row["_outcome"], row["_into"]) == state
            assert (row["code__concept_id"], row["start__datetime"], row["end__datetime"], row["end__date"],
                    row["discharged_to__source_value"]) == says  # fmt: skip
        assert frame.where("_outcome = 'rejected' and _into is null").count() == 1


def test_frames_stay_as_they_are_where_nothing_merges(running: Engine, tmp_path: Path) -> None:
    visits = [Visit(n, n, 9201, MARCH.replace(day=n), MARCH.replace(day=n)) for n in range(1, 5)]
    rule = Rule("visit_occurrence", 0, Entry.model_construct(), "ward", "")
    mapped = [(rule, mapped_frame(running, visits, True, tmp_path / "ward"))]
    assert merge_stays(running.session, mapped, POLICY, tmp_path) == (mapped, 0)
    assert merge_stays(running.session, mapped, [], tmp_path / "none") == (mapped, 0)
    assert not (tmp_path / "none").exists()


# ---------------------------------------------------------------- the visit before


def cdm_rows(table: str, rows: list[tuple[int, int, int, datetime, datetime]]) -> list[dict[str, Any]]:
    prefix = "visit" if table == "visit_occurrence" else "visit_detail"
    return [
        {
            "person_id": person,
            "visit_occurrence_id": visit,
            f"{table}_id": own,
            f"{prefix}_start_datetime": start,
            f"{prefix}_start_date": start.date(),
            f"{prefix}_end_datetime": end,
            f"{prefix}_end_date": end.date(),
        }
        for person, visit, own, start, end in rows
    ]


def preceding(group: Callable[[tuple[Any, ...]], int], rows: list[tuple[Any, ...]]) -> dict[int, int | None]:
    """Id -> the id before it, found by sorting each group."""
    groups: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        groups[group(row)].append(row)
    before: dict[int, int | None] = {}
    for own in groups.values():
        ordered = sorted(own, key=lambda row: (row[3], row[4], row[2]))
        before[ordered[0][2]] = None
        before |= {later[2]: earlier[2] for earlier, later in pairwise(ordered)}
    return before


@pytest.mark.parametrize("table", ["visit_occurrence", "visit_detail"])
def test_each_visit_names_the_one_before_it(running: Engine, table: str) -> None:
    chance = random.Random(11)
    rows = []
    for n in range(1, 600):
        start = MARCH + timedelta(hours=12 * chance.randint(0, 6))
        person = chance.randint(1, 90)
        visit = n if table == "visit_occurrence" else person * 10 + chance.randint(0, 2)
        rows.append((person, visit, n, start, start + timedelta(hours=12 * chance.randint(0, 2))))
    chance.shuffle(rows)
    column = "preceding_visit_occurrence_id" if table == "visit_occurrence" else "preceding_visit_detail_id"
    schema = ", ".join(f"`{c.name}` {c.spark.simpleString()}" for c in cdm_table(table).columns)
    full = [tuple(row.get(name) for name in cdm_table(table).names) for row in cdm_rows(table, rows)]
    made = with_preceding(table, running.session.createDataFrame(full, schema).repartition(4))
    assert tuple(made.columns) == cdm_table(table).names
    seen = {r[f"{table}_id"]: r[column] for r in made.collect()}
    assert seen == preceding((lambda row: row[0]) if table == "visit_occurrence" else (lambda row: row[1]), rows)
