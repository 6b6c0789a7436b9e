"""Which engine, how much of the machine, and what is said when it cannot start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dure.engine import EngineOptions, engine, java_version
from dure.errors import ConfigurationError


def test_sizes_are_in_bytes() -> None:
    assert EngineOptions.parse(memory="4g").memory == 4 << 30
    assert EngineOptions.parse(memory="512M").memory == 512 << 20
    assert EngineOptions.parse(threads=3).parallelism == 3


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EngineOptions.parse("duck", threads=0, memory="lots")
    assert [problem.where for problem in caught.value.problems] == ["--engine", "--memory", "--threads"]


def test_a_session_runs_in_utc_with_ansi_on_and_is_stopped() -> None:
    with engine(EngineOptions(threads=1)) as running:
        assert running.name == "sail"
        assert running.session.conf.get("spark.sql.session.timeZone") == "UTC"
        assert running.session.conf.get("spark.sql.ansi.enabled") == "true"
        assert running.session.range(3).count() == 3
    with engine(EngineOptions()) as again:
        assert again.session.range(2).count() == 2


def test_nobody_at_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        pytest.raises(ConfigurationError, match=r"nobody answers at sc://127\.0\.0\.1"),
        engine(EngineOptions(f"sc://127.0.0.1:{port}")),
    ):
        pass


def fake_java(folder: Path, says: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    java = folder / "bin/java"
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n", "utf-8")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("says", "version"), [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_401"', 8)]
)
def test_the_version_of_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, version: int) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", says)))
    assert java_version() == version


def test_spark_without_java_and_with_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="found no Java"), engine(EngineOptions("spark")):
        pass
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", 'openjdk version "11.0.2"')))
    with pytest.raises(ConfigurationError, match="found Java 11"), engine(EngineOptions("spark")):
        pass
