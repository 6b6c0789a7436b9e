"""Data Docs: pages of every suite, without a value of a row and without a reference to another host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from great_expectations.data_context import AbstractDataContext

import sample_validation as sample
from dure.errors import ConfigurationError
from dure.quality.evidence.data_docs import build_data_docs


@pytest.fixture
def validated() -> AbstractDataContext:
    return sample.validated()


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.html")}


def test_the_pages_hold_counts_and_no_value(validated: AbstractDataContext, tmp_path: Path) -> None:
    build_data_docs(validated, tmp_path / "docs")
    pages = texts(tmp_path / "docs")
    (result,) = [text for name, text in pages.items() if name.startswith("validations/person/")]
    assert {"index.html", "expectations/person.html"} < set(pages)
    shown = re.sub(r"<[^>]*>|\s+", " ", result)
    assert re.search(r"1 unexpected values? found\. +50% of 2 total rows\.|50%", shown)
    assert "field_a: at most 5 % of its rows may be violated." in shown
    assert [name for name, text in pages.items() if sample.VALUE in text] == []


def test_the_pages_ask_nobody_for_anything(validated: AbstractDataContext, tmp_path: Path) -> None:
    build_data_docs(validated, tmp_path / "docs")
    for text in texts(tmp_path / "docs").values():
        assert "default-src 'none'" in text
        assert re.findall(r"<script|<iframe|\son\w+=|//[\w.-]+\.\w+/", text) == []


def test_building_again_replaces_what_was_there(validated: AbstractDataContext, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    old = docs / "validations" / "old.html"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    build_data_docs(validated, docs)
    assert not old.exists() and (docs / "index.html").is_file()


def test_a_folder_of_something_else_is_left_alone(validated: AbstractDataContext, tmp_path: Path) -> None:
    (tmp_path / "thesis.hwp").write_text("논문")
    with pytest.raises(ConfigurationError, match="holds other files than Data Docs"):
        build_data_docs(validated, tmp_path)
    assert (tmp_path / "thesis.hwp").read_text() == "논문"
