"""Two hospitals and a center, for every test of what comes in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sent_packages import Center, Sender, write_registry


@pytest.fixture(scope="session")
def bada(tmp_path_factory: pytest.TempPathFactory) -> Sender:
    sender = Sender("bada", tmp_path_factory.mktemp("bada"))
    sender.copy("copy")
    return sender


@pytest.fixture(scope="session")
def haneul(tmp_path_factory: pytest.TempPathFactory) -> Sender:
    return Sender("haneul", tmp_path_factory.mktemp("haneul"))


@pytest.fixture
def center(tmp_path: Path, bada: Sender, haneul: Sender, monkeypatch: pytest.MonkeyPatch) -> Center:
    # Nothing here cuts the power: waiting for the disk would only make this slow.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    folder = tmp_path / "센터"
    folder.mkdir()
    for sender in (bada, haneul):
        (folder / sender.public.name).write_bytes(sender.public.read_bytes())
    write_registry(folder)
    return Center(folder, tmp_path / "센터 저장소")
