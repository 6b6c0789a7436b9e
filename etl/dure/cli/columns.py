"""Rows as aligned text on a terminal, where a Hangul syllable takes two columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str] = frozenset()) -> Iterator[str]:
    """A line for the head and one for each row; the columns named in `right` are aligned right."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = []
        for name, text, width in zip(head, row, widths, strict=True):
            blank = " " * (width - cell_len(text))
            cells.append(blank + text if name in right else text + blank)
        yield "  ".join(cells).rstrip()


def local(moment: datetime | None) -> str:
    """A moment by the clock on the wall."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "-"


def age(moment: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that says something."""
    passed = max(now - moment, timedelta())
    if passed.days >= 2:
        return f"{passed.days} d"
    hours, minutes = divmod(int(passed.total_seconds()) // 60, 60)
    return f"{hours} h" if hours >= 2 else f"{hours * 60 + minutes} min"


def number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def text(value: object) -> str:
    return "-" if value is None or value == "" else str(value)
