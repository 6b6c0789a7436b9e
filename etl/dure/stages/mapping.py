"""Applies every rule to its source and writes one mapped frame a rule; entities become lookups for those after them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome, Reason
from dure.cdm.roles import REFERENCE_TABLES, REFERRED_TO, roles
from dure.errors import ConfigurationError, Problem
from dure.progress import Progress
from dure.site.values import EventRow
from dure.stages.frames import restored, stored
from dure.stages.parallel import each
from dure.stages.prepare import Prepared
from dure.stages.visits import mapped_folder, merge_stays
from dure.tables.evaluate import evaluate
from dure.tables.links import rows_made, rows_of_one, view_row
from dure.tables.merge import merged
from dure.tables.routing import part_column
from dure.tables.rule import Lookups, Rule, Shared

Mapped = list[tuple[Rule, DataFrame]]

# CDM table -> the reference role that finds its rows.
_ROLE_OF = {table: role for role, table in REFERENCE_TABLES.items() if role != "parent"}
# The records through which a row reaches a person: their keys are known even where the person opted out.
_MAY_OPT_OUT = ("person", "visit_occurrence", "visit_detail", "specimen", "note", "episode")


def map_entities(
    session: SparkSession, rules: Sequence[Rule], prepared: Prepared, shared: Shared, work: Path, progress: Progress
) -> tuple[Mapped, Lookups]:
    """The mapped frames of rules whose tables others refer to and that refer to no rows, and the lookups of these tables."""
    lookups = Lookups()
    done: Mapped = []
    for table in REFERRED_TO:
        own = [rule for rule in rules if rule.table == table]
        for rule in own:
            done.append(_map(session, rule, done, prepared, shared, lookups, work, progress))
        if own:
            lookups = _with_lookup(session, lookups, table, done, prepared, work)
    return done, lookups


def map_rules(
    session: SparkSession,
    rules: Sequence[Rule],
    prepared: Prepared,
    shared: Shared,
    work: Path,
    progress: Progress,
    known: Lookups | None = None,
) -> Mapped:
    """The mapped frames of all rules, read back from folders in `work`; rules must come in the order of `rules_of`.

    `known` are lookups of tables of which no rule is given here.
    Tables that others refer to come first, one after the other; the rest only look things up and run side by side.
    Entries that link to what their own row became elsewhere come last, and after them what refers to their records.
    """
    lookups = known or Lookups()
    done: Mapped = []
    late = [table for table in REFERRED_TO if any(_rows_named(rule) for rule in rules if rule.table == table)]
    for table in REFERRED_TO:
        if table in late:
            continue
        own = [rule for rule in rules if rule.table == table]
        for rule in own:
            done.append(_map(session, rule, done, prepared, shared, lookups, work, progress))
        if table == "visit_occurrence":
            done = _with_stays(session, done, shared, work, progress)
        if own:
            lookups = _with_lookup(session, lookups, table, done, prepared, work)
    others = [rule for rule in rules if rule.table not in REFERRED_TO]
    linking = [rule for rule in others if _rows_named(rule) or _refers_to(rule, late)]
    others = [rule for rule in others if rule not in linking]
    # Two entries for the deaths of one site depend on each other, like those of any table with one record a key.
    chains = [
        list(chain)
        for _, chain in groupby(others, key=lambda rule: rule.table if rule.table == "death" else rule.folder)
    ]

    def run(chain: list[Rule]) -> Mapped:
        made: Mapped = []
        for rule in chain:
            made.append(_map(session, rule, made, prepared, shared, lookups, work, progress))
        return made

    for made in each(run, chains):
        done += made

    def link(rule: Rule) -> tuple[Rule, DataFrame]:
        made_there = {
            table: _made_of(table, done, rule, lookups, bool(shared.merge_visits)) for table in _rows_named(rule)
        }
        earlier = [(r, f) for r, f in done if r.table == rule.table]
        return _map(session, rule, earlier, prepared, shared, replace(lookups, made=made_there), work, progress)

    # What other rows became must be known first: these refer to rows, not to keys.
    for table in late:
        for rule in rules:
            if rule.table == table:
                done.append(link(rule))
        lookups = _with_lookup(session, lookups, table, done, prepared, work)
    return done + list(each(link, linking))


def restored_rules(session: SparkSession, rules: Sequence[Rule], order: Sequence[str], work: Path) -> Mapped:
    """The mapped frames that `map_rules` left in `work`, in the order of these rule folders."""
    named = {rule.folder: rule for rule in rules}
    return [(named[folder], restored(session, mapped_folder(work, folder))) for folder in order]


def _refers_to(rule: Rule, tables: Sequence[str]) -> bool:
    """Whether an entry has a reference to records of one of these tables."""
    return any(
        REFERENCE_TABLES[role.name] in tables and rule.entry.given(role.name) is not None
        for role in roles(rule.table).values()
        if role.kind == "ref"
    )


def _rows_named(rule: Rule) -> list[str]:
    """The tables whose rows, made of the same source row, an entry links to."""
    values = [rule.entry.given(role.name) for role in roles(rule.table).values() if role.kind == "event"]
    return sorted({value.row for value in values if isinstance(value, EventRow)})


def _made_of(table: str, done: Mapped, rule: Rule, lookups: Lookups, merge_visits: bool) -> DataFrame:
    """What the rows of a rule's source became in a table, by the entries of that table which the same source drives.

    A view that gives a source row several times is asked for itself: each of its rows links to what that row became.
    """
    own = [(other, frame) for other, frame in done if other.table == table and other.root == rule.root]
    if rule.many:
        own = [(other, frame) for other, frame in own if other.source == rule.source]
    else:
        own = [(other, frame.drop("_view_row")) for other, frame in own]
    if not own:
        raise ConfigurationError(
            Problem(
                rule.name,
                f"links to a row of {table}, but no entry of {table} that is mapped before reads its source",
                "link to a table that this source fills itself and that links to no other",
            )
        )
    merging = any(_needs_merging(other, []) for other, _ in own) or (table == "visit_occurrence" and merge_visits)
    if len(own) == 1 and (rule.many or not own[0][0].many) and not merging:
        return rows_of_one(own[0][1])
    records = lookups.frames.get(_ROLE_OF[table]) if table in _ROLE_OF else None
    keyed = records is None and any(_needs_merging(other, []) for other, _ in own)
    return rows_made([frame for _, frame in own], records, keyed)


def _map(
    session: SparkSession,
    rule: Rule,
    done: Mapped,
    prepared: Prepared,
    shared: Shared,
    lookups: Lookups,
    work: Path,
    progress: Progress,
) -> tuple[Rule, DataFrame]:
    started = time.monotonic()
    earlier = [(r, f) for r, f in done if r.table == rule.table]
    source = prepared.frames[rule.source]
    if rule.table == "visit_detail" and rule.entry.given("parent") is not None:
        # A detail may be part of one of the same entry: those are told by their keys, before any has a parent.
        itself = evaluate(rule, source, shared, lookups)
        lookups = lookups.with_frame("parent", _keys_of([*earlier, (rule, itself)]))
    frame = evaluate(rule, source, shared, lookups)
    if _needs_merging(rule, earlier):
        frame = stored(session, frame, work / f"{rule.folder}-unmerged")  # merging reads it more than once
        frame = merged(rule, frame, _written_keys(earlier))
    if rule.many:
        frame = frame.withColumn("_view_row", view_row())
    if not shared.reveal:
        frame = frame.drop("_key", "_n")  # long texts that only merging and collisions ask for
    made = stored(session, frame, work / rule.folder)
    progress.table(rule.name, None, time.monotonic() - started)
    return rule, made


def _with_stays(session: SparkSession, done: Mapped, shared: Shared, work: Path, progress: Progress) -> Mapped:
    """The mapped frames so far, visits after the site's merge policy; without a policy the engine is not asked."""
    if not shared.merge_visits:
        return done
    started = time.monotonic()
    own = [(rule, frame) for rule, frame in done if rule.table == "visit_occurrence"]
    after, merged_away = merge_stays(session, own, shared.merge_visits, work)
    progress.table("visits merged", merged_away, time.monotonic() - started)
    return [(rule, frame) for rule, frame in done if rule.table != "visit_occurrence"] + after


