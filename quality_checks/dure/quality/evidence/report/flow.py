"""The flow picture of a run's reconciliation: source rows, what became of them, records in tables; as SVG.

Plotting libraries draw no flow with several columns that text can name, so the ribbons are computed here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from dure.accounting.reconciliation import Reconciliation, RuleCount, SourceCount
from dure.quality.evidence.report.words import Words

# Outcomes in the order that they are drawn, with colours that keep 3 : 1 against the page.
COLOURS = {
    "mapped": "#1f6f43",
    "unmapped": "#8a5a00",
    "rejected": "#b3261e",
    "excluded": "#5b4b8a",
    "duplicate": "#4d5a68",
    "unreadable": "#7a1f5c",
    "folded": "#1d4f91",
    "unclaimed": "#6b5b4d",
    "lookup": "#33445c",
}
_SIDE = "#33445c"
_WIDTH, _BAR, _GAP, _TALL, _TOP = 1080.0, 14.0, 16.0, 360.0, 40.0
_LEFT, _MIDDLE, _RIGHT = 250.0, 533.0, 816.0
_MOST = 12
_THINNEST = 1.2


@dataclass
class _Node:
    """One bar: what goes in and what comes out, and where it is drawn."""

    words: str
    colour: str
    into: int = 0
    out: int = 0
    y: float = 0.0
    height: float = 0.0
    used_in: float = 0.0
    used_out: float = 0.0

    @property
    def size(self) -> int:
        return max(self.into, self.out)


@dataclass
class Flow:
    """Rows by (source, outcome) and records by (outcome, table)."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    records: Counter[tuple[str, str]] = field(default_factory=Counter)


def flow_of(reconciliation: Reconciliation) -> Flow:
    """What the picture shows, as counts: the page also writes it as a table."""
    flow = Flow()
    for source in reconciliation.sources:
        for outcome, n in _outcomes(source).items():
            flow.rows[source.source, outcome] += n
    for rule in reconciliation.rules:
        for (outcome, table), n in _written(rule).items():
            flow.records[outcome, table] += n
    flow.rows, flow.records = +flow.rows, +flow.records
    return flow


def flow_svg(flow: Flow, words: Words) -> str:
    """The picture; '' where nothing flows. The smallest sources and tables are drawn together."""
    rows = _largest(flow.rows, 0, words)
    records = _largest(flow.records, 1, words)
    if not rows:
        return ""
    sources, tables = _side(rows, 0), _side(records, 1)
    outcomes = {
        name: _Node(words.of("outcome", name), colour)
        for name, colour in COLOURS.items()
        if name in {outcome for _, outcome in rows} | {outcome for outcome, _ in records}
    }
    for (source, outcome), n in rows.items():
        sources[source].out += n
        outcomes[outcome].into += n
    for (outcome, table), n in records.items():
        outcomes[outcome].out += n
        tables[table].into += n
    columns = [list(each.values()) for each in (sources, outcomes, tables)]
    scale = min(_TALL / max(sum(node.size for node in column), 1) for column in columns)
    height = max(_placed(column, scale) for column in columns) + 10
    parts = [
        *_ribbons(rows, sources, outcomes, (_LEFT + _BAR, _MIDDLE), scale, by_target=True),
        *_ribbons(records, outcomes, tables, (_MIDDLE + _BAR, _RIGHT), scale, by_target=False),
        *_bars(columns[0], _LEFT, "end"),
        *_bars(columns[1], _MIDDLE, "middle"),
        *_bars(columns[2], _RIGHT, "start"),
        _heading(_LEFT + _BAR, "end", words("flow_sources")),
        _heading(_MIDDLE + _BAR / 2, "middle", words("flow_outcomes")),
        _heading(_RIGHT, "start", words("flow_tables")),
    ]
    label = escape(words("reconciliation_alt"), quote=True)
    return f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _outcomes(source: SourceCount) -> Mapping[str, int]:
    ends = source.outcomes
    told = {
        "mapped": ends.get("mapped", 0),
        "unmapped": ends.get("unmapped", 0),
        "rejected": sum(source.rejected.values()) + ends.get("rejected", 0) + source.no_parent,
        "excluded": sum(source.excluded.values())
        + source.opted_out
        + ends.get("excluded", 0)
        + sum(source.left_by_view.values()),
        "duplicate": source.duplicate + source.merged + ends.get("duplicate", 0) + ends.get("merged", 0),
        "unreadable": sum(source.unreadable.values()),
        "folded": source.folded,
        "unclaimed": source.not_claimed + source.dropped_by_view,
    }
    # Rows that only serve to look something up have no outcome of their own.
    return told | {"lookup": source.goes_on if source.role != "rows" else 0}


