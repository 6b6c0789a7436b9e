"""The small hospital on an engine that is up in the test's own process, for runs that break where a test says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from small_hospital import SITE, Notes, options_of, site_of

from dure.engine import Engine
from dure.run import RunOptions, RunResult, run_site
from dure.snapshot.lake import SiteLake


class Stopped(Exception):
    """Stands for whatever breaks in the engine."""


class Breaks(Notes):
    """Progress that raises when a stage begins."""

    def __init__(self, stage: str, error: BaseException) -> None:
        super().__init__()
        self._at, self._error = stage, error

    def stage(self, name: str) -> None:
        super().stage(name)
        if name == self._at:
            raise self._error


class Hospital:
    """The small hospital, its lake, and an engine that is up."""

    def __init__(self, running: Engine, folder: Path, store: Path) -> None:
        self._running = running
        self.folder, self.lake = folder, folder / "lake"
        self.options = options_of(folder, store, self.lake)

    @property
    def own(self) -> SiteLake:
        return site_of(self.lake)

    def run(self, progress: Notes | None = None, options: RunOptions | None = None, **more: Any) -> RunResult:
        return run_site(options or self.options, progress or Notes(), lambda _: nullcontext(self._running), **more)

    def cut_off(self, stage: str, error: BaseException | None = None) -> None:
        """A run that broke when the stage began."""
        with pytest.raises((Stopped, KeyboardInterrupt)):
            self.run(Breaks(stage, error or Stopped()))

    def staged(self) -> list[str]:
        return sorted(path.name for path in self.lake.rglob(".staging-*"))

    @property
    def work(self) -> Path:
        (found,) = (self.lake / "work" / SITE).iterdir()
        return found

    def rewrite(self, name: str, change: Callable[[str], str]) -> None:
        path = self.folder / name
        path.write_text(change(path.read_text("utf-8")), "utf-8")
