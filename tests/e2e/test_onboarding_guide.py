"""The page on onboarding, followed to the letter: its files written, its commands run, what they print compared.

`python tests/e2e/test_onboarding_guide.py` writes what the commands print now into the page.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/guide/onboard-a-hospital.md"
HOSPITAL = ROOT / "tests/e2e/unseen_hospital"
# Where the page pretends to be: the folder of the commands differs with each test.
SHOWN_FOLDER = "/data"
_PART = re.compile(
    r"^`(?P<file>sites/[^`\n]+)`\n\n```\w+\n(?P<content>.*?)^```$"
    r"|^```sh\n(?P<commands>.*?)^```$(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Printed:
    """One block of commands, what the page says they print, where it says so, and what they printed."""

    commands: str
    said: str | None
    place: tuple[int, int]
    found: str


def follow(page: str, folder: Path) -> Iterator[Printed]:
    """Does in `folder` what the page says, part by part."""
    subprocess.run([sys.executable, HOSPITAL / "saebyeok_extract.py", folder / "extract"], check=True)
    shutil.copytree(ROOT / "tests/scenarios/vocabulary", folder / "athena")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DURE_")} | {
        "PATH": path,
        "LC_ALL": "C.UTF-8",
    }
    for part in _PART.finditer(page):
        if part["file"]:
            target = folder / part["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(part["content"], encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-eu", "-c", part["commands"]],
            cwd=folder, env=environment, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, check=False, timeout=300,
        )  # fmt: skip
        refused = done.stdout.startswith("Error: ")
        assert done.returncode == (2 if refused else 0), f"{part['commands']}\n{done.stdout}"
        found = done.stdout.replace("\ufeff", "").replace("\r\n", "\n").replace(str(folder), SHOWN_FOLDER)
        yield Printed(part["commands"], part["printed"], part.span("printed"), found)


@pytest.mark.slow
def test_the_commands_print_what_the_page_says(tmp_path: Path) -> None:
    printed = list(follow(PAGE.read_text(encoding="utf-8"), tmp_path))
    assert len(printed) == 7
    for each in printed:
        assert each.found == each.said, f"{each.commands}stale: run python {Path(__file__).relative_to(ROOT)}"


def test_the_finished_folder_says_what_the_page_does() -> None:
    """Keys that the page's tables recommend stand in the finished site, views that it shows are among its views."""
    finished = (HOSPITAL / "sites/saebyeok/site.yaml").read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    for key in ("unit: bytes", "encoding: euc-kr", "delimiter: tab", "quote: ''", "may_be_empty: true", "{literal: 입원}",
                'delimiter: "|"', "{when: [9203], followed_by: [9201], within_hours: 24, becomes: 262}",
                "grain: many", "skip_lines: 1"):  # fmt: skip
        assert key in page.replace("\\|", "|"), key
        assert key in finished, key


def rewrite() -> None:
    """Puts what the commands print in the place of what the page says."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        printed = list(follow(page, Path(folder)))
    for each in reversed(printed):
        if each.said is not None:
            page = page[: each.place[0]] + each.found + page[each.place[1] :]
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    rewrite()
