"""One run at a time for a site; the lock goes with its holder, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filled_lake import SITE

from dure.errors import ExitCode, SiteLockedError
from dure.snapshot.lake import Lake

HOLDER = """
import sys
from pathlib import Path
from dure.snapshot.lake import Lake
with Lake(Path(sys.argv[1])).site(sys.argv[2]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(lake: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the site's lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lake), SITE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_is_told_who_holds_the_site_and_since_when(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        written = json.loads((tmp_path / "sites" / SITE / "lock").read_text())
        for _ in range(2):  # the first refusal must not wipe out who holds it
            with pytest.raises(SiteLockedError) as raised, Lake(tmp_path).site(SITE).lock():
                pass
            assert raised.value.exit_code is ExitCode.SITE_LOCKED
            assert raised.value.problems[0].found == (
                f"another run holds the site {SITE}: process {process.pid} on {os.uname().nodename}, "
                f"since {written['since']}"
            )


def test_the_lock_goes_when_its_holder_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        site = Lake(tmp_path).site(SITE)
        with site.lock():
            assert json.loads((tmp_path / "sites" / SITE / "lock").read_text())["pid"] == os.getpid()
    assert (tmp_path / "sites" / SITE / "lock").read_text() == ""


def test_a_lock_is_free_after_an_error_inside(tmp_path: Path) -> None:
    site = Lake(tmp_path).site(SITE)
    with pytest.raises(ZeroDivisionError), site.lock():
        _ = 1 / 0
    with site.lock():
        assert site.begin("20260315T010000Z").leftovers == ()


def test_sites_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with holder(tmp_path), Lake(tmp_path).site("강산").lock():
        assert Lake(tmp_path).sites() == ("강산", SITE)


def test_a_holder_that_has_not_yet_said_who_it_is(tmp_path: Path) -> None:
    with holder(tmp_path):
        os.truncate(tmp_path / "sites" / SITE / "lock", 0)
        said = f"another run holds the site {SITE}, started this moment"
        with pytest.raises(SiteLockedError, match=said), Lake(tmp_path).site(SITE).lock():
            pass
