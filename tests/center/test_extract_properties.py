"""Whatever is asked for: no column, row or person beyond it, and no id that two projects share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from asked import REQUEST, Center, fill, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_store import TYPE_1, TYPE_2, vocabulary

from dure.center.extract.given import given_tables, refusal
from dure.center.extract.pseudonyms import Project, _shared, crosswalk_rows, write_crosswalk
from dure.engine import Engine, EngineOptions, engine
from dure.publish.keygen import make_keys
from dure.publish.private_keys import KeySource

PERSON_COLUMNS = ("gender_concept_id", "year_of_birth", "month_of_birth", "race_concept_id", "location_id")
MEASUREMENT_COLUMNS = (
    "measurement_id",
    "measurement_date",
    "value_as_number",
    "unit_concept_id",
    "visit_occurrence_id",
)
number = count(1)


@pytest.fixture(scope="module")
def sail() -> Iterator[Engine]:
    with engine(EngineOptions(threads=min(2, os.cpu_count() or 1))) as running:
        yield running


@pytest.fixture(scope="module")
def center(sail: Engine, tmp_path_factory: pytest.TempPathFactory) -> Center:
    root = tmp_path_factory.mktemp("center")
    fill(root / "store")
    make_keys(root / "keys", "site")
    return Center(root, vocabulary(root / "vocab"), root / "keys", lambda _: nullcontext(sail))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(PERSON_COLUMNS), min_size=1, unique=True),
    st.lists(st.sampled_from(MEASUREMENT_COLUMNS), min_size=1, unique=True),
    st.sampled_from([TYPE_2, 100]),
    st.integers(1, 12),
)
def test_nothing_is_in_it_that_was_not_asked_for(
    center: Center, of_person: list[str], of_measurement: list[str], concept: int, last: int
) -> None:
    text = REQUEST[: REQUEST.index("tables:")].replace("include: [100]", f"include: [{concept}]")
    text = text.replace("until: 2024-12-31}", f"until: 2024-{last:02d}-28}}").replace(
        "having: [diabetes]", "having: [diabetes, glucose]" if last > 6 else "having: [diabetes]"
    )
    text += f"tables:\n  person: {{columns: [{', '.join(of_person)}]}}\n"
    text += f"  measurement: {{concepts: [glucose], columns: [{', '.join(of_measurement)}]}}\n"
    place = center.ask(text, to=f"given-{next(number)}").place
    people, measurements = rows(place, "person"), rows(place, "measurement")
    assert place is not None
    assert {path.name for path in place.iterdir() if path.is_dir()} == {"person", "measurement"}
    assert {column for row in people for column in row} == {"person_id", *of_person}
    assert {column for row in measurements for column in row} <= {"person_id", *of_measurement}
    assert {row["person_id"] for row in measurements} <= {row["person_id"] for row in people}
    # Persons n = 0 to 19 have the diagnosis on the (n+1)th of January, the odd ones of type 2; one of n = 0 withdrew.
    assert len(people) == (39 if concept == 100 else 20)
    assert all(date(2024, 1, 1) <= row.get("measurement_date", date(2024, 6, 15)) for row in measurements)
    assert len(measurements) == (len(people) if last >= 6 else 0)
    assert TYPE_1 not in {row.get("condition_concept_id") for row in people}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, 2**53 - 1), min_size=1, max_size=30, unique=True),
    st.text("가나다abc-", min_size=1, max_size=5),
    st.text("가나다abc-", min_size=1, max_size=5),
)
def test_two_keys_two_projects_or_two_hospitals_share_no_id(
    center: Center, persons: list[int], one: str, other: str
) -> None:
    def made(key: str, project: str, site: str) -> dict[int, tuple[int, str]]:
        batch = pa.RecordBatch.from_pydict({"site": [site] * len(persons), "person_id": persons})
        source = KeySource("file", str(center.project(key)[0]))
        (found,) = crosswalk_rows([batch], Project(source, project, {}))
        return {row["person_id"]: (row["new_id"], row["secret"]) for row in found.to_pylist()}

    first = made("project", one, "haneul")
    assert first == made("project", one, "haneul")
    others = [made("another", one, "haneul"), made("project", one, "bada")]
    if one != other:
        others.append(made("project", other, "haneul"))
    for each in others:
        assert not {new for new, _ in first.values()} & {new for new, _ in each.values()}
        assert not {secret for _, secret in first.values()} & {secret for _, secret in each.values()}
    assert not {new for new, _ in first.values()} & set(persons)


def test_persons_whose_ids_met_are_parted(
    center: Center, sail: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = iter([[("haneul", 2)], []])
    monkeypatch.setattr("dure.center.extract.pseudonyms._shared", lambda _: next(met))
    chosen = sail.session.createDataFrame([("haneul", 1), ("haneul", 2)], "site string, person_id bigint")
    source = KeySource("file", str(center.project()[0]))
    folder = write_crosswalk(chosen, Project(source, "x", {}), tmp_path)
    before = {
        row["person_id"]: row["new_id"] for row in sail.session.read.parquet(str(tmp_path / "crosswalk-0")).collect()
    }
    after = {row["person_id"]: row["new_id"] for row in sail.session.read.parquet(str(folder)).collect()}
    assert folder.name == "crosswalk-1"
    assert before[1] == after[1] and before[2] != after[2]


def test_of_persons_who_meet_all_but_the_first_move(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    columns = {"site": ["b", "a", "a", "c"], "person_id": [1, 5, 4, 9], "new_id": [7, 7, 7, 8]}
    pq.write_table(pa.table(columns), tmp_path / "part.parquet")
    assert _shared(tmp_path) == [("a", 5), ("b", 1)]


def test_every_usual_column_is_given_at_whatever_dates() -> None:
    for name, usual in given_tables().items():
        for column in usual.columns:
            for dates in ("day", "month", "year"):
                assert refusal(name, column, dates, texts=False) is None