def _keys_of(details: Mapped) -> DataFrame:
    """One row a written visit detail: `key_hash`, `id`."""
    union = None
    for _, frame in details:
        written = frame.where(F.col("_outcome") == Outcome.WRITTEN.value)
        keys = written.select(F.col("_key_hash").alias("key_hash"), F.col("_id").alias("id"))
        union = keys if union is None else union.unionByName(keys)
    assert union is not None
    return union.groupBy("key_hash").agg(F.min("id").alias("id"))


def _needs_merging(rule: Rule, earlier: Mapped) -> bool:
    """Whether several source rows may name one record: the entry has a key or a choice of its own, or another entry
    of the table may have written it."""
    return bool(rule.entry.key or rule.entry.keep or rule.table == "death" or (earlier and rule.table in _ROLE_OF))


def _written_keys(earlier: Mapped) -> DataFrame | None:
    found = None
    for _, frame in earlier:
        person = part_column("person", "id")
        keys = frame.where(F.col("_outcome") == Outcome.WRITTEN.value).select(
            F.col("_key_hash").alias("key_hash"),
            (F.col(person) if person in frame.columns else F.lit(None).cast("bigint")).alias("person_id"),
        )
        found = keys if found is None else found.unionByName(keys)
    return found


def _with_lookup(
    session: SparkSession, lookups: Lookups, table: str, done: Mapped, prepared: Prepared, work: Path
) -> Lookups:
    """Adds the records of an entity table: one row a key; a key that only rejected rows have gets a NULL id."""
    role = _ROLE_OF[table]
    own = [(rule, frame) for rule, frame in done if rule.table == table]
    keys = None
    for rule, frame in own:
        one = frame.where(_has_own_key(frame)).select(*_key_columns(table, frame))
        keys = one if keys is None else keys.unionByName(one)
        for gone, opted_out in ((prepared.rejected_keys, False), (prepared.opted_out, True)):
            if rule.source in gone and rule.entry.key is None:
                keys = keys.unionByName(_lost_keys(gone[rule.source], table, opted_out))
    if keys is None:
        return lookups
    keys = keys.where(F.col("key_hash").isNotNull())
    if len(own) > 1 or any(rule.entry.key or prepared.lost_some(rule.source) for rule, _ in own):
        others = [
            (F.bool_or if name == "opted_out" else F.max)(name).alias(name)
            for name in keys.columns
            if name != "key_hash"
        ]
        keys = keys.groupBy("key_hash").agg(*others)
    if table == "visit_detail" and _details_follow_visits(done):
        # Written once: nearly every entry after this one asks for it, and each would join the two again.
        visits = stored(session, _visits_with_details(lookups.frames["visit"], keys), work / "visits-with-details")
        lookups = lookups.with_frame("visit", visits, True)
    if table == "visit_occurrence":
        keys = keys.withColumn("visit_detail_id", F.lit(None).cast("bigint"))
    return lookups.with_frame(role, keys)


