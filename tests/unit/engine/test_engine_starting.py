"""An engine that comes up in the background: what its failure stops, and that it is stopped in any case."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from dure.engine import Engine, Starting
from dure.errors import ConfigurationError, Problem

ENGINE = cast(Engine, object())


class Start:
    """A start that waits for `go`, and notes what it is stopped with."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go = threading.Event()
        self.failure = failure
        self.stopped: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[Engine]:
        self.go.wait(10)
        if self.failure is not None:
            raise self.failure
        try:
            yield ENGINE
        except ValueError:
            self.stopped.append("by an error")
            raise
        else:
            self.stopped.append("in the end")


def test_other_work_goes_on_until_the_engine_is_asked_for() -> None:
    start = Start()
    with Starting(start) as starting:
        starting.check()
        start.go.set()
        assert starting.engine() is ENGINE
        assert starting.engine() is ENGINE
        assert start.stopped == []
    assert start.stopped == ["in the end"]


def test_an_engine_that_nobody_asked_for_is_stopped_too() -> None:
    start = Start()
    with Starting(start):
        start.go.set()
    assert start.stopped == ["in the end"]


def test_an_error_meanwhile_stops_it() -> None:
    start = Start()
    with pytest.raises(ValueError, match="landing"), Starting(start):
        start.go.set()
        raise ValueError("landing")
    assert start.stopped == ["by an error"]


def test_a_failed_start_shows_where_the_engine_is_asked_for_and_at_the_next_check() -> None:
    start = Start(ConfigurationError(Problem("--engine spark", "found no Java", "install Java")))
    start.go.set()
    with pytest.raises(ConfigurationError, match="found no Java"), Starting(start) as starting:
        starting.engine()
    with pytest.raises(ConfigurationError, match="found no Java"), Starting(start) as starting:
        with pytest.raises(ConfigurationError):
            starting.engine()
        starting.check()


def test_an_error_meanwhile_comes_before_that_of_the_start() -> None:
    start = Start(ConfigurationError(Problem("--engine spark", "found no Java", "install Java")))
    with pytest.raises(ValueError, match="landing"), Starting(start):
        start.go.set()
        raise ValueError("landing")
