"""Record ids are unique within a table: collisions are found before anything is written, and salted.

Ids are hashes, so two records can meet: of 13 million persons in 53 bits two do with a chance of one in a hundred.
The newcomer is hashed again with a salt that the lake remembers for good; ids given before never change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.cdm.schema import table as cdm_table
from dure.errors import IntegrityError, Problem
from dure.stages.mapping import Mapped

Salts = dict[str, dict[str, int]]

# Rounds of salting: a second one is already a matter of one in 10^16.
ROUNDS = 5


def shared_ids(mapped: Mapped, given: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """CDM table -> how many records share their id with another, for the tables where some do; one action.

    `given` says which rules have rows for a table, by its name and rule folder: no other frame is read for it.
    """
    counts = []
    for table, rules in given.items():
        found = _records([(rule, frame) for rule, frame in mapped if rule.folder in rules], "_id")
        if found is not None:
            own = found.where(F.col("_table") == table)
            counts.append(
                own.agg(F.count(F.lit(1)).alias("rows"), F.count_distinct("_id").alias("ids")).select(
                    F.lit(table).alias("_table"), "rows", "ids"
                )
            )
    if not counts:
        return {}
    counted = reduce(lambda a, b: a.unionByName(b), counts)
    return {row["_table"]: row["rows"] - row["ids"] for row in counted.collect() if row["rows"] != row["ids"]}


def _records(mapped: Mapped, *columns: str) -> DataFrame | None:
    """The written records of all rules: `_table` and the columns asked for; death has no id of its own."""
    union = None
    for rule, frame in mapped:
        if cdm_table(rule.table).primary_key is None or rule.table == "death":
            continue
        written = frame.where(F.col("_outcome") == Outcome.WRITTEN.value)
        own = written.select(
            "_table", *columns, F.lit(rule.table).alias("_declared"), F.lit(rule.source).alias("_source")
        )
        union = own if union is None else union.unionByName(own)
    return union


def new_salts(
    session: SparkSession, revealed: Mapped, known: Mapping[str, Mapping[str, int]], before: Path | None
) -> Salts:
    """Salts for the newcomers among records that share an id; `revealed` are mapped frames with `_sha`.

    Of the records that share one, those whose source row was landed before (`before`, the landing of the snapshot
    before) keep the id, and of several such or none the one with the smallest identity hash does.
    """
    records = _records(revealed, "_id", "_sha", "_key")
    assert records is not None
    many = records.groupBy("_table", "_id").agg(F.count(F.lit(1)).alias("_many")).where(F.col("_many") > 1)
    many = many.select(F.col("_table").alias("_in"), F.col("_id").alias("_of"))
    clash = records.join(many, (F.col("_table") == F.col("_in")) & (F.col("_id") == F.col("_of")), "left_semi")
    groups: dict[tuple[str, int], list[tuple[bool, str, str]]] = defaultdict(list)
    for row in clash.collect():
        new = not _was_landed(session, before, row["_source"], row["_key"])
        groups[row["_table"], row["_id"]].append((new, row["_sha"], row["_declared"]))
    salts: Salts = defaultdict(dict)
    for records_of_id in groups.values():
        for _, sha, table in sorted(records_of_id)[1:]:
            salts[table][sha] = known.get(table, {}).get(sha, 0) + 1
    return dict(salts)


def united(old: Mapping[str, Mapping[str, int]], new: Mapping[str, Mapping[str, int]]) -> Salts:
    """Both lists of salts; where both name a record the new one holds."""
    return {table: {**old.get(table, {}), **new.get(table, {})} for table in {*old, *new}}


def _was_landed(session: SparkSession, before: Path | None, source: str, key: str) -> bool:
    folder = before / source if before else None
    if folder is None or not any(folder.glob("*.parquet")):
        return False
    return session.read.parquet(str(folder)).where(F.col("_key") == F.lit(key)).limit(1).count() > 0


def refuse(shared: Mapping[str, int]) -> None:
    """Raises IntegrityError when records still share ids."""
    if shared:
        raise IntegrityError(
            [
                Problem(
                    f"table {table}",
                    f"{n} records share their id with another",
                    "nothing is published; please report this",
                )
                for table, n in shared.items()
            ]
        )
