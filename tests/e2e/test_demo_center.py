"""The demonstration of the center: hospitals run, publish, are received and reported, and a second time changes nothing."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from dure.center.report.written import PAGE
from dure.center.store import CenterStore
from dure.cli.commands import cli
from dure.demo.center import NAMES

pytestmark = [pytest.mark.slow, pytest.mark.together]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demonstration, and what it printed."""
    out = tmp_path_factory.mktemp("시범")
    asked = ["demo", "center", "--patients", "60", "--out", str(out), "--threads", "2", "--today", "2026-03-15"]
    done = CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return out, done.stdout


def test_each_hospital_is_received_and_compared(shown: tuple[Path, str]) -> None:
    out, said = shown
    store = CenterStore(out / "center")
    assert store.current() == dict.fromkeys(NAMES, 1)
    for summary in store.summaries():
        assert summary.name == NAMES[summary.site]
        assert summary.gate == "open"
        assert summary.recomputed.checks > 0
        assert summary.recomputed.differ == 0
    assert sum(f"{site:10}      received" in said for site in NAMES) == len(NAMES)


def test_what_was_sent_is_encrypted_and_the_report_names_the_hospitals(shown: tuple[Path, str]) -> None:
    out, said = shown
    sent = sorted(path.name for path in (out / "sent").iterdir())
    assert sent == [f"{site}-000001.dure" for site in sorted(NAMES)]
    page = (out / "report" / PAGE).read_text("utf-8")
    assert all(name in page for name in NAMES.values())
    assert str(out / "report" / PAGE) in said
    counted = json.loads((out / "catalogue/catalogue.json").read_bytes())
    assert counted


def test_sent_again_it_is_recognised(shown: tuple[Path, str]) -> None:
    from dure.center.receive.receive import ReceiveOptions, receive_packages
    from dure.progress import SilentProgress

    out, _ = shown
    options = ReceiveOptions(
        packages=(out / "sent/bada-000001.dure",),
        store=out / "center",
        now=datetime.combine(date(2026, 3, 16), datetime.min.time()).astimezone(),
        seed=2,
        identity=out / "keys/center/center.key",
    )
    (again,) = receive_packages(options, SilentProgress())
    assert (again.outcome, again.site, again.sequence) == ("already here", "bada", 1)
