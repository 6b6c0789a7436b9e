"""The commands of docs/guide/publish-postgres.md are commands of Dure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dure.cli.publish import publish
from dure.publish.target import target_of


def test_the_commands_of_the_page_name_targets_and_options(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (repository / "docs/guide/publish-postgres.md").read_text("utf-8")
    commands = re.findall(r"^    dure publish bada (.*)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BADA_DB", "postgresql://loader:%2F%40%3A@db/cdm/bada")
    Path("bada.url").write_text("postgresql://loader:x@db/cdm/bada\n", "utf-8")
    Path("bada.url").chmod(0o600)
    options = {name for parameter in publish.params for name in parameter.opts}
    kinds = []
    for command in commands:
        words = command.split()
        assert {word for word in words if word.startswith("--")} <= options
        kinds.append(target_of(words[words.index("--to") + 1]).kind)
    assert kinds == ["postgresql", "postgresql", "postgresql", "duckdb"]
    assert set(re.findall(r"--(?:strict-ddl|vocab)", page)) <= options
