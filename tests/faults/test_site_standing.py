"""How sites stand, also where nothing was ever written down: `dure status`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filled_lake import FIRST, SECOND, SITE, build, lake_with_first

from dure.cli import main
from dure.ledger.address import address_of
from dure.ledger.facts import Outcome
from dure.ledger.store import Ledger
from dure.snapshot.holder import holder_of
from dure.snapshot.lake import Lake
from sample_run import sample_run

HOLDS = """
import sys
from pathlib import Path
from dure.snapshot.lake import Lake
with Lake(Path(sys.argv[1])).site(sys.argv[2]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lake_with_first(tmp_path / "호수")
    return tmp_path / "호수"


@contextmanager
def held(lake: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(lake), SITE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def status(capfd: pytest.CaptureFixture[str], *sites: str) -> list[dict[str, Any]]:
    assert main(["status", *sites, "--lake", "호수", "--json"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    found: list[dict[str, Any]] = json.loads(out)
    return found


def noted(lake: Path, **changed: Any) -> None:
    """A run that the ledger has, after the first snapshot."""
    address = address_of(None, lake)
    assert address is not None
    ledger = Ledger(address)
    ledger.prepare()
    ledger.save([sample_run(3, lake=str(lake), snapshot=None, **changed)])


def test_a_lake_without_a_ledger(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (found,) = status(capfd)
    assert (found["site"], found["state"], found["holder"]) == (SITE, "idle", None)
    assert list(found["snapshots"]) == ["latest"]
    latest = found["snapshots"]["latest"]
    assert (latest["snapshot"], latest["as_of"], latest["persons"]) == (FIRST, "2026-03-14", 2)
    assert latest["age_seconds"] > 0
    assert (found["last_run"]["snapshot"], found["last_run"]["outcome"]) == (FIRST, "built")
    assert found["next"] == f"dure check {SITE}: the latest snapshot has not passed"
    assert not (lake / "ledger.sqlite").exists()


def test_an_empty_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "호수").mkdir()
    assert status(capfd) == []
    assert main(["status", "--lake", "호수"]) == 0
    assert capfd.readouterr().out == "no site ever ran in this lake\n"


def test_a_site_that_nobody_knows_is_an_error(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "gangsan", "--lake", "호수"]) == 2
    assert capfd.readouterr().err == f"Error: site gangsan: never ran in this lake\n    it knows {SITE}\n"


def test_what_runs_now_is_seen_without_touching_its_lock(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with held(lake) as process:
        (found,) = status(capfd)
        assert (found["state"], found["holder"]["pid"], found["next"]) == ("running", process.pid, "wait until it ends")
        assert main(["status", "--lake", "호수"]) == 0
        assert "running since 20" in capfd.readouterr().out
        process.communicate()
    assert status(capfd)[0]["state"] == "idle"


def test_a_lock_file_that_says_nothing_is_no_holder(lake: Path) -> None:
    folder = Lake(lake).site(SITE).folder
    for text in ("", "null", "[]", "{", '{"pid": 1}', '{"pid": 1, "host": "a", "since": "어제"}'):
        (folder / "lock").write_text(text, "utf-8")
        assert holder_of(folder) is None


def test_what_was_killed_is_seen_to_have_died_until_the_next_run(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with held(lake) as process:
        process.kill()
    (found,) = status(capfd)
    assert (found["state"], found["holder"]["pid"], found["holder"]["holds"]) == ("died", process.pid, False)
    assert found["next"].startswith(f"dure run {SITE}")
    with Lake(lake).site(SITE).lock():
        pass
    assert status(capfd)[0]["state"] == "idle"


def test_a_lock_of_another_machine_is_taken_at_its_word(lake: Path) -> None:
    folder = Lake(lake).site(SITE).folder
    (folder / "lock").write_text('{"pid": 1, "host": "다른서버", "since": "2026-03-15T02:30:00+00:00"}', "utf-8")
    holder = holder_of(folder)
    assert holder is not None
    assert (holder.host, holder.holds) == ("다른서버", None)


@pytest.mark.parametrize(
    ("outcome", "code", "next_one"),
    [
        (Outcome.FAILED, 3, f"dure show {sample_run(3).id}: it says what to do"),
        (Outcome.INTERRUPTED, 143, f"dure run {SITE}: it was stopped"),
        (Outcome.STOPPED, 6, f"dure run {SITE}: its time was up"),
        (Outcome.CLOSED, 1, f"dure path {SITE} --latest --reports: why the gate is closed"),
        (Outcome.DIED, 137, f"dure run {SITE}: nothing that stands was harmed"),
    ],
)
def test_what_to_do_next_follows_from_the_last_run(
    lake: Path, capfd: pytest.CaptureFixture[str], outcome: Outcome, code: int, next_one: str
) -> None:
    noted(lake, outcome=outcome, exit_code=code)
    (found,) = status(capfd, SITE)
    assert (found["last_run"]["exit_code"], found["next"]) == (code, next_one)


def test_what_to_do_next_follows_from_the_snapshots(lake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    site = Lake(lake).site(SITE)

    def next_one() -> str:
        return str(status(capfd)[0]["next"])

    with site.lock():
        site.set_pointer("passed", FIRST)
    assert next_one() == f"dure publish {SITE}, where it is to leave"
    with site.lock():
        site.set_pointer("published", FIRST)
    assert next_one() == "nothing"
    assert main(["status", "--lake", "호수"]) == 0
    row = capfd.readouterr().out.splitlines()[1]
    assert row.count("the latest") == 2 and row.count(FIRST) == 1
    with site.lock():
        build(site, SECOND)
    assert next_one() == f"dure check {SITE}: the latest snapshot has not passed"
    (site.snapshot(SECOND) / "manifest.json").write_text("{}")
    assert next_one() == f"dure path {SITE}: a pointer names a snapshot that cannot be read"
