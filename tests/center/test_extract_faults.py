"""Extracts that are cut off: nothing half-made is given out, and the log never lacks one that was."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from asked import REQUEST, Center, fill, rows
from made_store import vocabulary

from dure.center.extract import extract as module
from dure.center.extract.audit import AuditLog
from dure.cli import main
from dure.engine import Engine, EngineOptions, engine
from dure.publish.keygen import make_keys
from dure.snapshot.durable import LakeError


@pytest.fixture(scope="module")
def sail() -> Iterator[Engine]:
    with engine(EngineOptions(threads=min(2, os.cpu_count() or 1))) as running:
        yield running


@pytest.fixture
def center(sail: Engine, tmp_path: Path) -> Center:
    fill(tmp_path / "store")
    make_keys(tmp_path / "keys", "site")
    return Center(tmp_path, vocabulary(tmp_path / "vocab"), tmp_path / "keys", lambda _: nullcontext(sail))


def events(center: Center) -> list[str]:
    return [line["event"] for line in AuditLog(center.store).lines()]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write_crosswalk", "write_table", "measure_tables"])
def test_what_stops_it_is_on_record_and_nothing_is_given_out(
    center: Center, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(module, step, stop)
        with pytest.raises(type(error)):
            center.ask()
    assert events(center) == ["attempted", "failed"]
    assert not (center.root / "given").exists()
    assert not (center.store / ".extracting").exists()
    assert center.ask().place is not None
    assert events(center) == ["attempted", "failed", "attempted", "completed"]


def test_a_place_that_cannot_be_written_leaves_a_line_that_says_so(center: Center) -> None:
    (center.root / "given").write_text("a file", "utf-8")
    with pytest.raises(LakeError):
        center.ask()
    assert events(center) == ["attempted", "completed", "failed"]


KILLED = """
import os, sys
from dure.center.extract import audit, extract
from dure.cli import main

point, number = sys.argv[1], int(sys.argv[2])
module, name = (extract, "write_folder") if point == "write_folder" else (audit, "replace_file")
before, calls = getattr(module, name), 0

def dies(*given):
    global calls
    calls += 1
    if calls == number and point != "after":
        os._exit(9)
    made = before(*given)
    if calls == number:
        os._exit(9)
    return made

setattr(module, name, dies)
main(sys.argv[3:])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "number", "known"),
    [("before", 1, 0), ("after", 1, 1), ("before", 2, 1), ("after", 2, 2), ("write_folder", 1, 2)],
)
def test_a_killed_extract_leaves_a_log_that_is_whole(center: Center, point: str, number: int, known: int) -> None:
    key, own = center.project()
    request = center.root / "request.yaml"
    request.write_text(REQUEST.replace("KEY", own), encoding="utf-8")
    arguments = [
        *("center", "extract", str(request), "--store", str(center.store), "--vocab", str(center.vocabulary.folder)),
        *("--to", str(center.root / "given"), "--key", str(key), "--sign-key", str(center.keys / "signing.key")),
    ]
    text = request.read_text("utf-8").replace("2026-12-31", "2999-12-31")
    request.write_text(text, encoding="utf-8")
    died = subprocess.run(
        [sys.executable, "-c", KILLED, point, str(number), *arguments], capture_output=True, check=False, timeout=120
    )
    assert died.returncode == 9
    log = AuditLog(center.store)
    assert log.verify().number == known
    assert not (center.root / "given").exists() or not list((center.root / "given").iterdir())
    assert center.ask().place is not None
    assert log.verify().number == known + 2


def test_the_command_gives_it_out_and_the_log_finds_it(center: Center, capfd: pytest.CaptureFixture[str]) -> None:
    key, own = center.project()
    request = center.root / "요청.yaml"
    request.write_text(REQUEST.replace("KEY", own).replace("2026-12-31", "2999-12-31"), encoding="utf-8")
    arguments = [
        *("center", "extract", str(request), "--store", str(center.store), "--vocab", str(center.vocabulary.folder)),
        *("--to", str(center.root / "제공"), "--key", str(key)),
    ]
    assert main(arguments) == 2
    assert "--sign-key: not given" in capfd.readouterr().err
    assert main([*arguments, "--dry-run"]) == 0
    assert "persons: 39" in capfd.readouterr().out
    assert main([*arguments, "--sign-key", str(center.keys / "signing.key"), "--quiet"]) == 0
    assert capfd.readouterr().out == ""
    (place,) = (center.root / "제공").iterdir()
    assert len(rows(place, "person")) == 39
    signed = ["--verify-key", str(center.keys / "signing.pub"), "--package", str(place)]
    assert main(["center", "audit", "--store", str(center.store), *signed]) == 0
    assert "4 lines, whole; 2 signed (checked); 1 packages found" in capfd.readouterr().out
    said = json.loads((place / "manifest.json").read_bytes())
    (place / "manifest.json").write_text(json.dumps(said | {"persons": 38}), "utf-8")
    assert main(["center", "audit", "--store", str(center.store), *signed]) == 70
    assert "is no package that the log says was completed" in capfd.readouterr().err
