"""The drawings of the page: shades of heat maps, bars, and lines over deliveries, each beside its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

# From which share on a cell has which shade; darker is worse, so that the eye goes where work is.
_SHADES = ((0.995, 0), (0.97, 1), (0.93, 2), (0.88, 3), (0.8, 4), (0.7, 5), (0.55, 6), (0.4, 7), (0.0, 8))
SHADES = tuple(from_ for from_, _ in _SHADES)
_FAR = ((10, "3"), (3, "2"), (1.5, "1"))
_WIDTH, _HEIGHT, _EDGE = 132, 30, 4


def shade(share: float | None) -> str:
    """The class of a heat map's cell of a share that is best at 1."""
    if share is None:
        return "h-none"
    return next(f"h{number}" for from_, number in _SHADES if share >= from_)


def ratio_shade(ratio: float | None) -> str:
    """The class of a heat map's cell of a ratio that is usual at 1."""
    if ratio is None or ratio <= 0:
        return "h-none"
    side, far = ("up", ratio) if ratio >= 1 else ("down", 1 / ratio)
    return next((f"{side}{number}" for from_, number in _FAR if far >= from_), "usual")


def amount_shade(part: float, whole: float) -> str:
    """The class of a heat map's cell of an amount that may be anything up to a largest one."""
    return f"a{round(6 * part / whole)}" if whole else "a0"


def line(values: Sequence[float | None], low: float | None = None, high: float | None = None) -> Markup:
    """A small line over deliveries, the newest with a dot; the figures stand beside it, so it has no name."""
    from markupsafe import Markup

    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return Markup("")
    low = min(value for _, value in known) if low is None else low
    high = max(value for _, value in known) if high is None else high
    span = (high - low) or 1.0
    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    points = [
        (_EDGE + place * step, _HEIGHT - _EDGE - (value - low) / span * (_HEIGHT - 2 * _EDGE)) for place, value in known
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return Markup(
        '<svg class="line" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true" focusable="false">'
        '<polyline points="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="3"/></svg>'
    ).format(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, path, x, y)


def figure(value: float | None) -> str:
    """A number in four digits at most."""
    return "–" if value is None else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def times(ratio: float | None) -> str:
    """A ratio as a cell of a heat map shows it."""
    if ratio is None:
        return ""
    return f"×{ratio:.1f}" if ratio >= 0.95 else f"×{ratio:.2g}"
