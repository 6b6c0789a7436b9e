"""A delta run gives what a full run gives: nights of an invented hospital in which anything may happen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from delta_hospital import Hospital, differences, run_night, was_delta
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dure.engine import Engine, EngineOptions, engine
from dure.vocab import load_athena

pytestmark = pytest.mark.together
VOCABULARY = Path(__file__).resolve().parents[1] / "scenarios/vocabulary"


@pytest.fixture(scope="module")
def sail() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as running:
        yield running


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return load_athena(VOCABULARY, tmp_path_factory.mktemp("stores")).folder


@pytest.fixture(autouse=True, scope="module")
def however_many() -> Iterator[None]:
    """In a hospital of a few persons a change soon concerns most of them: it is a delta all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dure.run.delta.compared.MOST", 1.0)
        yield


def nights_hold(running: Engine, vocabulary: Path, seed: int, persons: int, nights: list[int]) -> None:
    """After each night of so many changes the delta is what a full run of the same extract is."""
    hospital = Hospital.drawn(seed, persons)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hospital.write(folder)
        run_night(folder, hospital, running, vocabulary)
        for changes in nights:
            done = hospital.change(changes)
            hospital.write(folder)
            delta = run_night(folder, hospital, running, vocabulary)
            assert was_delta(delta), (done, delta.warnings)
            full = run_night(folder, hospital, running, vocabulary, full=True)
            assert not differences(folder, delta, full), (seed, done)


def test_a_night_of_some_changes(sail: Engine, vocabulary: Path) -> None:
    nights_hold(sail, vocabulary, seed=5, persons=8, nights=[4])


@pytest.mark.slow
@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 1 << 30), st.integers(1, 12), st.lists(st.sampled_from([0, 1, 2, 3, 6]), min_size=1, max_size=3))
def test_nights_in_which_anything_happens(
    sail: Engine, vocabulary: Path, seed: int, persons: int, nights: list[int]
) -> None:
    nights_hold(sail, vocabulary, seed, persons, nights)


@pytest.mark.slow
def test_a_delta_goes_on_from_a_delta(sail: Engine, vocabulary: Path, tmp_path: Path) -> None:
    """Six deltas, one from the other, and a full run only at the end."""
    hospital = Hospital.drawn(11, 10)
    hospital.write(tmp_path)
    last = run_night(tmp_path, hospital, sail, vocabulary)
    for _ in range(6):
        hospital.change(3)
        hospital.write(tmp_path)
        last = run_night(tmp_path, hospital, sail, vocabulary)
        assert was_delta(last)
    full = run_night(tmp_path, hospital, sail, vocabulary, full=True)
    assert not differences(tmp_path, last, full)
