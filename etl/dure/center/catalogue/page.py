"""The page `catalogue.html`: one file without any reference to another, in Korean and English."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dure.center.catalogue.entries import Entry
from dure.quality.evidence.report.data_block import data_block

_FOLDER = Path(__file__).parent
# With more counts than these a browser would take seconds to open the page: it then has the totals only.
MOST_CELLS = 1_000_000


class PageRows:
    """The rows of the page as they come, each already as text: what they take in memory is what the page takes on disk."""

    def __init__(self, most_cells: int = MOST_CELLS) -> None:
        self.tables: dict[str, int] = {}
        self.rows: list[str] = []
        self._cells: list[str] = []
        self._count = 0
        self._most = most_cells

    @property
    def with_cells(self) -> bool:
        return self._count <= self._most

    def add(self, one: Entry) -> None:
        self._count += len(one.cells)
        table = self.tables.setdefault(one.table, len(self.tables))
        row = [table, one.concept_id, one.name, one.of_all, one.persons, one.records, one.years, one.places]
        self.rows.append(_compact(row)[:-1])
        if self.with_cells:
            self._cells.append(_compact(one.cells))
        else:
            self._cells.clear()

    def text(self) -> str:
        cells = self._cells if self.with_cells else ["null"] * len(self.rows)
        return "[" + ",\n".join(f"{row},{own}]" for row, own in zip(self.rows, cells, strict=True)) + "]"


def page_html(head: Mapping[str, Any], rows: PageRows) -> bytes:
    """The page of one catalogue; Korean first, and English by one button."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    script, style = ((_FOLDER / name).read_text("utf-8") for name in ("page.js", "page.css"))
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = {"head": head, "words": words(), "tables": list(rows.tables), "rows": "@rows"}
    page = environment.get_template("page.html").render(
        words=words(),
        head=head,
        tables=sorted(rows.tables),
        script=script,
        style=style,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=data_block(data).replace('"@rows"', _in_script(rows.text()), 1),
    )
    return page.encode()


def words() -> dict[str, dict[str, str]]:
    """Language -> key -> text."""
    with (_FOLDER / "words.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return {language: {row["key"]: row[language] for row in table} for language in ("ko", "en")}


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _in_script(text: str) -> str:
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