def _written(rule: RuleCount) -> Mapping[tuple[str, str], int]:
    return {
        **{("mapped", table): n - rule.zero.get(table, 0) for table, n in rule.rows_out.items()},
        **{("unmapped", table): n for table, n in rule.zero.items()},
    }


def _largest(counts: Mapping[tuple[str, str], int], side: int, words: Words) -> dict[tuple[str, str], int]:
    """The counts, with all but the largest names of one side put together as the last."""
    sizes: Counter[str] = Counter()
    for pair, n in counts.items():
        sizes[pair[side]] += n
    small = [name for name, _ in sizes.most_common()[_MOST:]] if len(sizes) > _MOST + 1 else []
    together: Counter[tuple[str, str]] = Counter()
    for pair, n in sorted(counts.items(), key=lambda item: (item[0][side] in small, -sizes[item[0][side]])):
        named = list(pair)
        if named[side] in small:
            named[side] = words("others", n=len(small))
        together[named[0], named[1]] += n
    return dict(together)


def _side(counts: Mapping[tuple[str, str], int], side: int) -> dict[str, _Node]:
    return {pair[side]: _Node(pair[side], _SIDE) for pair in counts}


def _placed(column: Sequence[_Node], scale: float) -> float:
    """Gives each bar its place, from the top down; the end of the column."""
    y = _TOP
    for node in column:
        node.y, node.height = y, max(node.size * scale, _THINNEST)
        y += max(node.height, 10.0) + _GAP
    return y


def _ribbons(
    counts: Mapping[tuple[str, str], int],
    starts: Mapping[str, _Node],
    ends: Mapping[str, _Node],
    across: tuple[float, float],
    scale: float,
    *,
    by_target: bool,
) -> list[str]:
    (x0, x1), parts = across, []
    order_a, order_b = list(starts), list(ends)
    for (a, b), n in sorted(counts.items(), key=lambda item: (order_a.index(item[0][0]), order_b.index(item[0][1]))):
        start, end = starts[a], ends[b]
        thick, middle = max(n * scale, _THINNEST), (x0 + x1) / 2
        y0, y1 = start.y + start.used_out, end.y + end.used_in
        start.used_out += n * scale
        end.used_in += n * scale
        colour = (end if by_target else start).colour
        path = (
            f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
            f"v{thick:.1f}C{middle:.1f} {y1 + thick:.1f} {middle:.1f} {y0 + thick:.1f} {x0:.1f} {y0 + thick:.1f}Z"
        )
        told = escape(f"{start.words} → {end.words}: {n:,}")
        parts.append(f'<path d="{path}" fill="{colour}" fill-opacity=".32"><title>{told}</title></path>')
    return parts


def _bars(column: Sequence[_Node], x: float, anchor: str) -> list[str]:
    parts = []
    for node in column:
        counts = f"{node.into:,} → {node.out:,}" if node.into and node.out else f"{node.size:,}"
        at = {"end": x - 6, "start": x + _BAR + 6, "middle": x + _BAR / 2}[anchor]
        y = node.y - 4 if anchor == "middle" else node.y + max(node.height, 8) / 2 + 4
        words = escape(f"{node.words}  {counts}")
        parts.append(
            f'<rect x="{x:.1f}" y="{node.y:.1f}" width="{_BAR:.0f}" height="{node.height:.1f}" fill="{node.colour}"/>'
            f'<text x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12.5">{words}</text>'
        )
    return parts


def _heading(x: float, anchor: str, words: str) -> str:
    return f'<text x="{x:.1f}" y="14" text-anchor="{anchor}" font-size="13" font-weight="700">{escape(words)}</text>'
