"""How a command shows a table: aligned for people, as CSV for spreadsheets, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

import click

Shown = Literal["table", "csv", "json"]
_WIDEST = 60

format_option = click.option(
    "--format",
    "shown",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="A table for people, CSV for spreadsheets, JSON for programs.",
)


def show(columns: Sequence[str], rows: Sequence[Mapping[str, object]], shown: str) -> None:
    """Writes rows to standard output; a table without rows writes its header all the same."""
    if shown == "json":
        kept = [{name: row.get(name) for name in columns} for row in rows]
        click.echo(json.dumps(kept, ensure_ascii=False, indent=1))
    elif shown == "csv":
        from dure.vocab.spreadsheet import csv_text

        click.echo(csv_text(columns, ([row.get(name) for name in columns] for row in rows)), nl=False)
    else:
        for line in table_lines(columns, rows):
            click.echo(line)


def table_lines(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The rows as aligned lines under a header; numbers stand right, long texts are cut, Hangul counts two columns."""
    from rich.cells import cell_len, set_cell_size

    cells = [[_text(row.get(name)) for name in columns] for row in rows]
    numeric = [any(_is_number(row.get(name)) for row in rows) or name.endswith("_%") for name in columns]
    headers = [name.replace("_", " ") for name in columns]
    widths = [
        min(_WIDEST, max(cell_len(text) for text in (header, *(line[n] for line in cells))))
        for n, header in enumerate(headers)
    ]

    def line(texts: Sequence[str]) -> str:
        padded = []
        for text, width, right in zip(texts, widths, numeric, strict=True):
            if cell_len(text) > width:
                text = set_cell_size(text, width - 1) + "…"
            padded.append(" " * (width - cell_len(text)) + text if right else text + " " * (width - cell_len(text)))
        return "  ".join(padded).rstrip()

    return [line(headers), line(["─" * width for width in widths]), *(line(texts) for texts in cells)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value >= 10_000:
        return f"{value:,}"
    # A tab or an escape sequence in a hospital's code must not move what stands beside it.
    return "".join(character if character.isprintable() else " " for character in str(value))
