"""docs/guide/demo-data.md says of the dirt what the generator's data say."""

from __future__ import annotations

from pathlib import Path

from dure.demo.generate.catalogue import read
from dure.demo.generate.seeds import BLOCK

PAGE = Path(__file__).resolve().parents[3] / "docs/guide/demo-data.md"


def test_the_table_of_dirt_is_that_of_the_catalogue() -> None:
    page = PAGE.read_text("utf-8")
    listed = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 6]
    meant = [
        f"| `{row['kind']}` | {row['share']} | {row['of']} | {', '.join(row['hospitals'].split())} | {row['ends']} |"
        for row in read("dirt_kinds")
    ]
    assert listed == meant


def test_figures_of_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert f"blocks of {BLOCK:,}" in page
    assert [row["fact"] for row in read("facts") if row["evidence"] == "none"] == [
        "fev1",
        "fvc",
        "herbal_decoction",
        "special_meal",
        "sleep",
    ]
