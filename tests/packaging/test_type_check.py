"""What mypy checks: every module, by the rules of `strict`."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy.main import process_options

PORTIONS = ("etl", "vocab_mappings", "quality_checks")


def test_mypy_checks_every_module_strictly(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)  # the configuration names folders of the checkout
    sources, options = process_options(["--config-file", "pyproject.toml"])
    checked = {Path(source.path).resolve() for source in sources if source.path}
    modules = {path.resolve() for portion in PORTIONS for path in (repository / portion / "dure").rglob("*.py")}
    assert len(modules) > 300
    assert sorted(str(path) for path in modules ^ checked) == []
    rules = [options.clone_for_module(source.module) for source in sources]
    assert all(each.disallow_untyped_defs and each.disallow_any_generics for each in rules)
    assert not any(each.ignore_errors for each in rules)
