"""Counts what became of every row, checks the sums, and writes the evidence of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import Row

from dure.accounting import counts
from dure.accounting.reasons import Note, Outcome, Reason
from dure.accounting.reconciliation import Reconciliation, RuleCount, SourceCount, TableCount, ViewCount
from dure.errors import Problem
from dure.landing import Landed
from dure.site.loaded import Site
from dure.site.spec import LandedSource, ViewSource
from dure.stages.derive import Derived
from dure.stages.frames import collected
from dure.stages.mapping import Mapped
from dure.stages.parallel import each
from dure.stages.prepare import Prepared
from dure.stages.rules import root_source
from dure.stages.source_rows import Counted
from dure.tables.rule import Rule
from dure.vocab import Resolution
from dure.vocab.spreadsheet import write_csv

RECONCILIATION, REJECTS = "reconciliation.json", "rejects.parquet"


@dataclass(frozen=True)
class RuleRows:
    """What the mapped frames hold: the counting rows by rule folder, and rows written by table and rule folder."""

    by_rule: Mapping[str, list[Row]]
    given: Mapping[str, Mapping[str, int]]


def count_rules(mapped: Mapped) -> RuleRows:
    """One action over all mapped frames."""
    by_rule: dict[str, list[Row]] = defaultdict(list)
    given: dict[str, dict[str, int]] = defaultdict(dict)
    for row in collected(counts.rule_counts(mapped), "rule", "_outcome", "_reason", "_table") if mapped else []:
        by_rule[row["rule"]].append(row)
        if row["_outcome"] == Outcome.WRITTEN.value:
            given[row["_table"]][row["rule"]] = given[row["_table"]].get(row["rule"], 0) + row["rows"]
    return RuleRows(by_rule, given)


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows of each source, and what rules lost by moving rows, by rule folder."""

    sources: list[SourceCount]
    lost: Mapping[str, dict[str, int]]


def count_rows(
    site: Site, landed: Mapping[str, Landed], prepared: Prepared, mapped: Mapped, rules: RuleRows
) -> RowCounts:
    """Everything that is counted by looking at mapped frames again; needs no table of the CDM."""
    files = [(name, source) for name, source in site.spec.sources.items() if isinstance(source, LandedSource)]
    sources = each(lambda named: _source(site, *named, landed[named[0]], prepared, mapped), files)
    return RowCounts(list(sources), _lost(mapped, rules))


def reconcile(
    site: Site,
    prepared: Prepared,
    mapped: Mapped,
    rules: RuleRows,
    rows: RowCounts,
    tables: Mapping[str, int],
    derived: frozenset[str],
    left: Derived,
) -> Reconciliation:
    """Puts all counts together; the caller checks the balance."""
    made = Reconciliation(
        site=site.spec.site.id,
        ignored=dict(site.spec.ignored),
        views=[_view(site, name, prepared) for name, s in site.spec.sources.items() if isinstance(s, ViewSource)],
        rules=[
            rule_count(rule, prepared, rules.by_rule.get(rule.folder, []), rows.lost.get(rule.folder, {}))
            for rule, _ in mapped
        ],
        sources=rows.sources,
        persons_without_period=left.persons_without_period,
        exposures_without_era=left.without_era,
        exposures_without_dose=left.without_dose,
    )
    names = {rule.folder: rule.name for rule, _ in mapped}
    made.tables = [
        TableCount(
            table=table,
            rows=n,
            derived=table in derived,
            by_rule={} if table in derived else {names[f]: n for f, n in sorted(rules.given.get(table, {}).items())},
        )
        for table, n in tables.items()
    ]
    return made


def _lost(mapped: Mapped, rules: RuleRows) -> dict[str, dict[str, int]]:
    moved = [
        (rule, frame, table)
        for rule, frame in mapped
        for table, given in rules.given.items()
        if table != rule.table and given.get(rule.folder)
    ]
    found: dict[str, dict[str, int]] = defaultdict(dict)
    frame = counts.lost_counts(moved) if moved else None
    for row in collected(frame, "rule", "table", "role") if frame is not None else []:
        if row["rows"]:
            found[row["rule"]][f"{row['role']} -> {row['table']}"] = row["rows"]
    return found


def rule_count(rule: Rule, prepared: Prepared, rows: list[Row], lost: dict[str, int]) -> RuleCount:
    """What became of the rows of one entry; `rows` are its counting rows, `lost` what it lost by moving rows."""
    counted = prepared.counted[rule.source]
    rows_in = counted.goes_on
    selected = counted.selected[rule.folder]
    by_outcome: dict[str, int] = defaultdict(int)
    reasons: dict[str, dict[str, int]] = {Outcome.REJECTED.value: {}, Outcome.EXCLUDED.value: {}}
    for row in rows:
        by_outcome[row["_outcome"]] += row["source_rows"]
        if row["_outcome"] in reasons:
            why = reasons[row["_outcome"]]
            why[row["_reason"]] = why.get(row["_reason"], 0) + row["source_rows"]
    written = sorted(
        (row for row in rows if row["_outcome"] == Outcome.WRITTEN.value), key=lambda row: str(row["_table"])
    )
    notes = {note.value: sum(row[f"note_{note}"] for row in written) for note in Note}
    return RuleCount(
        rule=rule.name,
        table=rule.table,
        source=rule.source,
        rows_in=rows_in,
        not_selected=rows_in - selected,
        selected=selected,
        written=by_outcome[Outcome.WRITTEN.value],
        merged=by_outcome[Outcome.MERGED.value],
        rejected=dict(sorted(reasons[Outcome.REJECTED.value].items())),
        excluded=dict(sorted(reasons[Outcome.EXCLUDED.value].items())),
        rows_out={row["_table"]: row["rows"] for row in written},
        zero={row["_table"]: row["zero"] for row in written},
        notes={name: n for name, n in notes.items() if n},
        lost_by_moving=lost,
    )


