from __future__ import annotations

from pathlib import Path

import pytest

from dure.errors import ConfigurationError
from dure.settings import check_environment, default_sites, read_settings, shipped_sites


def write(folder: Path, text: str) -> Path:
    (folder / "dure.yaml").write_text(text, "utf-8")
    return folder


def problems(folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as raised:
        read_settings(folder)
    return [(problem.where, problem.found) for problem in raised.value.problems]


def test_without_a_file_there_are_no_settings(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == {}


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "# 아직 없음\n")) == {}


def test_every_value_is_text_and_folders_lie_beside_the_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        "\ufefflake: 호수\nvocab: /data/vocab\nsource: ~/자료\nthreads: 08\nquiet: no\nas_of: 2026-03-15\nengine: sail\n",
    )
    assert read_settings(tmp_path) == {
        "lake": str(tmp_path / "호수"),
        "vocab": "/data/vocab",
        "source": str(Path.home() / "자료"),
        "threads": "08",
        "quiet": "no",
        "as_of": "2026-03-15",
        "engine": "sail",
    }


def test_sites_may_be_one_folder_or_several(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "sites: 병원설정\n")) == {"sites": [str(tmp_path / "병원설정")]}
    assert read_settings(write(tmp_path, "sites: [병원설정, /etc/dure/sites]\n")) == {
        "sites": [str(tmp_path / "병원설정"), "/etc/dure/sites"]
    }


def test_every_mistake_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "laek: 호수\nengine: sail\nengine: spark\nlake:\nthreads: [1, 2]\nsites: {a: b}\n무엇: 1\n")
    assert problems(tmp_path) == [
        ("dure.yaml:1", "no setting 'laek' (closest: 'lake')"),
        ("dure.yaml:3", "'engine' is given twice"),
        ("dure.yaml:4", "'lake' is not one value"),
        ("dure.yaml:5", "'threads' is not one value"),
        ("dure.yaml:6", "'sites' is not one value or a list of values"),
        ("dure.yaml:7", "no setting '무엇'"),
    ]


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("- lake\n", "dure.yaml:1", "no list of settings"),
        ("lake: [a\n", "dure.yaml:2", "no YAML: expected ',' or ']', but got '<stream end>'"),
        ("lake: \x01\n", "dure.yaml", "no YAML: a character that YAML forbids"),
    ],
)
def test_a_file_that_is_no_list_of_settings(tmp_path: Path, text: str, where: str, found: str) -> None:
    assert problems(write(tmp_path, text)) == [(where, found)]


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "dure.yaml").write_bytes("engine: sail\nlake: 호수\n".encode("cp949"))
    assert problems(tmp_path) == [("dure.yaml:2", "not UTF-8")]


def test_a_misspelt_variable_is_refused_and_a_stranger_is_not() -> None:
    check_environment({"DURE_LAKE": "a", "DURE_REQUIRE_ALL": "1", "LAKE": "b"})
    with pytest.raises(ConfigurationError) as raised:
        check_environment({"DURE_LAEK": "a", "DURE_SORUCE": "b", "DURE_VOCAB": "c"})
    assert [str(problem.where) + problem.found for problem in raised.value.problems] == [
        "DURE_LAEKno such setting (closest: 'DURE_LAKE')",
        "DURE_SORUCEno such setting (closest: 'DURE_SOURCE')",
    ]


def test_sites_are_looked_for_beside_the_work_and_then_among_the_examples(tmp_path: Path) -> None:
    shipped = shipped_sites()
    assert shipped is not None
    assert default_sites(tmp_path) == (shipped,)
    (tmp_path / "sites").mkdir()
    assert default_sites(tmp_path) == (tmp_path / "sites", shipped)


def test_the_examples_come_from_the_package_or_from_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "vocab_mappings"
    package = checkout / "dure" / "vocab"
    package.mkdir(parents=True)

    class Spec:
        submodule_search_locations = (str(package),)

    monkeypatch.setattr("dure.settings.find_spec", lambda name: Spec)
    assert shipped_sites() is None
    (checkout / "sites").mkdir()
    assert shipped_sites() == checkout / "sites"
    (package / "sites").mkdir()
    assert shipped_sites() == package / "sites"


def test_a_stranger_called_sites_in_site_packages_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "dure" / "vocab"
    package.mkdir(parents=True)
    (tmp_path / "site-packages" / "sites").mkdir()

    class Spec:
        submodule_search_locations = (str(package),)

    monkeypatch.setattr("dure.settings.find_spec", lambda name: Spec)
    assert shipped_sites() is None
