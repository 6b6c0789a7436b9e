"""The charts of the report, drawn by Matplotlib as SVG that stands in the page.

Text stays text, so that no font has to be on the machine that draws; the page's style sheet chooses the font.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

PASSED, FAILED, ACCENT, SECOND, GRID, INK = "#1f6f43", "#b3261e", "#1d4f91", "#8a5a00", "#d5dae1", "#1a1f26"
_STYLE: dict[RcKeyType, str | float | bool] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dure",
    "font.size": 10,
    "text.parse_math": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
_WIDTH, _BAR = 5.6, 0.27
_ID = re.compile(r'(\bid="|href="#|url\(#)')


def stacked_bars(name: str, label: str, rows: Mapping[str, Sequence[int]], series: Sequence[tuple[str, str]]) -> str:
    """Horizontal bars, one a row, a part a series; `series` are (words, colour). The whole stands after the bar."""
    with _drawn(name, label, len(rows) * 1.5) as (axes, svg):
        left = [0] * len(rows)
        for i, (words, colour) in enumerate(series):
            widths = [values[i] for values in rows.values()]
            axes.barh(list(rows), widths, left=left, color=colour, label=words, height=0.6)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        for row, (values, end) in enumerate(zip(rows.values(), left, strict=True)):
            told = " + ".join(f"{value:,}" for value in values if value)
            axes.annotate(told, (end, row), xytext=(5, 0), textcoords="offset points", va="center")
        axes.set_xlim(0, max([*left, 1]) * 1.25)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=len(series))
    return svg[0]


def share_bars(
    name: str, label: str, rows: Mapping[str, Sequence[float | None]], series: Sequence[tuple[str, str]]
) -> str:
    """Horizontal bars of shares from 0 to 100 %, a bar a series in each row; None has no bar."""
    with _drawn(name, label, len(rows) * (0.6 + 0.5 * len(series))) as (axes, svg):
        height = 0.76 / len(series)
        for i, (words, colour) in enumerate(series):
            places = [row - 0.38 + height * (i + 0.5) for row in range(len(rows))]
            shares = [100 * (values[i] or 0.0) for values in rows.values()]
            axes.barh(places, shares, color=colour, label=words, height=height * 0.9)
            for place, values, share in zip(places, rows.values(), shares, strict=True):
                axes.text(share + 1, place, "–" if values[i] is None else percent(share / 100), va="center", fontsize=9)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 116)
        axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.grid(False, axis="y")
        if len(series) > 1:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(series))
    return svg[0]


def share_lines(name: str, label: str, days: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """Lines of shares over snapshots, each with its own mark so that they differ without colour."""
    with _drawn(name, label, 9) as (axes, svg):
        marks = iter(((ACCENT, "o", "-"), (SECOND, "s", "--")))
        for words, values in series.items():
            colour, mark, line = next(marks)
            shares = [None if value is None else 100 * value for value in values]
            axes.plot(_floats(shares), color=colour, marker=mark, linestyle=line, label=words)
        _days(axes, days)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(series))
    return svg[0]


def count_lines(name: str, label: str, days: Sequence[str], series: Mapping[str, Sequence[int]]) -> str:
    """Lines of counts over snapshots on a logarithmic axis, each named at its end."""
    with _drawn(name, label, 9) as (axes, svg):
        marks = "osD^vP*X"
        for i, (words, values) in enumerate(series.items()):
            shade = (ACCENT, SECOND, PASSED, FAILED)[i % 4]
            shown = [value or None for value in values]
            axes.plot(_floats(shown), color=shade, marker=marks[i % 8], label=words)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.minorticks_off()
        _days(axes, days)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    return svg[0]


def percent(share: float) -> str:
    """A share as a percentage that is 100 only where nothing is missing."""
    text = f"{100 * share:.1f}"
    return "99.9 %" if text == "100.0" and share < 1 else f"{text.removesuffix('.0') if share in (0, 1) else text} %"


def _floats(values: Sequence[float | int | None]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def _days(axes: Axes, days: Sequence[str]) -> None:
    step = max(1, len(days) // 5)
    places = list(range(len(days) - 1, -1, -step))
    axes.set_xticks(places, [days[place] for place in places])
    axes.set_xlim(-0.4, len(days) - 0.6)


@contextmanager
def _drawn(name: str, label: str, bars: float) -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on; the SVG is in the list once the block is left."""
    # It warns of its own cache and fonts, which is no matter of a checking.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib
    from matplotlib.figure import Figure

    svg: list[str] = []
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Widths are measured in a font that need not have every letter; the browser draws the text in its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(_WIDTH, 0.75 + _BAR * bars), layout="constrained")
        yield figure.subplots(), svg
        svg.append(_inline(figure, name, label))


def _inline(figure: Figure, name: str, label: str) -> str:
    written = io.StringIO()
    nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    drawing = written.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"font: (?:\w+ )?([\d.]+)px [^;\"]*", r"font-size: \1px", drawing)
    # Several drawings stand in one page, whose ids must differ.
    drawing = _ID.sub(rf"\g<1>{name}-", drawing)
    box = re.search(r'viewBox="[^"]*"', drawing)
    head = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box[0] if box else ""} role="img" '
    return f'{head}aria-label="{escape(label, quote=True)}">{drawing[drawing.index(">") + 1 :]}'
