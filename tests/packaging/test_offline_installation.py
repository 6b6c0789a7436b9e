"""A machine without a network installs from the folder that `make wheelhouse` made, and works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.together]


def surroundings(folder: Path) -> dict[str, str]:
    """An environment in which pip knows no index, no configuration and no cache of this machine."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.fixture(scope="module")
def wheelhouse(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("carried") / "wheelhouse"
    inherited = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(
        ["make", "--no-print-directory", "wheelhouse", f"WHEELHOUSE={folder}"],
        cwd=repository, env=inherited, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a new environment into which dure was installed without an index."""
    folder = tmp_path_factory.mktemp("offline")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "v")], env=surroundings(folder), check=True)
    subprocess.run(
        [folder / "v/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheelhouse, "dure"],
        cwd=folder, env=surroundings(folder), check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    yield folder
    shutil.rmtree(folder)


def say(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [folder / "v/bin" / command[0], *command[1:]],
        cwd=folder, env=surroundings(folder), check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout


def test_the_wheelhouse_holds_wheels_alone_one_for_each_pin(wheelhouse: Path, repository: Path) -> None:
    lock = (repository / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in lock.splitlines() if "==" in line]
    names = sorted(path.name for path in wheelhouse.iterdir())
    wheels = [name for name in names if name.endswith(".whl")]
    assert [name for name in names if name not in wheels] == ["deploy", "requirements.lock"]
    assert len(wheels) == len(pins) + 1
    assert (wheelhouse / "requirements.lock").read_text(encoding="utf-8") == lock
    units = [path.name for path in sorted((wheelhouse / "deploy/systemd").iterdir())]
    assert units == ["dure@.service", "dure@.timer", "hospital.env"]


def test_the_command_answers(installed: Path) -> None:
    assert say(installed, "dure", "--version").split()[-1] == "0.1.0"


def test_the_example_site_that_travels_in_the_wheel_is_valid(installed: Path) -> None:
    say(installed, "dure", "validate", "synthea")


def test_every_module_can_be_imported_without_the_checkout(installed: Path, repository: Path) -> None:
    script = (
        "import dure, importlib, pkgutil\n"
        "names = sorted(each.name for each in pkgutil.walk_packages(dure.__path__, 'dure.')"
        " if not each.name.endswith('__main__'))\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(list(dure.__path__), *names, sep='\\n')"
    )
    printed = say(installed, "python", "-c", script).splitlines()
    assert str(repository) not in printed[0]
    assert {"dure.cli", "dure.run", "dure.vocab", "dure.site", "dure.landing"} <= set(printed[1:])
