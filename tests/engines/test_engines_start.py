"""The default engine beside what other Spark Connect servers leave in the environment."""

from __future__ import annotations

import os

import pytest

from dure.engine import EngineOptions, engine


def test_a_token_for_another_server_does_not_reach_sail(monkeypatch: pytest.MonkeyPatch) -> None:
    # Apache Spark's own server leaves one behind in the process, and a user of sc:// may have one of their own.
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", "바다")
    with engine(EngineOptions(threads=1)) as running:
        assert running.session.range(3).count() == 3
        assert os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] == "바다"