def _has_own_key(frame: DataFrame) -> Column:
    """Whether no other row stands for the row's key: visits that are parts of a stay keep theirs and lead to the stay."""
    own = F.col("_outcome") != Outcome.MERGED.value
    return own | F.col("_into").isNotNull() if "_into" in frame.columns else own


def _key_columns(table: str, frame: DataFrame) -> list[Column]:
    found = F.when(F.col("_outcome") == Outcome.WRITTEN.value, F.col("_id"))
    if "_into" in frame.columns:
        found = F.coalesce("_into", found)
    columns = [F.col("_key_hash").alias("key_hash"), found.alias("id")]
    if table == "visit_occurrence":
        columns.append(F.col(part_column("person", "id")).alias("person_id"))
    if table in _MAY_OPT_OUT:
        columns.append((F.col("_reason") == Reason.OPT_OUT.value).alias("opted_out"))
    return columns


def _lost_keys(lost: DataFrame, table: str, opted_out: bool) -> DataFrame:
    nothing = F.lit(None).cast("bigint")
    columns = [F.xxhash64("_key").alias("key_hash"), nothing.alias("id")]
    if table == "visit_occurrence":
        columns.append(nothing.alias("person_id"))
    if table in _MAY_OPT_OUT:
        columns.append(F.lit(opted_out).alias("opted_out"))
    # Distinct before the hash: Sail panics when it hashes a column of a file that has one value in several rows.
    return lost.select("_key").distinct().select(*columns)


def _details_follow_visits(done: Mapped) -> bool:
    """Whether one source fills visits and details with one key, so that an event's visit names its detail too."""
    visits = {rule.source for rule, _ in done if rule.table == "visit_occurrence" and rule.entry.key is None}
    details = {rule.source for rule, _ in done if rule.table == "visit_detail" and rule.entry.key is None}
    return len(visits) == 1 and visits == details


def _visits_with_details(visits: DataFrame, details: DataFrame) -> DataFrame:
    found = details.select(F.col("key_hash").alias("_detail_key"), F.col("id").alias("_detail_id"))
    return (
        visits.drop("visit_detail_id")
        .join(found, F.col("key_hash") == F.col("_detail_key"), "left")
        .select("key_hash", "id", "person_id", "opted_out", F.col("_detail_id").alias("visit_detail_id"))
    )
