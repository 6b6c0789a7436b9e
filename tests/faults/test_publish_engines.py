"""Both engines publish the same bytes, and neither is told the key."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from published_hospital import Hospital, bytes_below, without_rerun

from dure.engine import EngineOptions, engine
from dure.progress import SilentProgress
from dure.publish.publish import publish_site
from dure.vocab import load_athena

pytestmark = [pytest.mark.together, pytest.mark.spark]


def test_apache_spark_publishes_the_same_bytes(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_rerun(monkeypatch)
    store = load_athena(repository / "tests/scenarios/vocabulary", tmp_path / "stores")
    with engine(EngineOptions(threads=2)) as running:
        hospital = Hospital(running, store, tmp_path / "hospital")
        hospital.build()
        hospital.open_gate()
        first = Path(hospital.publish(str(tmp_path / "sail")).place)
    with engine(EngineOptions("spark", "local[2]", 2)) as running:
        options = replace(hospital.options(str(tmp_path / "spark")), engine=EngineOptions("spark"))
        second = Path(publish_site(options, SilentProgress(), lambda _: nullcontext(running)).place)
    assert bytes_below(first) == bytes_below(second)