def _view(site: Site, name: str, prepared: Prepared) -> ViewCount:
    view = site.spec.sources[name]
    assert isinstance(view, ViewSource)
    counted = prepared.counted[name]
    return ViewCount(
        view=name,
        of=view.of,
        of_rows=_goes_on(site, view.of, prepared) if view.of else 0,
        reached=counted.reached,
        rows=counted.rows,
        grain=view.grain,
        drops=view.drops,
        folds={other: _folded(prepared.counted[other]) for other in view.folds},
    )


def _folded(counted: Counted) -> int:
    """The rows of a source that a view folds: all that go on, but those without the row that they belong to."""
    return counted.goes_on - sum(counted.not_folded.values())


def _goes_on(site: Site, name: str, prepared: Prepared) -> int:
    counted = prepared.counted[name]
    return counted.reached if isinstance(site.spec.sources[name], ViewSource) else counted.goes_on


def _source(
    site: Site, name: str, source: LandedSource, landed: Landed, prepared: Prepared, mapped: Mapped
) -> SourceCount:
    counted = prepared.counted[name]
    made = SourceCount(
        source=name,
        role=source.role,
        read=landed.rows_read,
        before=landed.rows_before,
        by_changes=dict(landed.by_changes),
        unreadable=dict(landed.rejected),
        opted_out=landed.opted_out,
        landed=counted.rows,
        excluded=counted.excluded,
        goes_on=counted.goes_on,
    )
    for (outcome, reason), n in sorted(counted.fates.items()):
        if outcome == Outcome.REJECTED.value:
            made.rejected[reason] = n
        elif outcome == Outcome.DUPLICATE.value:
            made.duplicate += n
        else:
            made.merged += n
    if source.role == "rows":
        _row_outcomes(site, name, made, prepared, mapped)
    return made


def _row_outcomes(site: Site, name: str, made: SourceCount, prepared: Prepared, mapped: Mapped) -> None:
    """Each row that goes on, once: its worst outcome over all entries, or why no entry saw it.

    Rows without any entry are counted where they are lost, at the source's conditions and at the views, apart from the
    mapping: a row that mapping lost shows as an imbalance.
    """
    readers = [(rule, frame) for rule, frame in mapped if rule.root == name]
    for row in collected(counts.row_fates(readers), "worst") if readers else []:
        made.outcomes[counts.WORST[row["worst"]]] = row["rows"]
    made.outcomes = dict(sorted(made.outcomes.items()))
    views = [
        (v, s)
        for v, s in ((v, site.spec.sources[v]) for v in site.views)
        if isinstance(s, ViewSource) and s.of and root_source(site, v) == name
    ]
    direct = any(rule.source == name for rule, _ in readers)
    if not readers and any(isinstance(s, ViewSource) and name in s.folds for s in site.spec.sources.values()):
        missing = prepared.counted[name].not_folded
        made.folded = _folded(prepared.counted[name])
        made.no_parent = missing.get(Reason.NO_PARENT.value, 0)
        made.left_by_view = {why: n for why, n in missing.items() if why != Reason.NO_PARENT.value}
    elif not views:
        made.not_claimed = prepared.counted[name].not_claimed
    elif _one_after_the_other(name, views) and {rule.source for rule, _ in readers} <= {views[-1][0]}:
        went_in = made.goes_on
        for view_name, view in views:
            dropped = went_in - prepared.counted[view_name].reached
            went_in -= dropped
            if not view.drops:
                made.dropped_by_view += dropped
            elif dropped:
                made.left_by_view[view.drops] = made.left_by_view.get(view.drops, 0) + dropped
        made.not_claimed = counts.unseen_rows(prepared.frames[views[-1][0]], readers)
    else:
        unseen = counts.unseen_rows(prepared.frames[name], readers)
        reasons = [s.drops for _, s in views if s.drops]
        if reasons and not direct:
            made.left_by_view = {"; ".join(sorted(set(reasons))): unseen} if unseen else {}
        elif direct:
            made.not_claimed = unseen
        else:
            made.dropped_by_view = unseen


def _one_after_the_other(source: str, views: Sequence[tuple[str, ViewSource]]) -> bool:
    """Whether each view is driven by the one before it and the first by the source, so that none shares its rows."""
    return [view.of for _, view in views] == [source, *[name for name, _ in views[:-1]]]


# ---------------------------------------------------------------- files


def mapping_problems(resolution: Resolution, reports: Path) -> list[Problem]:
    """Writes mapping_problems.csv and returns one warning a rule, with how many codes it concerns."""
    reports.mkdir(parents=True, exist_ok=True)
    found = resolution.problems
    write_csv(
        reports / "mapping_problems.csv",
        list(found.columns),
        found.astype(object).where(found.notna(), "").values.tolist(),
    )
    return [
        Problem("maps", f"{len(rows)} codes: {rule}", "see mapping_problems.csv in the reports folder")
        for rule, rows in found.groupby("rule", sort=True)
    ]


def write_rejects(mapped: Mapped, reports: Path) -> None:
    """rejects.parquet in the reports folder, where there is any entry."""
    if mapped:
        pq.write_table(counts.rejects(mapped).toArrow(), reports / REJECTS)


def write_evidence(made: Reconciliation, reports: Path, resolved: Path) -> None:
    """reconciliation.json and .csv, resolved_codes.parquet in the reports folder."""
    (reports / RECONCILIATION).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    write_csv(reports / "reconciliation.csv", ["level", "name", "outcome", "reason", "rows"], made.lines())
    pq.write_table(pq.read_table(resolved).drop(["description"]), reports / "resolved_codes.parquet")
