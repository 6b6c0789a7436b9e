"""The examples of the center's guide are read by what reads a center's files."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from dure.center.extract.request import RequestFile
from dure.center.registry.hospitals import read_registry
from dure.publish.keygen import make_keys


@pytest.fixture
def examples(repository: Path) -> list[str]:
    text = (repository / "docs/guide/center.md").read_text("utf-8")
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def test_the_registry_of_the_guide_is_one(examples: list[str], tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", "site")
    (tmp_path / "keys/signing.pub").rename(tmp_path / "haneul-2025.pub")
    file = tmp_path / "hospitals.yaml"
    file.write_text(examples[0], "utf-8")
    registry = read_registry(file)
    hospital = registry.hospitals["haneul"]
    assert hospital.name == "하늘병원"
    assert hospital.blocks == (range(2001000000, 2002000000), range(2000000000, 2001000000))
    assert registry.policy.oldest_days == 400


def test_the_request_of_the_guide_is_one(examples: list[str], tmp_path: Path) -> None:
    file = tmp_path / "당뇨.yaml"
    file.write_text(examples[1], "utf-8")
    request = RequestFile(file).read()
    assert (request.project, request.dates, request.valid_until) == ("당뇨-2026", "month", date(2026, 12, 31))
    assert list(request.tables) == ["person", "condition_occurrence", "measurement"]
