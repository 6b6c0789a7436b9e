"""The matrix of faults in the guide: each line names a test that is there, and an exit code that Dure has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dure.errors import ExitCode

HEAD = ["fault", "what Dure does and says", "exit", "what to do", "test"]
TEST = re.compile(r"`(tests/[a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`")


def matrix(repository: Path) -> list[list[str]]:
    """The lines of the table, cell by cell."""
    text = (repository / "docs/guide/faults.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == HEAD
    return cells[2:]


def test_each_line_names_tests_that_are_there(repository: Path) -> None:
    missing = []
    for line in matrix(repository):
        named = TEST.findall(line[-1])
        assert named, f"'{line[0]}' names no test"
        assert TEST.sub("", line[-1]).strip(" ,") == ""
        for file, name in named:
            path = repository / file
            tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
            if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
                missing.append(f"{file}::{name}")
    assert missing == []


def test_each_line_has_a_fault_of_its_own_words_and_an_exit_code(repository: Path) -> None:
    lines = matrix(repository)
    assert len({line[0] for line in lines}) == len(lines) >= 30
    codes = {"any", *(str(int(code)) for code in ExitCode)}
    for line in lines:
        assert len(line) == len(HEAD), line[0]
        assert all(line), line[0]
        assert line[2] in codes, line[0]


@pytest.mark.parametrize(
    "word",
    [
        "kill -9",
        "disk is full",
        "replaced",
        "grows",
        "corrupt|changed",
        "ledger",
        "two runs",
        "clock",
        "read-only",
        "memory",
    ],
)
def test_the_faults_that_were_asked_for_are_there(repository: Path, word: str) -> None:
    assert any(re.search(word, line[0]) for line in matrix(repository))
