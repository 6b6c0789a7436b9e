"""The rows of one view of a site, held against what the spec says of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.accounting.reasons import Reason
from dure.errors import ConfigurationError, Problem
from dure.site.columns import check_columns
from dure.site.loaded import Site
from dure.site.spec import ViewSource
from dure.stages.frames import restored, stored
from dure.stages.rules import source_key
from dure.stages.source_rows import Counted, count_selected
from dure.tables import views
from dure.tables.cells import Reading, cell
from dure.tables.keys import key_text
from dure.tables.rule import Rule

OWN_COLUMNS = ("_file", "_row", "_key", "_row_hash", "_n")


def _refused(where: str, error: PySparkException) -> ConfigurationError:
    """The engine would not run a view; its own words may quote a cell, so only the kind of error is shown."""
    said = error.getCondition() or type(error).__name__
    return ConfigurationError(
        Problem(
            where,
            f"the engine refuses the view ({said})",
            "try the SELECT by hand; use try_cast for cells that may hold anything",
        )
    )


def _without_parent(
    rows: DataFrame, columns: list[str], parents: DataFrame, opted_out: DataFrame | None
) -> dict[str, int]:
    """How many rows name a parent that does not go on, by reason: those of persons who opted out are no loss."""
    own = rows.select(key_text([cell(column) for column in columns]).alias("_parent"))
    there = parents.select(F.col("_key").alias("_there"))
    lost = own.join(there, F.col("_parent") == F.col("_there"), "left_anti")
    gone = F.lit(None).cast("string")
    if opted_out is not None:
        left = opted_out.select(F.col("_key").alias("_gone")).distinct()
        lost, gone = lost.join(left, F.col("_parent") == F.col("_gone"), "left"), F.col("_gone")
    row = lost.agg(F.count(F.lit(1)).alias("rows"), F.count(gone).alias("gone")).collect()[0]
    found = {Reason.NO_PARENT.value: row["rows"] - row["gone"], Reason.OPT_OUT.value: row["gone"]}
    return {reason: n for reason, n in found.items() if n}


def written_view(session: SparkSession, name: str, work: Path) -> DataFrame:
    """The rows of a view that `view_rows` wrote."""
    return restored(session, _view_folder(work, name))


def _view_folder(work: Path, name: str) -> Path:
    return work / "views" / name


def view_rows(
    session: SparkSession,
    site: Site,
    name: str,
    rules: list[Rule],
    reading: Reading,
    frames: dict[str, DataFrame],
    counted: dict[str, Counted],
    opted_out: Mapping[str, DataFrame],
    work: Path,
) -> tuple[DataFrame, Counted]:
    view = site.spec.sources[name]
    assert isinstance(view, ViewSource)
    where = str(Path(site.folder.name) / view.view)
    for other in site.view_reads[name]:
        frames[other].createOrReplaceTempView(other)
    key = source_key(site, view.of) if view.of else None
    try:
        frame = views.view_frame(session, name, view, site.views[name], where, list(key) if key else None)
    except PySparkException as error:
        raise _refused(where, error) from None
    missing = check_columns(site, {name: tuple(c for c in frame.columns if c not in OWN_COLUMNS)})
    if missing:
        raise ConfigurationError(missing)
    try:
        written = stored(session, frame, _view_folder(work, name))
    except PySparkException as error:
        raise _refused(where, error) from None
    row = views.view_counts(written).collect()[0]
    found = Counted(rows=row["rows"], reached=row["reached"])
    count_selected(written, [rule for rule in rules if rule.source == name], reading, found)
    problems = []
    if view.of and view.grain == "one" and row["reached"] < row["rows"]:
        problems.append(
            Problem(
                where,
                f"says grain one, but {row['rows'] - row['reached']} rows come out more than once",
                "look for a join with several matches (a code table whose periods overlap), or declare grain: many with a key",
            )
        )
    if row["keys"] < row["rows"]:
        problems.append(
            Problem(
                where,
                f"{row['rows'] - row['keys']} rows share their key with another",
                "declare a key: that names each row of the view",
            )
        )
    for other, fold in view.folded.items():
        told = written.agg(F.sum(cell(fold.rows).cast("bigint")).alias("n")).collect()[0]["n"] or 0
        if fold.parent and view.of and told < counted[other].goes_on:
            parents = frames[view.of].select("_key")
            counted[other].not_folded = _without_parent(frames[other], fold.parent, parents, opted_out.get(view.of))
        if told + sum(counted[other].not_folded.values()) != counted[other].goes_on:
            problems.append(
                Problem(
                    where,
                    f"folds {told} rows of {other}, but {counted[other].goes_on} go on",
                    f"count every row of {other} in {fold.rows}; rows that belong to no row of the view's of are counted "
                    "apart where folds says by which columns: {rows: …, parent: …}",
                )
            )
        counted[other].reached += told
    if problems:
        raise ConfigurationError(problems)
    return written, found
