"""What the README, the make targets and the CI script promise to somebody who has only a clone."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from dure.cli import cli
from dure.errors import ExitCode

TARGETS = [
    "setup", "demo", "demo-blocked", "demo-center", "run", "check", "fix", "test", "test-spark", "test-all", "bench", "bench-delta", "bench-quality", "bench-suggest", "bench-publish",
    "bench-database", "bench-center", "bench-demo", "bench-athena", "wheelhouse", "clean",
]  # fmt: skip


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """make, as a person would call it in that folder."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder, env=inherited, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def pages(repository: Path) -> list[Path]:
    return sorted([*repository.glob("*.md"), *(repository / "docs").rglob("*.md"), *repository.glob("benchmarks/*.md")])


def commands(text: str) -> list[str]:
    """Each line of the shell blocks of a page."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_make_alone_lists_the_targets(repository: Path) -> None:
    done = make(repository)
    assert done.returncode == 0
    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert listed == ["help", *TARGETS]
    assert done.stdout == make(repository, "help").stdout


def test_the_readme_starts_with_the_two_commands_and_fits_two_screens(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    assert commands(text)[:2] == ["make demo", "make test"]
    assert len(text.splitlines()) < 90


def test_every_make_target_that_a_page_names_exists(repository: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    unknown = [
        f"{page.relative_to(repository)}: make {target}"
        for page in pages(repository)
        for code in re.findall(r"```sh\n.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"), re.DOTALL)
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", code)
        if target not in known
    ]
    assert unknown == []


def test_every_dure_command_and_option_that_a_page_names_exists(repository: Path) -> None:
    unknown = []
    for page in pages(repository):
        for line in commands(page.read_text(encoding="utf-8")):
            if not line.startswith("dure "):
                continue
            words = line.split()[1:]
            command: click.Command = cli
            while words and isinstance(command, click.Group) and words[0] in command.commands:
                command = command.commands[words.pop(0)]
            known = {option for each in command.params for option in each.opts} | {"--help", "--version"}
            if isinstance(command, click.Group) and not words[0].startswith("--"):
                unknown.append(f"{page.relative_to(repository)}: {line}")
            unknown += [f"{page.relative_to(repository)}: {w}" for w in words if w.startswith("--") and w not in known]
    assert unknown == []


def test_the_readme_names_each_exit_code_as_the_program_has_it(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert rows == {int(code) for code in ExitCode}


def test_no_link_between_the_pages_is_dead(repository: Path) -> None:
    dead = [
        f"{page.relative_to(repository)}: {target}"
        for page in pages(repository)
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_every_decision_record_is_numbered_and_has_its_parts(repository: Path) -> None:
    records = sorted((repository / "docs/adr").glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for path in records:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], path.name


def test_run_without_its_names_says_which_and_builds_nothing(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((repository / "Makefile").read_text(encoding="utf-8"), encoding="utf-8")
    done = make(tmp_path, "run", "SITE=haneul", "VOCAB=vocabulary")
    assert done.returncode == 2
    assert "not given: SOURCE LAKE" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("version", "says"), [("exit 1", "Dure needs Python 3.11 or later"), (None, "found no './snake'")]
)
def test_an_old_or_missing_python_is_named_before_anything_is_built(
    repository: Path, tmp_path: Path, version: str | None, says: str
) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_text((repository / name).read_text(encoding="utf-8"), encoding="utf-8")
    if version:
        (tmp_path / "snake").write_text(f"#!/bin/sh\n[ $1 = --version ] && echo Python 3.10.1 && exit\n{version}\n")
        (tmp_path / "snake").chmod(0o755)
    done = make(tmp_path, "setup", "PYTHON=./snake")
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_ci_script_is_strict_and_ends_on_the_tests(repository: Path) -> None:
    script = (repository / ".ci/run").read_text(encoding="utf-8")
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script
    assert "-m pytest" in script.rstrip().splitlines()[-1]
    assert subprocess.run(["bash", "-n", repository / ".ci/run"], check=False).returncode == 0


def test_the_commit_hooks_are_local(repository: Path) -> None:
    hooks = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {each["repo"] for each in hooks["repos"]} == {"local"}


def test_each_change_in_the_changelog_says_what_it_does_to_the_output(repository: Path) -> None:
    version = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert any(section.startswith(("[Unreleased]", f"[{version}]")) for section in sections)
    assert [section.splitlines()[0] for section in sections if "CDM output" not in section] == []
