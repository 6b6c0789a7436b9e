"""The files of `deploy/` do what they say: units that systemd takes, a cron line that sh runs, an image that can be built."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import click
import pytest

from dure.cli.commands import cli

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A stand-in for the command, which writes down how it was called and ends with code 3."""
    command = tmp_path / "bin" / "dure"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\n{{ echo "$@"; echo "$DURE_SOURCE"; echo "$LANG"; umask; }} > {tmp_path}/called\nexit 3\n', "utf-8"
    )
    command.chmod(0o755)
    return command


@pytest.fixture
def units(repository: Path, tmp_path: Path, recorded: Path) -> Path:
    """The units, with the command where it is on this machine."""
    folder = tmp_path / "units"
    folder.mkdir()
    for file in sorted((repository / "deploy/systemd").glob("dure@.*")):
        text = file.read_text("utf-8").replace("/opt/dure/bin/dure", str(recorded))
        (folder / file.name).write_text(text, "utf-8")
    return folder


def systemd(*arguments: object) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("DURE_REQUIRE_ALL"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed: Debian has it in the package systemd")
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("unit", ["dure@.service", "dure@.timer"])
def test_systemd_takes_the_unit_without_a_word(units: Path, unit: str) -> None:
    done = systemd("verify", units / unit)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_systemd_would_not_take_a_unit_with_a_mistake(units: Path) -> None:
    service = units / "dure@.service"
    service.write_text(service.read_text("utf-8").replace("Type=oneshot", "Type=oneshoot"), "utf-8")
    assert "oneshoot" in systemd("verify", service).stderr


def test_the_timer_knows_when(repository: Path) -> None:
    timer = (repository / "deploy/systemd/dure@.timer").read_text("utf-8")
    (when,) = re.findall(r"^OnCalendar=(.+)$", timer, re.MULTILINE)
    assert systemd("calendar", when).returncode == 0
    assert "Persistent=true" in timer.splitlines()


def test_a_korean_hospital_has_a_unit_of_its_own() -> None:
    """%I gives the name back that systemd-escape took."""
    if shutil.which("systemd-escape") is None:
        systemd()
    escape = ["systemd-escape", "--template=dure@.service", "바다병원"]
    unit = subprocess.run(escape, capture_output=True, text=True, check=True).stdout.strip()
    back = subprocess.run(
        ["systemd-escape", "--unescape", "--instance", unit], capture_output=True, text=True, check=True
    )
    assert back.stdout.strip() == "바다병원"


def options_of(command: str) -> set[str]:
    """The variables that a command of dure reads."""
    found = cli.commands[command]
    return {each.envvar for each in found.params if isinstance(each, click.Option) and isinstance(each.envvar, str)}


def test_the_environment_file_names_options_of_dure_run(repository: Path) -> None:
    lines = (repository / "deploy/systemd/hospital.env").read_text("utf-8").splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert {"DURE_SOURCE", "DURE_VOCAB", "DURE_LAKE", "DURE_SITES"} <= names
    assert {name for name in names if name.startswith("DURE_")} <= options_of("run")


def test_the_cron_line_runs_the_hospital_and_is_loud_when_it_fails(
    repository: Path, tmp_path: Path, recorded: Path
) -> None:
    """The line as cron hands it to sh: with next to no environment; its output is what cron mails."""
    lines = (repository / "deploy/cron/dure").read_text("utf-8").splitlines()
    (line,) = [each for each in lines if each[:1].isdigit()]
    fields = line.split(maxsplit=6)
    assert fields[:6] == ["30", "1", "*", "*", "*", "dure"]
    variables = dict(each.split("=", 1) for each in lines if re.match(r"[A-Z]+=", each))
    environment_file = tmp_path / "haneul.env"
    shutil.copy(repository / "deploy/systemd/hospital.env", environment_file)
    command = fields[6].replace("/opt/dure/bin/dure", str(recorded)).replace("/etc/dure", str(tmp_path))
    command = command.replace("/var/lib/dure", str(tmp_path))
    assert "%" not in command  # cron would make a new line of it
    done = subprocess.run(
        [variables.pop("SHELL"), "-c", command],
        env={"PATH": os.defpath, **variables}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "dure run haneul: exit code 3\n"
    said = (tmp_path / "called").read_text("utf-8").splitlines()
    assert said == ["run haneul --log-format json", "/data/extracts/haneul", "C.UTF-8", "0077"]
    assert stat.S_IMODE((tmp_path / "haneul.log").stat().st_mode) == 0o600


def test_the_container_file_takes_what_make_wheelhouse_makes_and_names_options_that_exist(repository: Path) -> None:
    """No engine for images is asked: what its steps do, the offline installation's test does on this machine."""
    text = (repository / "deploy/container/Containerfile").read_text("utf-8")
    steps = dict(re.findall(r"^(COPY|RUN|USER|ENTRYPOINT) (.+)$", text, re.MULTILINE))
    assert steps["COPY"] == "wheelhouse /wheelhouse"
    assert "--no-index --find-links /wheelhouse dure" in steps["RUN"]
    assert steps["USER"] == "10001:10001"
    assert steps["ENTRYPOINT"] == '["dure"]'
    named = set(re.findall(r"\b(DURE_[A-Z]+)=", text))
    assert named == {"DURE_SOURCE", "DURE_VOCAB", "DURE_SITES", "DURE_LAKE"}
    assert named <= options_of("run")
