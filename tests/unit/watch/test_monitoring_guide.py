"""docs/guide/monitoring.md names what there is: metrics, events, fields of the webhook, the order of exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from dure.cli.run_all import WORST_FIRST
from dure.errors import ExitCode
from dure.settings import SETTINGS
from dure.watch.metrics import _HELP
from dure.watch.webhook import document
from sample_run import sample_run


@pytest.fixture(scope="module")
def guide(repository: Path) -> str:
    return (repository / "docs/guide/monitoring.md").read_text("utf-8")


def test_every_metric_is_in_the_guide_and_no_other(guide: str) -> None:
    named = set(re.findall(r"`(dure_[a-z_]+)", guide)) | set(
        re.findall(r"expr: '?(?:time\(\) - )?(dure_[a-z_]+)", guide)
    )
    assert named == set(_HELP)


def test_the_document_of_the_webhook_is_the_one_posted(guide: str) -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    posted = document(sample_run())
    assert list(json.loads(shown)) == list(posted)
    assert list(json.loads(shown)["counts"]) == list(posted["counts"])


def test_the_settings_and_alerts_are_what_they_seem(guide: str) -> None:
    settings, alerts = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL))
    assert set(settings) <= set(SETTINGS)
    assert [rule["alert"] for rule in alerts["groups"][0]["rules"]] == ["DureFailed", "DureSilent", "DureOld"]


def test_exit_codes_and_their_order(guide: str) -> None:
    table = guide.partition("## Exit codes")[2].partition("## ")[0]
    assert {int(code) for code in re.findall(r"^\| ([0-9]+)[ ,]", table, re.MULTILINE)} == {*map(int, ExitCode), 130}
    order = [137 if code is None else int(code) for code in WORST_FIRST]
    assert f"70, then that of a killed process (137), {', '.join(map(str, order[2:]))}." in guide
