"""A command told to a reporter becomes facts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from itertools import count
from pathlib import Path

import pytest

from dure.errors import ConfigurationError, ExitCode, Problem
from dure.ledger.facts import Outcome, RunFacts, new_id
from dure.ledger.process import here, is_alive
from dure.ledger.recording import Recording, facts_of, outcome_of_gate
from dure.progress import JsonProgress, PlainProgress

NOW = datetime(2026, 3, 15, 2, 30, tzinfo=UTC)
LOST = Problem("환자.csv", "is empty", "export it again")


class Kept:
    """Each state of the facts that was to be written, as text, since the facts go on changing."""

    def __init__(self) -> None:
        self.states: list[RunFacts] = []
        self.last: list[bool] = []

    def __call__(self, facts: RunFacts, last: bool) -> None:
        self.states.append(facts.model_copy(deep=True))
        self.last.append(last)


def seconds() -> Iterator[float]:
    return (float(n) for n in count())


def recording(tmp_path: Path, stream: StringIO, *endings: object) -> tuple[Recording, Kept]:
    clock, kept = seconds(), Kept()
    made = Recording(PlainProgress(stream, clock=lambda: 0.0), clock=lambda: next(clock), now=lambda: NOW)
    facts = facts_of("run", tmp_path, "bada", "바다병원", NOW)
    made.begin(facts, [kept], endings)  # type: ignore[arg-type]
    return made, kept


def test_a_run_is_written_as_it_goes(tmp_path: Path) -> None:
    made, kept = recording(tmp_path, StringIO())
    made.stage("land")
    made.table("환자", 27, 0.5)
    made.stage("map")
    made.warn(LOST)
    made.done()
    made.succeed(Outcome.BUILT, 0)
    assert [[stage.seconds for stage in state.stages] for state in kept.states] == [
        [], [None], [1.0, None], [1.0, 1.0], [1.0, 1.0]
    ]  # fmt: skip
    assert kept.last == [False, False, False, False, True]
    end = kept.states[-1]
    assert [(w.stage, w.name, w.rows) for w in end.written] == [("land", "환자", 27)]
    assert [(p.level, p.where, p.do) for p in end.problems] == [("warning", "환자.csv", "export it again")]
    assert (end.outcome, end.exit_code, end.ended, end.seconds) == (Outcome.BUILT, 0, NOW, 5.0)
    assert [state.outcome for state in kept.states[:-1]] == [None] * 4


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (1, Outcome.CLOSED),
        (2, Outcome.FAILED),
        (4, Outcome.FAILED),
        (6, Outcome.STOPPED),
        (70, Outcome.FAILED),
        (130, Outcome.INTERRUPTED),
        (143, Outcome.INTERRUPTED),
    ],
)
def test_a_failure_is_the_end_of_the_run_and_has_its_reason(tmp_path: Path, code: int, outcome: Outcome) -> None:
    said = StringIO()
    made, kept = recording(tmp_path, said)
    made.stage("land")
    made.failed([LOST], code)
    end = kept.states[-1]
    assert (end.outcome, end.exit_code, end.stages[0].seconds) == (outcome, code, 1.0)
    assert [(p.level, p.found) for p in end.problems] == [("error", "is empty")]
    assert said.getvalue().splitlines()[-1] == f"run {end.id}: {outcome}, exit code {code}, 3.0 s"
    made.failed([LOST], 70)
    made.succeed(Outcome.PASSED, 0)
    assert kept.states[-1] == end


def test_nobody_who_is_told_of_the_end_can_harm_it(tmp_path: Path) -> None:
    heard: list[str] = []

    def refuses(facts: RunFacts) -> None:
        raise ConfigurationError(Problem("--webhook", "nobody answers"))

    def is_wrong(facts: RunFacts) -> None:
        raise ValueError("800101-1234567")

    said = StringIO()
    made, kept = recording(tmp_path, said, refuses, is_wrong, lambda facts: heard.append(facts.id))
    made.succeed(Outcome.PASSED, 0)
    assert heard == [made.run_id]
    assert [p.found for p in kept.states[-1].problems] == ["nobody answers", "failed: an unexpected ValueError"]
    assert "800101" not in said.getvalue()


def test_sources_that_land_side_by_side_are_all_there(tmp_path: Path) -> None:
    made, kept = recording(tmp_path, StringIO())
    made.stage("land")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: made.table(f"s{n}", n, 0.0), range(200)))
    made.succeed(Outcome.BUILT, 0)
    assert sorted(w.rows or 0 for w in kept.states[-1].written) == list(range(200))


def test_every_json_line_has_the_run_and_its_site() -> None:
    stream = StringIO()
    made = Recording(JsonProgress(stream))
    made.bind(run="20260315T023000Z-00000001", site="바다병원")
    made.stage("land")
    made.warn(LOST)
    made.failed([LOST], 3)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["stage", "warning", "failed"]
    assert {(line["run"], line["site"]) for line in lines} == {("20260315T023000Z-00000001", "바다병원")}


def test_outcomes_by_the_gate() -> None:
    assert outcome_of_gate(True) == (Outcome.PASSED, ExitCode.PASSED)
    assert outcome_of_gate(False) == (Outcome.CLOSED, ExitCode.GATE_CLOSED)
    assert outcome_of_gate(None) == (Outcome.BUILT, ExitCode.PASSED)
    assert outcome_of_gate(None, stands=False) == (Outcome.DONE, ExitCode.PASSED)


def test_ids_sort_by_time_and_never_meet() -> None:
    later = new_id(datetime(2026, 3, 15, 2, 30, 1, tzinfo=UTC))
    ids = {new_id(NOW) for _ in range(100)}
    assert len(ids) == 100
    assert all(one < later for one in ids)


def test_this_process_is_alive_and_another_with_its_number_is_not() -> None:
    own = here()
    assert is_alive(own.host, own.pid, own.process) is True
    assert is_alive(own.host, own.pid, f"{own.process}0") is False
    assert is_alive(own.host, 2**22 + 1, own.process) is False
    assert is_alive("다른서버", own.pid, own.process) is None
