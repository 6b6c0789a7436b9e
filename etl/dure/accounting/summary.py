"""What a run prints at its end: what became of the rows of each source, and how many each table has."""

from __future__ import annotations

from dure.accounting.reconciliation import Reconciliation, SourceCount

_COLUMNS = ("read", "before", "mapped", "unmapped", "rejected", "excluded", "changed", "folded")


def summary(made: Reconciliation) -> list[str]:
    """The lines that a person reads: sources, then tables.

    Rows that a view folds, rows of before and rows gone by changes have a column where any source has some.
    """
    ends = [_ends(s) for s in made.sources]
    some = {name for name in ("before", "changed", "folded") if any(end[name] for end in ends)}
    names = [name for name in _COLUMNS if name in some or name not in ("before", "changed", "folded")]
    lines = [f"{'source':22}" + "".join(f"{name:>12}" for name in names)]
    for s in made.sources:
        if s.role == "lookup":
            lines.append(f"{s.source:22}{s.read:>12,}   a lookup")
        else:
            lines.append(f"{s.source:22}" + "".join(f"{_ends(s)[name]:>12,}" for name in names))
    lines += ["", f"{'table':28}{'rows':>12}{'concept 0':>12}"]
    zero: dict[str, int] = {}
    for rule in made.rules:
        for table, n in rule.zero.items():
            zero[table] = zero.get(table, 0) + n
    return lines + [f"{t.table:28}{t.rows:>12,}{zero.get(t.table, 0):>12,}" for t in made.tables if t.rows]


def _ends(s: SourceCount) -> dict[str, int]:
    """The rows read of one source, those of before, and each of them once under what became of it."""
    rejected = s.outcomes.get("rejected", 0) + sum(s.rejected.values()) + sum(s.unreadable.values())
    excluded = s.outcomes.get("excluded", 0) + sum(s.excluded.values()) + s.duplicate + s.merged + s.opted_out
    return {
        "read": s.read,
        "before": s.before,
        "changed": sum(s.by_changes.values()),
        "mapped": s.outcomes.get("mapped", 0),
        "unmapped": s.outcomes.get("unmapped", 0),
        "rejected": rejected + s.not_claimed + s.dropped_by_view + s.no_parent,
        "excluded": excluded + sum(s.left_by_view.values()),
        "folded": s.folded,
    }
