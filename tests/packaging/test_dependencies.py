"""Bounds on every dependency, and a lock that is exactly what they lead to, on each Python that is supported."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYTHONS = ("3.11", "3.12", "3.13")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, Version]:
    """Package -> version, as requirements.lock has it."""
    lines = (repository / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def declared(project: dict) -> list[Requirement]:
    """Every requirement of pyproject.toml: to run, by extra, to develop and to build."""
    return [Requirement(text) for text in [*needed_here(project), *project["build-system"]["requires"]]]


def needed_here(project: dict) -> list[str]:
    extras = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    return [*project["project"]["dependencies"], *(text for each in [*extras, *groups] for text in each)]


def test_every_dependency_has_a_lower_and_an_upper_bound(project: dict) -> None:
    unbounded = []
    for requirement in declared(project):
        operators = {each.operator for each in requirement.specifier}
        if not operators & {">=", ">", "==", "~="} or not operators & {"<", "<=", "==", "~="}:
            unbounded.append(str(requirement))
    assert unbounded == []


def test_the_packages_that_were_asked_for_are_there(project: dict) -> None:
    names = {canonicalize_name(Requirement(text).name) for text in needed_here(project)}
    assert {"pyspark", "pandas", "sqlalchemy", "great-expectations", "click", "pytest"} <= names


def test_the_lock_holds_pins_and_nothing_of_the_machine_that_wrote_it(repository: Path) -> None:
    lines = (repository / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []


def test_the_lock_satisfies_the_bounds(project: dict, pins: dict[str, Version]) -> None:
    wrong = [
        f"{requirement}: the lock has {pins.get(canonicalize_name(requirement.name))}"
        for requirement in map(Requirement, needed_here(project))
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), Version("0")))
    ]
    assert wrong == [], "run: make lock"


def closure(project: dict, python: str, pins: dict[str, Version]) -> tuple[set[str], list[str]]:
    """Packages that the project leads to on that Python, and which of their requirements the lock does not meet."""
    waiting = [("pyproject.toml", Requirement(text)) for text in needed_here(project)]
    seen: set[tuple[str, frozenset[str]]] = set()
    unmet: list[str] = []
    while waiting:
        parent, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in pins or not requirement.specifier.contains(pins[name], prereleases=True):
            unmet.append(f"{parent} wants {requirement}, the lock has {pins.get(name)}")
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            texts = requires(name) or []
        except PackageNotFoundError:
            unmet.append(f"{parent} wants {requirement}, which is not installed here")
            continue
        for child in map(Requirement, texts):
            surroundings = {"python_version": python, "python_full_version": f"{python}.5"}
            extras = ["", *requirement.extras]
            if child.marker is None or any(child.marker.evaluate({**surroundings, "extra": e}) for e in extras):
                waiting.append((name, child))
    return {name for name, _ in seen}, unmet


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_is_complete_and_consistent_on_each_python(
    project: dict, pins: dict[str, Version], python: str
) -> None:
    _, unmet = closure(project, python, pins)
    assert unmet == [], "run: make lock"


def test_the_lock_has_nothing_that_no_python_needs(project: dict, pins: dict[str, Version]) -> None:
    needed = set().union(*(closure(project, python, pins)[0] for python in PYTHONS))
    assert sorted(set(pins) - needed) == [], "run: make lock"
