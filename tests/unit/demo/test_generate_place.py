"""The folder is there whole or not at all, and what is not ours is left alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from dure.cli import main
from dure.demo.generate.place import put_in_place
from dure.errors import ConfigurationError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_command_writes_and_says_what(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "시연" / "자료"
    assert main(["demo", "generate", "--patients", "5", "--seed", "3", "--out", str(out)]) == 0
    shown = capfd.readouterr().out.splitlines()
    assert shown[0] == str(out)
    assert [line.split()[0] for line in shown[1:]] == ["haneul", "bada", "gangsan", "truth"]
    assert names(out) == {"haneul", "bada", "gangsan", "truth", "demo.json"}
    assert names(out.parent) == {"자료"}


def test_what_the_command_wrote_is_replaced(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    for patients in ("5", "2"):
        assert main(["demo", "generate", "--patients", patients, "--out", str(out), "--quiet"]) == 0
    assert '"patients": 2' in (out / "demo.json").read_text("utf-8")
    assert names(tmp_path) == {"demo"}
    assert capfd.readouterr().out.splitlines() == [str(out)] * 2


@pytest.mark.parametrize("mark", [None, "{}", "no JSON", '{"made_by": "another tool"}', "[]"])
def test_a_folder_of_something_else_is_left_alone(
    mark: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "진료기록.txt").write_text("중요", "utf-8")
    if mark is not None:
        (tmp_path / "demo.json").write_text(mark, "utf-8")
    before = names(tmp_path)
    assert main(["demo", "generate", "--patients", "2", "--out", str(tmp_path)]) == 2
    assert "--force" in capfd.readouterr().err
    assert names(tmp_path) == before
    assert main(["demo", "generate", "--patients", "2", "--out", str(tmp_path), "--force", "--quiet"]) == 0
    assert "진료기록.txt" not in names(tmp_path)


def test_the_working_directory_and_those_above_are_refused_even_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "안").mkdir()
    monkeypatch.chdir(tmp_path / "안")
    for out in (".", "..", "/"):
        assert main(["demo", "generate", "--patients", "2", "--out", out, "--force"]) == 2
    assert "working directory" in capfd.readouterr().err
    assert names(tmp_path) == {"안"}


def test_a_file_is_no_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["demo", "generate", "--patients", "2", "--out", str(tmp_path / "file")]) == 2
    assert main(["demo", "generate", "--patients", "2", "--out", str(tmp_path / "file" / "below")]) == 2
    assert "Traceback" not in capfd.readouterr().err


def test_out_must_be_given(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "generate"]) == 2
    assert "--out: not given" in capfd.readouterr().err


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    place.mkdir()
    (place / "old").touch()
    with pytest.raises(ValueError, match="stop"), put_in_place(place) as beside:
        (beside / "half").touch()
        raise ValueError("stop")
    assert names(place) == {"old"}
    assert names(tmp_path) == {"demo"}


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".demo.new" / "bada"
    left.mkdir(parents=True)
    (left / "half.csv").touch()
    with put_in_place(tmp_path / "demo") as beside:
        assert names(beside) == set()
        (beside / "whole").touch()
    assert names(tmp_path) == {"demo"}
    assert names(tmp_path / "demo") == {"whole"}


def test_two_at_a_time_are_refused(tmp_path: Path) -> None:
    beside = tmp_path / ".demo.new"
    beside.mkdir()
    held = os.open(beside, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another command is writing it"), put_in_place(tmp_path / "demo"):
            pass
    finally:
        os.close(held)
    assert names(tmp_path) == {".demo.new"}
