"""The reconciliation of a run: what became of every row, and whether the sums hold.

Plain data without engine or file access; `balance` is what stands between a run and its publication.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from dure.errors import IntegrityError, Problem


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceCount(_Record):
    """One file source: rows read = unreadable + opted out + landed; landed = taken out + goes on; and where those went.

    Where change files came, the rows landed `before` that they were applied to are read too, and `by_changes` are the
    rows and changes that are no row now: replaced, deleted, superseded and so on, each once.

    `outcomes` counts each row that goes on once, by the worst that any entry made of it; `not_claimed` are rows that no
    entry's conditions select, `dropped_by_view` rows that do not come out of the view which reads the source, `folded`
    rows that a view folds into rows of another source, `no_parent` rows that it would fold but for want of that row.
    """

    source: str
    role: str = "rows"
    read: int
    before: int = 0
    by_changes: dict[str, int] = {}
    unreadable: dict[str, int] = {}
    opted_out: int = 0
    landed: int
    excluded: dict[str, int] = {}
    duplicate: int = 0
    merged: int = 0
    rejected: dict[str, int] = {}
    goes_on: int
    outcomes: dict[str, int] = {}
    not_claimed: int = 0
    dropped_by_view: int = 0
    left_by_view: dict[str, int] = {}
    folded: int = 0
    no_parent: int = 0


class ViewCount(_Record):
    """One view: `of` rows went in, `reached` of them came out as `rows`."""

    view: str
    of: str | None
    of_rows: int
    reached: int
    rows: int
    grain: str
    drops: str | None = None
    folds: dict[str, int] = {}


class RuleCount(_Record):
    """One entry: rows in = not selected + written + merged + rejected + excluded; `rows_out` = rows written, by CDM table."""

    rule: str
    table: str
    source: str
    rows_in: int
    not_selected: int
    selected: int
    written: int
    merged: int
    rejected: dict[str, int] = {}
    excluded: dict[str, int] = {}
    rows_out: dict[str, int] = {}
    zero: dict[str, int] = {}
    notes: dict[str, int] = {}
    lost_by_moving: dict[str, int] = {}


class TableCount(_Record):
    """One CDM table: rows in the files that were written, and how many each rule gave it."""

    table: str
    rows: int
    by_rule: dict[str, int] = {}
    derived: bool = False


class Reconciliation(_Record):
    """Everything a run counted."""

    site: str
    sources: list[SourceCount] = []
    ignored: dict[str, str] = {}
    views: list[ViewCount] = []
    rules: list[RuleCount] = []
    tables: list[TableCount] = []
    persons_without_period: int = 0
    exposures_without_era: dict[str, int] = {}
    exposures_without_dose: dict[str, int] = {}

    def balance(self) -> None:
        """Raises IntegrityError, naming each sum that does not hold."""
        problems = [*self._source_problems(), *self._rule_problems(), *self._table_problems()]
        if problems:
            raise IntegrityError(problems)

    def _source_problems(self) -> Iterator[Problem]:
        for s in self.sources:
            changed = bool(s.before or s.by_changes)
            yield from _sum(
                s.source,
                "rows read and those of before" if changed else "rows read",
                s.read + s.before,
                "landed, unreadable, opted out and gone by changes" if changed else "landed, unreadable and opted out",
                s.landed + sum(s.unreadable.values()) + s.opted_out + sum(s.by_changes.values()),
            )
            out = sum(s.excluded.values()) + s.duplicate + s.merged + sum(s.rejected.values())
            yield from _sum(s.source, "rows landed", s.landed, "taken out and going on", out + s.goes_on)
            if s.role == "rows":
                ends = (
                    sum(s.outcomes.values())
                    + s.not_claimed
                    + s.dropped_by_view
                    + sum(s.left_by_view.values())
                    + s.folded
                    + s.no_parent
                )
                yield from _sum(s.source, "rows going on", s.goes_on, "outcomes", ends)

    def _rule_problems(self) -> Iterator[Problem]:
        for r in self.rules:
            yield from _sum(r.rule, "rows in", r.rows_in, "selected and not selected", r.selected + r.not_selected)
            ends = r.written + r.merged + sum(r.rejected.values()) + sum(r.excluded.values())
            yield from _sum(r.rule, "rows selected", r.selected, "written, merged, rejected and excluded", ends)
            if sum(r.rows_out.values()) < r.written:
                yield Problem(r.rule, f"{r.written} rows were written but gave {sum(r.rows_out.values())} records")

    def _table_problems(self) -> Iterator[Problem]:
        for t in self.tables:
            if not t.derived:
                yield from _sum(t.table, "rows in its files", t.rows, "what the rules gave it", sum(t.by_rule.values()))

    def lines(self) -> Iterator[tuple[str, str, str, str, int]]:
        """(level, name, outcome, reason, count) for every count: the rows of reconciliation.csv."""
        for s in self.sources:
            yield "source", s.source, "read", "", s.read
            if s.before:
                yield "source", s.source, "before", "", s.before
            yield from (("source", s.source, "by_changes", why, n) for why, n in s.by_changes.items())
            yield from (("source", s.source, "unreadable", why, n) for why, n in s.unreadable.items())
            yield "source", s.source, "landed", "", s.landed
            if s.opted_out:
                yield "source", s.source, "excluded", "opt_out", s.opted_out
            yield from (("source", s.source, "excluded", why, n) for why, n in s.excluded.items())
            for outcome in ("duplicate", "merged"):
                if getattr(s, outcome):
                    yield "source", s.source, outcome, "", getattr(s, outcome)
            yield from (("source", s.source, "rejected", why, n) for why, n in s.rejected.items())
            yield "source", s.source, "goes_on", "", s.goes_on
            yield from (("source", s.source, "row_" + outcome, "", n) for outcome, n in s.outcomes.items())
            for why in ("not_claimed", "dropped_by_view", "no_parent"):
                if getattr(s, why):
                    yield "source", s.source, "row_rejected", why, getattr(s, why)
            yield from (("source", s.source, "row_excluded", why, n) for why, n in s.left_by_view.items())
            if s.folded:
                yield "source", s.source, "row_folded", "", s.folded
        yield from (("source", name, "ignored", reason, 0) for name, reason in self.ignored.items())
        for v in self.views:
            yield "view", v.view, "rows", "", v.rows
            yield "view", v.view, "reached", v.of or "", v.reached
        for r in self.rules:
            yield "rule", r.rule, "rows_in", "", r.rows_in
            yield "rule", r.rule, "excluded", "not_selected", r.not_selected
            yield "rule", r.rule, "written", "", r.written
            yield "rule", r.rule, "merged", "", r.merged
            yield from (("rule", r.rule, "rejected", why, n) for why, n in r.rejected.items())
            yield from (("rule", r.rule, "excluded", why, n) for why, n in r.excluded.items())
            yield from (("rule", r.rule, "rows_out", table, n) for table, n in r.rows_out.items())
            yield from (("rule", r.rule, "unmapped", table, n) for table, n in r.zero.items() if n)
            yield from (("rule", r.rule, "note", note, n) for note, n in r.notes.items())
            yield from (("rule", r.rule, "lost_by_moving", what, n) for what, n in r.lost_by_moving.items())
        yield from (("table", t.table, "rows", "derived" if t.derived else "", t.rows) for t in self.tables)
        yield "person", "person", "without_observation_period", "", self.persons_without_period
        yield from (("table", "drug_exposure", "without_era", why, n) for why, n in self.exposures_without_era.items())
        yield from (
            ("table", "drug_exposure", "without_dose", why, n) for why, n in self.exposures_without_dose.items()
        )


def _sum(where: str, what: str, found: int, parts: str, expected: int) -> Iterator[Problem]:
    if found != expected:
        yield Problem(
            where, f"{what} are {found}, but {parts} add up to {expected}", "nothing is published; please report this"
        )
