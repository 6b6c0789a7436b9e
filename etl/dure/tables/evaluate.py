"""One spec entry applied to one source: what each row becomes, or why it does not.

The result is a *mapped frame*: one row a (source row, target), with the outcome, the table it goes to, the record id
and the parts of every role under names that do not depend on the table (`start__date`, `unit__concept_id`, …).
Rows that the entry's `where` does not select are not in it.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Outcome, Reason
from dure.tables import values
from dure.tables.assemble import fitting
from dure.tables.coded import coded_parts, resolve_codes
from dure.tables.keys import identity, key_hash, record_id
from dure.tables.narrow import narrow
from dure.tables.references import resolve_references
from dure.tables.routing import EVENT_TABLES, part_column, routed_table
from dure.tables.rule import Evaluation, Lookups, Rule, Shared
from dure.tables.sources import FIRST
from dure.tables.timing import start_and_end


def evaluate(rule: Rule, frame: DataFrame, shared: Shared, lookups: Lookups) -> DataFrame:
    """The mapped frame of one rule; `frame` is the source as `sources.going_on` leaves it."""
    work = Evaluation(rule, shared, lookups)
    joined = resolve_references(work, narrow(work, frame))
    joined = resolve_codes(work, joined)
    return _finished(work, joined)


def _both_ways(work: Evaluation, frame: DataFrame) -> DataFrame:
    """A relationship between facts is two rows: there, and back under the reverse relationship."""
    there, back = work.shared.linked.relationships[str(work.given("relationship"))]
    forth = F.col("_way") == 0
    parts = work.parts
    for part in ("domain", "id"):
        one, two = parts[part_column("fact_1", part)], parts[part_column("fact_2", part)]
        parts[part_column("fact_1", part)] = F.when(forth, one).otherwise(two)
        parts[part_column("fact_2", part)] = F.when(forth, two).otherwise(one)
    parts[part_column("relationship", "concept_id")] = F.when(forth, F.lit(there)).otherwise(F.lit(back))
    parts["_rank"] = F.col("_way")
    return frame.withColumn("_way", F.explode(F.array(F.lit(0), F.lit(1))))


def _numbers_and_texts(work: Evaluation, moves: Column) -> None:
    """Numbers and texts of a rule; a number that its table's column cannot hold counts only where the row stays."""
    for role in work.roles.values():
        name = part_column(role.name, "value")
        if role.kind in ("number", "text") and name in work.start_columns:
            work.parts[name] = F.col(name)
            if role.required:
                work.reasons.append((F.col(name).isNull(), Reason.REQUIRED_EMPTY))
            if role.kind == "number" and f"{role.name}__given" in work.start_columns:
                column = role.columns.get("value")
                read = F.col(name)
                if column:
                    read = F.when(moves, read).otherwise(fitting(read, work.rule.table, column))
                work.note(Note.NOT_A_NUMBER, F.col(f"{role.name}__given") & read.isNull())
    if "range__given" in work.start_columns:
        ends = [F.col(part_column(name, "value")) for name in ("range_low", "range_high")]
        work.note(Note.NOT_A_NUMBER, F.col("range__given") & F.coalesce(*ends).isNull())


def _finished(work: Evaluation, frame: DataFrame) -> DataFrame:
    rule, parts = work.rule, work.parts
    coded_parts(work)
    domain = parts.pop("_domain", F.lit(None).cast("string"))
    goes_to = F.lit(rule.table)
    if rule.table in EVENT_TABLES:
        goes_to = routed_table(rule.table, parts[part_column("code", "concept_id")], domain)
    start_and_end(work)
    _numbers_and_texts(work, goes_to != rule.table)
    if "value" in work.roles:
        values.parts(work.parts, work.start_columns, work.shared.titer_unit, work.note)
    if rule.table == "fact_relationship":
        frame = _both_ways(work, frame)
    rank = parts.pop("_rank", F.lit(0))
    mapped_value = parts.pop("_mapped_value", F.lit(None).cast("int"))
    if rule.table in EVENT_TABLES:
        takes_value = goes_to.isin("measurement", "observation")
        measured = parts.get(part_column("value", "value_as_concept_id"), F.lit(None).cast("int"))
        measured = F.when(measured != 0, measured)
        number = parts.get(part_column("value", "value_as_number"), F.lit(None).cast("double"))
        parts[part_column("value", "value_as_concept_id")] = F.when(
            takes_value & mapped_value.isNotNull() & number.isNull(), F.coalesce(measured, mapped_value)
        ).otherwise(parts.get(part_column("value", "value_as_concept_id"), F.lit(None).cast("int")))
        work.note(Note.MAPPED_VALUE_LEFT_OUT, mapped_value.isNotNull() & ~takes_value)
    reason = F.lit(None).cast("string")
    if work.reasons:
        # One flat CASE: nested ones take the optimiser longer.
        (first, first_why), *others = work.reasons
        reason = F.when(F.coalesce(first, F.lit(False)), F.lit(first_why.value))
        for failed, why in others:
            reason = reason.when(F.coalesce(failed, F.lit(False)), F.lit(why.value))
    number = F.lit(FIRST) if rule.entry.key or rule.table == "death" else F.col("_n")
    occurrence = F.when(rank > 0, F.concat(number, F.lit("."), rank.cast("string"))).otherwise(number)
    shared = work.shared
    known_as = identity(shared.site, rule.source, rule.table, rule.label, F.col("_record_key"), occurrence)
    own_id = record_id(known_as, shared.bits(rule.table), shared.salts.get(rule.table))
    if rule.table in EVENT_TABLES:
        # A row that its code's domain takes among the visits must have an id as short as theirs.
        short = F.lit((1 << shared.bits("visit_occurrence")) - 1)
        own_id = own_id.bitwiseAND(F.when(goes_to == "visit_occurrence", short).otherwise(F.lit(-1).cast("bigint")))
    out = frame.select(
        "_file",
        "_row",
        "_key",
        "_n",
        key_hash(F.col("_record_key")).alias("_key_hash"),
        rank.cast("int").alias("_rank"),
        reason.alias("_reason"),
        goes_to.alias("_table"),
        own_id.alias("_id"),
        *([F.sha2(known_as, 256).alias("_sha")] if shared.reveal else []),
        *[column.alias(name) for name, column in parts.items()],
        *[flag.alias(f"_note_{note.value}") for note, flag in work.notes.items()],
        *[F.col(name) for name in work.start_columns if name.startswith("_keep_")],
    )
    if rule.table in EVENT_TABLES or rule.table == "fact_relationship":
        # A row that is rejected is one row, whatever the number of its targets.
        out = out.where((F.col("_rank") == 0) | F.col("_reason").isNull())
    return out.withColumn(
        "_outcome",
        F.when(F.col("_reason").isNull(), F.lit(Outcome.WRITTEN.value))
        .when(F.col("_reason") == Reason.OPT_OUT.value, F.lit(Outcome.EXCLUDED.value))
        .otherwise(F.lit(Outcome.REJECTED.value)),
    )
