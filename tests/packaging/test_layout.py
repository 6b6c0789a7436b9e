"""The namespace package over three folders, and the wheel that comes of it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

PORTIONS = ("etl", "vocab_mappings", "quality_checks")
# Folder of the checkout -> where the wheel has it: data, not modules.
DATA = {
    "vocab_mappings/sites": "dure/vocab/sites",
    "vocab_mappings/demo_vocabulary": "dure/vocab/demo_vocabulary",
    "quality_checks/suites": "dure/quality/suites",
}


def shipped_files(repository: Path) -> dict[str, Path]:
    """Path inside the wheel -> file of the checkout: modules and the data beside them, over the three portions."""
    return {
        path.relative_to(repository / portion).as_posix(): path
        for portion in PORTIONS
        for path in (repository / portion / "dure").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def python_files(repository: Path) -> dict[str, Path]:
    return {name: path for name, path in shipped_files(repository).items() if path.suffix == ".py"}


def test_no_portion_claims_the_namespace_for_itself(repository: Path) -> None:
    claimed = [portion for portion in PORTIONS if (repository / portion / "dure/__init__.py").exists()]
    assert claimed == [], "an __init__.py directly in dure/ hides the other portions: remove it"


def test_every_subpackage_is_a_regular_package(repository: Path) -> None:
    folders = {path.parent for path in python_files(repository).values() if path.parent.name != "dure"}
    assert sorted(str(folder) for folder in folders if not (folder / "__init__.py").exists()) == []


def test_no_module_lies_in_two_portions(repository: Path) -> None:
    names = [
        path.relative_to(repository / portion).as_posix()
        for portion in PORTIONS
        for path in (repository / portion / "dure").rglob("*.py")
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_import_check_sees_the_modules_of_all_portions(repository: Path) -> None:
    expected = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in python_files(repository)
    }
    assert expected - grimp.build_graph("dure", cache_dir=None).modules == set()


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(repository)], check=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.mark.together
def test_the_wheel_installs_dure_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist()} == {"dure", "dure-0.1.0.dist-info"}


@pytest.mark.together
def test_the_wheel_holds_every_file_of_the_portions(wheel: zipfile.ZipFile, repository: Path) -> None:
    data = tuple(f"{place}/" for place in DATA.values())
    packed = {name for name in wheel.namelist() if name.startswith("dure/") and not name.startswith(data)}
    assert packed == set(shipped_files(repository))
    assert "dure/__init__.py" not in packed


@pytest.mark.together
@pytest.mark.parametrize(("folder", "place"), DATA.items())
def test_the_wheel_carries_sites_suites_and_the_demonstration_vocabulary_as_data(
    wheel: zipfile.ZipFile, repository: Path, folder: str, place: str
) -> None:
    files = {
        f"{place}/{path.relative_to(repository / folder).as_posix()}": path.read_bytes()
        for path in (repository / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    assert {name: wheel.read(name) for name in wheel.namelist() if name.startswith(f"{place}/")} == files


@pytest.mark.together
def test_the_wheel_carries_every_example_hospital_and_their_consortium(wheel: zipfile.ZipFile) -> None:
    wanted = {f"dure/vocab/sites/{name}/site.yaml" for name in ("synthea", "haneul", "bada", "gangsan")}
    assert wanted | {"dure/vocab/sites/consortia/korea/consortium.yaml"} <= set(wheel.namelist())
    assert "dure/vocab/demo_vocabulary/CONCEPT.csv" in wheel.namelist()


@pytest.mark.together
def test_the_wheel_carries_the_licence(wheel: zipfile.ZipFile, repository: Path) -> None:
    assert wheel.read("dure-0.1.0.dist-info/licenses/LICENSE") == (repository / "LICENSE").read_bytes()


def test_the_licence_is_the_whole_of_apache_2(repository: Path) -> None:
    text = (repository / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n" in text
    assert "Version 2.0, January 2004" in text
    for section in ("1. Definitions.", "2. Grant of Copyright License.", "3. Grant of Patent License.",
                    "9. Accepting Warranty or Additional Liability.", "END OF TERMS AND CONDITIONS"):  # fmt: skip
        assert section in text
    assert len(text) > 11_000
