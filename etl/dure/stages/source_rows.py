"""What goes on of one landed source, and what became of the rows that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.site.spec import LandedSource
from dure.stages.frames import collected, restored, stored
from dure.tables import cells, sources
from dure.tables.cells import Reading
from dure.tables.rule import Rule


@dataclass
class Counted:
    """What preparing a source or view counted; see accounting.reconciliation for the meaning of each."""

    rows: int
    excluded: dict[str, int] = field(default_factory=dict)
    fates: dict[tuple[str, str], int] = field(default_factory=dict)
    reached: int = 0
    not_folded: dict[str, int] = field(default_factory=dict)
    selected: dict[str, int] = field(default_factory=dict)
    not_claimed: int = 0
    goes_on: int = 0


def source_rows(
    session: SparkSession,
    name: str,
    source: LandedSource,
    rules: Sequence[Rule],
    reading: Reading,
    folder: Path,
    work: Path,
) -> tuple[DataFrame, Counted, DataFrame | None]:
    landed = session.read.parquet(str(folder))
    row = sources.profile(landed, source, reading).collect()[0]
    found = sources.Profile(
        row["rows"], {x.rule: row[f"x_{x.rule}"] for x in source.exclude}, row["keyed"], row["distinct"]
    )
    counted = Counted(rows=found.rows, excluded={rule: n for rule, n in found.excluded.items() if n})
    if found.repeats:
        fates = stored(session, sources.fates(landed, source, reading), _fates_folder(work, name))
        by_fate = fates.groupBy("_outcome", "_reason").agg(F.count(F.lit(1)).alias("rows"))
        for fate in collected(by_fate, "_outcome", "_reason"):
            if fate["_outcome"] != Outcome.WRITTEN.value:
                counted.fates[fate["_outcome"], fate["_reason"] or ""] = fate["rows"]
    frame, lost = rows_going_on(session, name, source, reading, folder, work)
    count_selected(frame, rules, reading, counted)
    return frame, counted, lost


def rows_going_on(
    session: SparkSession, name: str, source: LandedSource, reading: Reading, folder: Path, work: Path
) -> tuple[DataFrame, DataFrame | None]:
    """The rows of a landed source that go on, and those that its fates reject; from what `source_rows` left in files."""
    landed = session.read.parquet(str(folder))
    written = _fates_folder(work, name)
    fates = restored(session, written) if written.is_dir() else None
    lost = fates.where(F.col("_outcome") == Outcome.REJECTED.value) if fates is not None else None
    return sources.going_on(landed, source, reading, fates), lost


def _fates_folder(work: Path, name: str) -> Path:
    return work / "fates" / name


def count_selected(frame: DataFrame, rules: Sequence[Rule], reading: Reading, counted: Counted) -> None:
    """Counts, apart from any mapping, the rows that go on, those that each entry selects and those that none does."""
    conditions = {rule.folder: cells.condition(rule.entry.where, reading) for rule in rules}
    none = ~reduce(lambda a, b: a | b, conditions.values()) if conditions else F.lit(False)
    row = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count(F.when(none, F.lit(1))).alias("none"),
        *[F.count(F.when(condition, F.lit(1))).alias(name) for name, condition in conditions.items()],
    ).collect()[0]
    counted.goes_on, counted.not_claimed = row["rows"], row["none"]
    counted.selected = {name: row[name] for name in conditions}
