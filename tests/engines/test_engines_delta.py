"""A delta run gives what a full run gives, on each engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "property"))
from delta_hospital import Hospital, differences, run_night, was_delta  # noqa: E402

sys.path.pop(0)

from dure.engine import Engine, EngineOptions, engine  # noqa: E402
from dure.vocab import load_athena  # noqa: E402

pytestmark = [pytest.mark.together, pytest.mark.slow]


@pytest.fixture(scope="module", params=["sail", pytest.param("spark", marks=pytest.mark.spark)])
def running(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with engine(EngineOptions(request.param, threads=2)) as made:
        yield made


def test_nights_of_changes(running: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.run.delta.compared.MOST", 1.0)
    vocabulary = load_athena(TESTS / "scenarios/vocabulary", tmp_path / "stores").folder
    hospital = Hospital.drawn(21, 6)
    hospital.write(tmp_path)
    run_night(tmp_path, hospital, running, vocabulary)
    for happens in (hospital.add_person, hospital.remap) if running.name == "sail" else (hospital.remap,):
        happens()
        hospital.change(2)
        hospital.write(tmp_path)
        delta = run_night(tmp_path, hospital, running, vocabulary)
        assert was_delta(delta), delta.warnings
    full = run_night(tmp_path, hospital, running, vocabulary, full=True)
    assert not differences(tmp_path, delta, full)
