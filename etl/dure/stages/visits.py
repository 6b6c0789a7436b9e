"""Applies a site's merge policy to the mapped visits: which of them are one stay, and what that stay says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import cloudpickle
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Outcome
from dure.site.spec import Merge
from dure.stages.frames import stored
from dure.tables import visits
from dure.tables.routing import part_column
from dure.tables.rule import Rule

Mapped = list[tuple[Rule, DataFrame]]
Merging = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# What the stay has from the visit with which it ends.
_LAST = {
    part_column("discharged_to", "concept_id"): "int",
    part_column("discharged_to", "source_value"): "string",
}
_SCHEMA = ", ".join(
    [
        "person_id bigint, id bigint, concept_id int, `into` bigint, becomes int, `end` timestamp_ntz",
        *[f"{name} {kind}" for name, kind in _LAST.items()],
    ]
)


def joinings(policy: Sequence[Merge]) -> list[visits.Joining]:
    """The entries of a site's policy as the computation takes them; `same_day` is no gap in days."""
    return [
        visits.Joining(
            frozenset(entry.when),
            frozenset(entry.followed_by),
            entry.within_hours,
            0 if entry.same_day else entry.within_days,
            tuple(entry.same),
            entry.becomes,
        )
        for entry in policy
    ]


def merge_stays(session: SparkSession, mapped: Mapped, policy: Sequence[Merge], work: Path) -> tuple[Mapped, int]:
    """The mapped frames of all visits after merging, and how many visits became part of another.

    A merged visit has the outcome `merged` and `_into`, the id of the stay; the earliest of a stay has the stay's class,
    end and discharge.  Frames come back as they are, without `_into`, where nothing merges.
    """
    if not policy or not mapped:
        return mapped, 0
    folder = work / "merged-visits"
    found = stored(session, _members(mapped, joinings(policy)), folder)
    members = sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))
    if not members:
        return mapped, 0
    stays = len(pq.read_table(folder, columns=["into"])["into"].unique())
    after = [
        (rule, stored(session, _applied(frame, found), _stays_folder(work, rule.folder))) for rule, frame in mapped
    ]
    return after, members - stays


def mapped_folder(work: Path, rule: str) -> Path:
    """Where a rule's mapped frame lies: that of visits apart, once stays were put together."""
    merged = _stays_folder(work, rule)
    return merged if merged.is_dir() else work / rule


def _stays_folder(work: Path, rule: str) -> Path:
    return work / f"{rule}-stays"


def _members(mapped: Mapped, policy: list[visits.Joining]) -> DataFrame:
    """One row a visit of a stay of several, over all rules."""
    # Classes that no entry names, outpatients above all, need not be looked at.
    classes = sorted({c for entry in policy for c in entry.when | entry.followed_by})
    every = reduce(lambda a, b: a.unionByName(b), [_narrow(frame, classes) for _, frame in mapped])
    return every.repartition(F.col(visits.PERSON)).mapInArrow(merging(policy), _SCHEMA)


def merging(policy: list[visits.Joining]) -> Merging:
    """What workers run on the visits of their persons; it goes to them whole, so that they need not have Dure."""
    carried = list(_LAST)

    def merged(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return visits.merged_visits(batches, policy, carried)

    cloudpickle.register_pickle_by_value(visits)  # type: ignore[no-untyped-call]
    return merged


def _narrow(frame: DataFrame, classes: list[int]) -> DataFrame:
    start, end = F.col(part_column("start", "datetime")), F.col(part_column("end", "datetime"))
    # The end of an open stay is not what the source says: nothing goes on with the stay because of it.
    assumed = f"_note_{Note.END_ASSUMED.value}"
    columns = {
        visits.PERSON: F.col(part_column("person", "id")),
        visits.ID: F.col("_id"),
        visits.CONCEPT: F.col(part_column("code", "concept_id")),
        visits.START: start,
        visits.END: end,
        visits.KNOWN: F.when(F.col(assumed), start).otherwise(end) if assumed in frame.columns else end,
        visits.CARE_SITE: _or_null(frame, part_column("care_site", "id"), "bigint"),
        visits.PROVIDER: _or_null(frame, part_column("provider", "id"), "bigint"),
    }
    columns |= {name: _or_null(frame, name, kind) for name, kind in _LAST.items()}
    written = frame.where(
        (F.col("_outcome") == Outcome.WRITTEN.value) & F.col(part_column("code", "concept_id")).isin(classes)
    )
    return written.select(*[column.alias(name) for name, column in columns.items()])


def _or_null(frame: DataFrame, name: str, kind: str) -> Column:
    return F.col(name) if name in frame.columns else F.lit(None).cast(kind)


def _applied(frame: DataFrame, members: DataFrame) -> DataFrame:
    """A rule's mapped frame in which merged visits are marked and the earliest of each stay says what the stay is."""
    found = members.select(*[F.col(name).alias(f"_stay_{name}") for name in members.columns])
    person, code, end = part_column("person", "id"), part_column("code", "concept_id"), part_column("end", "datetime")
    here = (
        (F.col("_outcome") == Outcome.WRITTEN.value)
        & (F.col(person) == F.col("_stay_person_id"))
        & (F.col("_id") == F.col("_stay_id"))
        & (F.col(code) == F.col("_stay_concept_id"))
    )
    joined = frame.join(found, here, "left")
    into = F.col("_stay_into")
    first, merged = into == F.col("_id"), into != F.col("_id")
    changed = {
        code: F.col("_stay_becomes"),
        end: F.col("_stay_end"),
        part_column("end", "date"): F.col("_stay_end").cast("date"),
    } | {name: F.col(f"_stay_{name}") for name in _LAST}
    columns = {name: F.col(name) for name in frame.columns}
    for name, value in changed.items():
        columns[name] = F.when(first, value).otherwise(_or_null(frame, name, _LAST.get(name, "")))
    columns["_outcome"] = F.when(merged, F.lit(Outcome.MERGED.value)).otherwise(F.col("_outcome"))
    columns["_into"] = F.when(merged, into)
    return joined.select(*[column.alias(name) for name, column in columns.items()])
